import { appendEntry, canonicalText, sequencingRefusal } from '../../src-shared/protocol/index.ts'
import type { JsonObject, ManifestState, SignedEntry } from '../../src-shared/protocol/index.ts'
import { deviceKeysText, everyoneWhoKnows, manifestOf, newDevice } from '../accounts.ts'
import type { Context } from '../context.ts'
import { tellServersAround } from '../federation/announce.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { stateRosterEverywhere } from '../rooms/rosters.ts'
import type { Tx } from '../storage/index.ts'

export const appendManifest: Handler<'appendManifest'> = async (context, { caller, raw }) => {
  const signed = raw['entry'] as unknown as SignedEntry
  return context.storage.write(async (tx) => {
    const before = await manifestOf(context, tx, caller.member)
    const { head, height } = before
    if (signed.entry['prev'] !== head) throw new ApiError('E_HEAD_CONFLICT', { head, height })
    const result = appendEntry(context.crypto, before, signed)
    if (!result.ok) throw new ApiError('E_BAD_ENTRY', { rule: result.code })
    const { state } = result
    const seen = await tx.manifests.firstSights(caller.member)
    const now = context.now()
    const refused = sequencingRefusal(before, state, (hash) => seen.get(hash) ?? null, now)
    if (refused !== null) throw new ApiError('E_BAD_ENTRY', { rule: refused })
    if (!(await tx.accounts.moveHead(caller.member, head, state.head, state.height)))
      throw new ApiError('E_HEAD_CONFLICT', { head, height })
    const entry = canonicalText(signed as unknown as JsonObject)
    await tx.manifests.append(caller.member, state.height, state.head, entry, now)
    await applyDevices(context, tx, state)
    const audience = await everyoneWhoKnows(tx, caller.member)
    await tx.streams.append('manifest', caller.member, null, audience, now)
    await stateRosterEverywhere(context, tx, state)
    const { userId: user_id, fingerprint: member } = state
    const item = { user_id, member, head: state.head, height: state.height }
    await tellServersAround(context, tx, member, 'manifest', item)
    return { head: state.head, height: state.height }
  })
}

/** Brings the devices' rows to what the manifest says: tokens get or lose their scope with them. */
async function applyDevices(context: Context, tx: Tx, state: ManifestState): Promise<void> {
  const member = state.fingerprint
  for (const device of state.devices.values()) {
    const row = await tx.devices.get(member, device.id)
    if (device.status === 'removed') {
      if (row !== undefined && row.status !== 'removed') await retire(tx, member, device.id)
      continue
    }
    // Whoever asked for a token under this id with other keys is not the device that was let in.
    const impostor = row !== undefined && row.keys !== deviceKeysText(device)
    if (impostor) await tx.devices.delete(member, device.id)
    if (row === undefined || impostor)
      await tx.devices.insert(await newDevice(context, tx, member, device, device.status, null))
    else if (row.status !== device.status)
      await tx.devices.update(member, device.id, { status: device.status })
    if (device.status === 'active') await tx.devices.dropPairing(member, device.id)
  }
}

/** The token stays known, so that the device is told what happened to it; it opens nothing any more. */
async function retire(tx: Tx, member: string, device: string): Promise<void> {
  await tx.devices.update(member, device, { status: 'removed' })
  await tx.devices.dropPairing(member, device)
  await tx.prekeys.drop(member, device)
  await tx.wraps.drop(member, device)
  await tx.windowRooms.dropAll(member, device)
  await tx.toDevice.drop(member, device)
}
