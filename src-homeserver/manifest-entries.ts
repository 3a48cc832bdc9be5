/**
 * An entry onto the log of an account here (Identity §2): kept, its devices brought to what it says, and everyone
 * told who has to know.
 */
import { canonicalText } from '../src-shared/protocol/index.ts'
import type { JsonObject, ManifestState, SignedEntry } from '../src-shared/protocol/index.ts'
import { deviceKeysText, everyoneWhoKnows, newDevice } from './accounts.ts'
import type { Context } from './context.ts'
import { tellServersAround } from './federation/announce.ts'
import { stateRosterEverywhere } from './rooms/rosters.ts'
import type { Tx } from './storage/index.ts'

/** `signed`: verified; it leads from `head` to `state`. False where the log is not at `head` any more. */
export async function putEntry(
  context: Context,
  tx: Tx,
  head: string,
  signed: SignedEntry,
  state: ManifestState,
): Promise<boolean> {
  const { userId: user_id, fingerprint: member, height } = state
  const now = context.now()
  if (!(await tx.accounts.moveHead(member, head, state.head, height))) return false
  const entry = canonicalText(signed as unknown as JsonObject)
  await tx.manifests.append(member, height, state.head, entry, now)
  await applyDevices(context, tx, state)
  const audience = await everyoneWhoKnows(tx, member)
  await tx.streams.append('manifest', member, null, audience, now)
  await stateRosterEverywhere(context, tx, state)
  const item = { user_id, member, head: state.head, height }
  await tellServersAround(context, tx, member, 'manifest', item)
  return true
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
