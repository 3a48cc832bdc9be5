/** A symmetric chain (Double Ratchet §4): one HMAC makes the next chain key, another a message key. */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import { base64UrlSchema, fromBase64Url, labelled, LABELS, toBase64Url } from '../encoding/index.ts'

const MESSAGE = labelled(LABELS.ratchetChain, Uint8Array.of(1))
const NEXT = labelled(LABELS.ratchetChain, Uint8Array.of(2))

export type ChainKey = {
  /** 32 bytes. */
  readonly key: string
  /** Number of the next message in this chain. */
  readonly index: number
}

export const chainKeySchema: z.ZodType<ChainKey> = z.object({
  key: base64UrlSchema(32),
  index: z.int().nonnegative(),
})

export function startChain(key: Uint8Array): ChainKey {
  return { key: toBase64Url(key), index: 0 }
}

/** The message key of `chain.index`, and the chain after it. */
export function stepChain(
  crypto: Crypto,
  chain: ChainKey,
): { readonly chain: ChainKey; readonly messageKey: Uint8Array } {
  const key = fromBase64Url(chain.key)
  return {
    chain: { key: toBase64Url(crypto.hmacSha256(key, NEXT)), index: chain.index + 1 },
    messageKey: crypto.hmacSha256(key, MESSAGE),
  }
}

/** Steps to `index`, with the message keys of the last `keep` steps, oldest first. */
export function advanceChain(
  crypto: Crypto,
  chain: ChainKey,
  index: number,
  keep: number,
): { readonly chain: ChainKey; readonly skipped: readonly { n: number; key: string }[] } {
  const skipped: { n: number; key: string }[] = []
  let key = fromBase64Url(chain.key)
  for (let n = chain.index; n < index; n++) {
    if (n >= index - keep) skipped.push({ n, key: toBase64Url(crypto.hmacSha256(key, MESSAGE)) })
    key = crypto.hmacSha256(key, NEXT)
  }
  return { chain: { key: toBase64Url(key), index }, skipped }
}
