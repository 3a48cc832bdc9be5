/**
 * The same request twice gives the same answer (Envelopes §5): the answer is stored in the transaction
 * that did the work, under the device's transaction id and the digest of what it sent.
 */
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'

export interface Request {
  readonly caller: Caller
  /** The endpoint and what its path names. */
  readonly scope: string
  readonly txn: string
  readonly digest: string
}

export async function once<T>(
  context: Context,
  { caller, scope, txn, digest }: Request,
  work: (tx: Tx) => Promise<T>,
): Promise<T> {
  const key = { member: caller.member, device: caller.device, scope, txn }
  return context.storage.write(async (tx) => {
    const known = await tx.txns.find(key)
    if (known !== undefined) {
      if (known.digest !== digest) throw new ApiError('E_TXN_REUSED')
      return JSON.parse(known.answer) as T
    }
    const answer = await work(tx)
    await tx.txns.put(key, digest, JSON.stringify(answer), context.now())
    return answer
  })
}
