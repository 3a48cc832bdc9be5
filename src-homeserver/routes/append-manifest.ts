import {
  appendEntry,
  deviceKeysSchema,
  sequencingRefusal,
} from '../../src-shared/protocol/index.ts'
import type { ManifestState, SignedEntry } from '../../src-shared/protocol/index.ts'
import { deviceKeysText, manifestOf } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller, Handler } from '../http/call.ts'
import { putEntry } from '../manifest-entries.ts'
import type { Tx } from '../storage/index.ts'

export const appendManifest: Handler<'appendManifest'> = async (context, { caller, raw }) => {
  const signed = raw['entry'] as unknown as SignedEntry
  context.comeback.mayChange()
  return context.storage.write(async (tx) => {
    const before = await manifestOf(context, tx, caller.member)
    const { head, height } = before
    if (caller.scope === 'pending' && !(await letsItselfIn(tx, caller, before, signed)))
      throw new ApiError('E_DEVICE_PENDING')
    if (signed.entry['prev'] !== head) throw new ApiError('E_HEAD_CONFLICT', { head, height })
    const result = appendEntry(context.crypto, before, signed)
    if (!result.ok) throw new ApiError('E_BAD_ENTRY', { rule: result.code })
    const { state } = result
    const seen = await tx.manifests.firstSights(caller.member)
    const refused = sequencingRefusal(
      before,
      state,
      (hash) => seen.get(hash) ?? null,
      context.now(),
    )
    if (refused !== null) throw new ApiError('E_BAD_ENTRY', { rule: refused })
    if (!(await putEntry(context, tx, head, signed, state)))
      throw new ApiError('E_HEAD_CONFLICT', { head, height })
    return { head: state.head, height: state.height }
  })
}

/** Recovery with nothing but the words (Recovery §12.4): its own request, and its own activation by their key. */
async function letsItselfIn(
  tx: Tx,
  { member, device }: Caller,
  { pendingDevice }: ManifestState,
  { entry }: SignedEntry,
): Promise<boolean> {
  if (entry['by'] !== 'recovery') return false
  if (entry['kind'] === 'activate')
    return pendingDevice?.device === device && entry['request'] === pendingDevice.request
  const asked = deviceKeysSchema.safeParse(entry['device'])
  if (entry['kind'] !== 'recover_device' || !asked.success) return false
  return (await tx.devices.get(member, device))?.keys === deviceKeysText(asked.data)
}
