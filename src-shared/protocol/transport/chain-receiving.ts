/**
 * Sender chains, the recipient's side (Rosters, wraps, chains §6): the chains that one device has given
 * to this one for one room, as an immutable JSON value.
 *
 * Keys are taken in any order and each once. A key leaves the value only if it is the one its envelope
 * commits to, so nothing that arrives can use up what it does not open. Verifying the envelope's
 * signature, and whether its sender may write at all, is asked elsewhere.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  roomIdSchema,
  toBase64Url,
} from '../encoding/index.ts'
import { MAX_CHAIN_MESSAGES, readHeader } from '../envelope/index.ts'
import type { ArrivedHeader } from '../envelope/index.ts'
import { chainId, contentKeyOf, nextChainKey } from './chain.ts'
import type { ChainDevice, ChainDistribution } from './chain.ts'

/** Chains kept per room and sending device; the oldest goes first. */
export const MAX_RECEIVING_CHAINS = 64
/** Keys of messages that have not arrived, over all chains of one value; the oldest go first. */
export const MAX_SKIPPED_CHAIN_KEYS = 1000

type SkippedContentKey = { readonly n: number; readonly K: string }

type ReceivingChain = {
  readonly id: string
  /** Roster when the chain was made. */
  readonly roster: string
  /** Number of the first message this device may read. */
  readonly start: number
  /** Number of the next message. */
  readonly next: number
  /** Chain key of the next message; `null` after the last. */
  readonly key: string | null
  /** By ascending number. */
  readonly skipped: readonly SkippedContentKey[]
}

export type ReceivingChains = ChainDevice & {
  readonly v: 1
  readonly room: string
  /** Oldest first. */
  readonly chains: readonly ReceivingChain[]
}

const place = z.int().min(0).max(MAX_CHAIN_MESSAGES)

export const receivingChainsSchema: z.ZodType<ReceivingChains> = z.object({
  v: z.literal(1),
  room: roomIdSchema,
  member: fingerprintSchema,
  device: deviceIdSchema,
  chains: z
    .array(
      z.object({
        id: base64UrlSchema(32),
        roster: base64UrlSchema(32),
        start: place,
        next: place,
        key: base64UrlSchema(32).nullable(),
        skipped: z.array(z.object({ n: place, K: base64UrlSchema(32) })).max(MAX_CHAIN_MESSAGES),
      }),
    )
    .max(MAX_RECEIVING_CHAINS),
})

/** `null` for anything that is not such a value. */
export function parseReceivingChains(value: unknown): ReceivingChains | null {
  const parsed = receivingChainsSchema.safeParse(value)
  return parsed.success ? parsed.data : null
}

export function noReceivingChains(room: string, sender: ChainDevice): ReceivingChains {
  return { v: 1, room, member: sender.member, device: sender.device, chains: [] }
}

export type AcceptChainErrorCode =
  /** It is for another room. */
  | 'wrong_room'
  /** The id is not that of a chain of this room, roster and sending device. */
  | 'wrong_chain'
  /** This device has it, or had it; a second copy could only open what is closed. */
  | 'known_chain'

/**
 * Takes a distribution that `openToDevice` has read in a session of the device that `chains` is for:
 * whoever else sends it, the id does not fit.
 */
export function acceptChain(
  crypto: Crypto,
  chains: ReceivingChains,
  distribution: ChainDistribution,
):
  | { readonly ok: true; readonly chains: ReceivingChains }
  | { readonly ok: false; readonly code: AcceptChainErrorCode } {
  const { chain: id, room, roster, created, nonce, start, key } = distribution
  if (room !== chains.room) return { ok: false, code: 'wrong_room' }
  const { member, device } = chains
  if (id !== chainId(crypto, { room, member, device, roster, created, nonce }))
    return { ok: false, code: 'wrong_chain' }
  if (chains.chains.some((known) => known.id === id)) return { ok: false, code: 'known_chain' }
  const accepted: ReceivingChain = { id, roster, start, next: start, key, skipped: [] }
  const kept = [...chains.chains, accepted].slice(-MAX_RECEIVING_CHAINS)
  return { ok: true, chains: { ...chains, chains: kept } }
}

