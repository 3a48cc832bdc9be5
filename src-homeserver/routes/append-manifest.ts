import { appendEntry, sequencingRefusal } from '../../src-shared/protocol/index.ts'
import type { SignedEntry } from '../../src-shared/protocol/index.ts'
import { manifestOf } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { putEntry } from '../manifest-entries.ts'

export const appendManifest: Handler<'appendManifest'> = async (context, { caller, raw }) => {
  const signed = raw['entry'] as unknown as SignedEntry
  context.comeback.mayChange()
  return context.storage.write(async (tx) => {
    const before = await manifestOf(context, tx, caller.member)
    const { head, height } = before
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
