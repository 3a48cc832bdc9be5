/**
 * Sender chains, the sender's side (Rosters, wraps, chains §6): one chain per room and own device gives
 * every message its content key, instead of one wrap per recipient device.
 *
 * A chain's key goes to each recipient device once, through its pairwise session, as of the index
 * reached: who joins later reads from there on. Keys derive one way, so what is past stays closed; what
 * is to come does not, which is why a chain ends with every recipient that leaves, after 100 messages
 * and after a week. Who the recipients are is the caller's decision.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  labelled,
  labelledHash,
  LABELS,
  roomIdSchema,
  timestampSchema,
  toBase64Url,
} from '../encoding/index.ts'
import { MAX_CHAIN_MESSAGES } from '../envelope/index.ts'
import type { GivenContentKey } from '../envelope/index.ts'
import type { Random } from '../prekeys/index.ts'

/** Milliseconds after which a chain is replaced. */
export const MAX_CHAIN_AGE = 7 * 24 * 60 * 60 * 1000

const CONTENT = labelled(LABELS.chainMessage)
const NEXT = labelled(LABELS.chainKey)

/** A device as recipients are counted. */
export type ChainDevice = { readonly member: string; readonly device: string }

/** What a chain is made for; its id is the hash of this, so all who hold the chain agree on it. */
export type ChainOrigin = ChainDevice & {
  readonly room: string
  /** `rosterHash` of the joined members when the chain was made. */
  readonly roster: string
  /** Milliseconds. */
  readonly created: number
  /** 32 random bytes. */
  readonly nonce: string
}

const originFields = {
  room: roomIdSchema,
  roster: base64UrlSchema(32),
  created: timestampSchema,
  nonce: base64UrlSchema(32),
}

export type SendingChain = {
  readonly v: 1
  readonly id: string
  readonly origin: ChainOrigin
  /** Number of the next message. */
  readonly next: number
  /** Chain key of the next message; `null` where all are used up. */
  readonly key: string | null
  /** Devices that have been given the chain, as `member/device`, sorted. */
  readonly shared: readonly string[]
}

export const sendingChainSchema: z.ZodType<SendingChain> = z.object({
  v: z.literal(1),
  id: base64UrlSchema(32),
  origin: z.object({ member: fingerprintSchema, device: deviceIdSchema, ...originFields }),
  next: z.int().min(0).max(MAX_CHAIN_MESSAGES),
  key: base64UrlSchema(32).nullable(),
  shared: z.array(z.string().regex(/^[A-Za-z0-9_-]{43}\/[A-Za-z0-9_-]{16}$/)),
})

/** `null` for anything that is not a sending chain. */
export function parseSendingChain(value: unknown): SendingChain | null {
  const parsed = sendingChainSchema.safeParse(value)
  return parsed.success ? parsed.data : null
}

/**
 * The content of the to-device message that gives a chain to one device. It counts only from the device
 * that the chain's id names, in that device's own session.
 */
export const chainDistributionSchema = z.looseObject({
  kind: z.literal('chain'),
  chain: base64UrlSchema(32),
  ...originFields,
  /** Number of the message that `key` is for: earlier ones stay closed. */
  start: z
    .int()
    .min(0)
    .max(MAX_CHAIN_MESSAGES - 1),
  key: base64UrlSchema(32),
})
export type ChainDistribution = z.infer<typeof chainDistributionSchema>

/** Labelled hash of the origin; 43 characters. */
export function chainId(crypto: Crypto, origin: ChainOrigin): string {
  const { room, member, device, roster, created, nonce } = origin
  const bytes = canonicalBytes({ room, member, device, roster, created, nonce })
  return toBase64Url(labelledHash(crypto, LABELS.chainDistribution, bytes))
}

/** A new chain, which nobody has been given yet. `roster` is that of the envelopes to come. */
export function startSendingChain(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly now: number
  readonly local: ChainDevice
  readonly room: string
  readonly roster: string
}): SendingChain {
  const { crypto, random, now, local, room, roster } = options
  const { member, device } = local
  const nonce = toBase64Url(random(32))
  const origin = { room, member, device, roster, created: now, nonce }
  const id = chainId(crypto, origin)
  return { v: 1, id, origin, next: 0, key: toBase64Url(random(32)), shared: [] }
}

export type RotationReason =
  /** A device that holds the chain is no recipient any more: it, its member or its grant is gone. */
  | 'recipient_left'
  /** 100 messages. */
  | 'used_up'
  /** A week; or it was made by a clock that was ahead, and its age can't be known. */
  | 'too_old'

/** Why the next message needs a new chain, or `null`. `recipients` are all devices it is meant for. */
export function mustRotate(
  chain: SendingChain,
  options: { readonly now: number; readonly recipients: readonly ChainDevice[] },
): RotationReason | null {
  const { now, recipients } = options
  const wanted = new Set(recipients.map(nameOf))
  if (chain.shared.some((device) => !wanted.has(device))) return 'recipient_left'
  if (chain.key === null) return 'used_up'
  const age = now - chain.origin.created
  return age >= 0 && age < MAX_CHAIN_AGE ? null : 'too_old'
}

/** The recipients that must be given the chain before its next message. */
export function withoutChain<T extends ChainDevice>(
  chain: SendingChain,
  recipients: readonly T[],
): readonly T[] {
  const shared = new Set(chain.shared)
  return recipients.filter((device) => !shared.has(nameOf(device)))
}

/**
 * The content that gives the chain, as it stands, to `devices`; one and the same for all of them. The
 * chain that comes back notes that they have it: commit it together with the sealed messages. `null`
 * where the chain is used up.
 */
export function shareChain(
  chain: SendingChain,
  devices: readonly ChainDevice[],
): { readonly chain: SendingChain; readonly content: ChainDistribution } | null {
  const { id, key, next, origin } = chain
  if (key === null) return null
  const { room, roster, created, nonce } = origin
  const content = {
    kind: 'chain',
    chain: id,
    room,
    roster,
    created,
    nonce,
    start: next,
    key,
  } as const
  const shared = [...new Set([...chain.shared, ...devices.map(nameOf)])].sort()
  return { chain: { ...chain, shared }, content }
}

/**
 * The next message's content key and its place, for `sealEnvelope`. Commit the chain that comes back
 * before the message leaves; a place that was taken and not used stays a gap.
 */
export function takeChainKey(
  crypto: Crypto,
  chain: SendingChain,
): { readonly chain: SendingChain; readonly key: Required<GivenContentKey> } | null {
  if (chain.key === null) return null
  const key = fromBase64Url(chain.key)
  const last = chain.next === MAX_CHAIN_MESSAGES - 1
  return {
    chain: {
      ...chain,
      next: chain.next + 1,
      key: last ? null : toBase64Url(nextChainKey(crypto, key)),
    },
    key: {
      contentKey: contentKeyOf(crypto, key),
      chain: { id: chain.id, n: chain.next },
    },
  }
}

/** The chain key after `key`; 32 bytes. */
export function nextChainKey(crypto: Crypto, key: Uint8Array): Uint8Array {
  return crypto.hmacSha256(key, NEXT)
}

/** The content key K of the message that `key` is the chain key of; 32 bytes. */
export function contentKeyOf(crypto: Crypto, key: Uint8Array): Uint8Array {
  return crypto.hmacSha256(key, CONTENT)
}

function nameOf({ member, device }: ChainDevice): string {
  return `${member}/${device}`
}
