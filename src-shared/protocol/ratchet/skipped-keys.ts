/**
 * Message keys of messages that have not arrived yet (Double Ratchet §4).
 *
 * At most 1,000 a chain and 2,000 a session; the oldest are dropped first.
 */
import * as z from 'zod'
import { base64UrlSchema } from '../encoding/index.ts'

export const MAX_SKIPPED_PER_CHAIN = 1000
export const MAX_SKIPPED_PER_SESSION = 2000

type SkippedKey = { readonly n: number; readonly key: string }

type SkippedChain = {
  /** The sender's ratchet key of that chain. */
  readonly key: string
  /** By ascending number, never empty. */
  readonly messages: readonly SkippedKey[]
}

/** Oldest chain first. */
export type SkippedKeys = readonly SkippedChain[]

export const skippedKeysSchema: z.ZodType<SkippedKeys> = z.array(
  z.object({
    key: base64UrlSchema(32),
    messages: z
      .array(z.object({ n: z.int().nonnegative(), key: base64UrlSchema(32) }))
      .min(1)
      .max(MAX_SKIPPED_PER_CHAIN),
  }),
)

export function hasSkippedChain(skipped: SkippedKeys, key: string): boolean {
  return skipped.some((chain) => chain.key === key)
}

/** The message key as base64url, or `null`. */
export function findSkipped(skipped: SkippedKeys, key: string, n: number): string | null {
  const chain = skipped.find((candidate) => candidate.key === key)
  return chain?.messages.find((message) => message.n === n)?.key ?? null
}

export function removeSkipped(skipped: SkippedKeys, key: string, n: number): SkippedKeys {
  return skipped
    .map((chain) =>
      chain.key === key
        ? { key, messages: chain.messages.filter((message) => message.n !== n) }
        : chain,
    )
    .filter((chain) => chain.messages.length > 0)
}

/** `messages` are newer than any key kept of that chain. */
export function addSkipped(
  skipped: SkippedKeys,
  key: string,
  messages: readonly SkippedKey[],
): SkippedKeys {
  if (messages.length === 0) return skipped
  const before = skipped.find((chain) => chain.key === key)?.messages ?? []
  const chain = { key, messages: [...before, ...messages].slice(-MAX_SKIPPED_PER_CHAIN) }
  return dropOldest([...skipped.filter((other) => other.key !== key), chain])
}

function dropOldest(skipped: SkippedKeys): SkippedKeys {
  let excess =
    skipped.reduce((sum, chain) => sum + chain.messages.length, 0) - MAX_SKIPPED_PER_SESSION
  const kept: SkippedChain[] = []
  for (const chain of skipped) {
    const dropped = Math.min(Math.max(excess, 0), chain.messages.length)
    excess -= dropped
    if (dropped < chain.messages.length)
      kept.push({ key: chain.key, messages: chain.messages.slice(dropped) })
  }
  return kept
}
