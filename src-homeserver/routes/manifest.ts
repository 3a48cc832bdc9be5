import { accountOf } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

export const manifest: Handler<'manifest'> = async (context, { caller, params, query }) => {
  if (caller.scope === 'pending' && params.userId !== caller.userId)
    throw new ApiError('E_DEVICE_PENDING')
  return context.storage.read(async (tx) => {
    const account = await accountOf(context, tx, params.userId)
    if (account === undefined) throw new ApiError('M_NOT_FOUND')
    return {
      user_id: account.user_id,
      member: account.member,
      head: account.head,
      height: account.height,
      entries: (await tx.manifests.entries(account.member, query.from)).map(copy),
    }
  })
}

/** The stored values are readonly; an answer is its own. */
function copy<T extends { readonly entry: object; readonly signatures: object }>(signed: T) {
  return { entry: { ...signed.entry }, signatures: { ...signed.signatures } } as {
    entry: Record<string, never>
    signatures: T['signatures']
  }
}