export type OpenChainErrorCode =
  /** Not an envelope of a chain. */
  | 'wrong_transport'
  /** Of another room or device than `chains` is for. */
  | 'wrong_sender'
  /** Not given to this device, not yet, or so long ago that it was dropped. */
  | 'unknown_chain'
  /** Sealed before this device was given the chain. */
  | 'before_start'
  /** Taken before, or dropped with the oldest skipped keys. */
  | 'already_used'
  /** Not the key that the envelope commits to. */
  | 'wrong_commitment'

export type ContentKeyTaken =
  | { readonly ok: true; readonly chains: ReceivingChains; readonly contentKey: Uint8Array }
  | { readonly ok: false; readonly code: OpenChainErrorCode }

/**
 * The content key of `header` (strict JSON as it arrived, or what `verifyEnvelope` knows of it), for `openEnvelope`. Commit `chains` together
 * with what the message said: afterwards the key is not in it any more.
 */
export function takeContentKey(
  crypto: Crypto,
  chains: ReceivingChains,
  header: ArrivedHeader,
): ContentKeyTaken {
  const read = readHeader(crypto, header)
  if (!read.ok) return { ok: false, code: 'wrong_transport' }
  const { room, member, device, chain: place } = read.known.header
  if (place === undefined) return { ok: false, code: 'wrong_transport' }
  if (room !== chains.room || member !== chains.member || device !== chains.device)
    return { ok: false, code: 'wrong_sender' }
  const chain = chains.chains.find(({ id }) => id === place.id)
  if (chain === undefined) return { ok: false, code: 'unknown_chain' }
  if (place.n < chain.start) return { ok: false, code: 'before_start' }
  const taken = place.n < chain.next ? takeSkipped(chain, place.n) : advance(crypto, chain, place.n)
  if (taken === null) return { ok: false, code: 'already_used' }
  if (read.known.keysOf(taken.contentKey) === null) return { ok: false, code: 'wrong_commitment' }
  return {
    ok: true,
    chains: withChain(chains, taken.chain),
    contentKey: taken.contentKey,
  }
}

type Taken = { readonly chain: ReceivingChain; readonly contentKey: Uint8Array }

function takeSkipped(chain: ReceivingChain, n: number): Taken | null {
  const kept = chain.skipped.find((skipped) => skipped.n === n)
  if (kept === undefined) return null
  const skipped = chain.skipped.filter((other) => other !== kept)
  return { chain: { ...chain, skipped }, contentKey: fromBase64Url(kept.K) }
}

/** At most 99 steps: the header's schema bounds `n`. */
function advance(crypto: Crypto, chain: ReceivingChain, n: number): Taken | null {
  if (chain.key === null) return null
  const skipped = [...chain.skipped]
  let key = fromBase64Url(chain.key)
  for (let at = chain.next; at < n; at++) {
    skipped.push({ n: at, K: toBase64Url(contentKeyOf(crypto, key)) })
    key = nextChainKey(crypto, key)
  }
  const next = n + 1
  const after = next === MAX_CHAIN_MESSAGES ? null : toBase64Url(nextChainKey(crypto, key))
  return { chain: { ...chain, next, key: after, skipped }, contentKey: contentKeyOf(crypto, key) }
}

function withChain(chains: ReceivingChains, changed: ReceivingChain): ReceivingChains {
  const next = chains.chains.map((chain) => (chain.id === changed.id ? changed : chain))
  let excess = next.reduce((sum, { skipped }) => sum + skipped.length, 0) - MAX_SKIPPED_CHAIN_KEYS
  const bounded = next.map((chain) => {
    const dropped = Math.min(Math.max(excess, 0), chain.skipped.length)
    excess -= dropped
    return dropped === 0 ? chain : { ...chain, skipped: chain.skipped.slice(dropped) }
  })
  return { ...chains, chains: bounded }
}
