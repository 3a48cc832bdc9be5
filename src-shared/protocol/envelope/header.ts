/**
 * The envelope header (Two objects §5): what a device signs and what its id is the hash of.
 *
 * The body is detached and bound by `body_hash`, so that redaction just drops it. Ids and signatures
 * cover every field that arrived, those this version does not know included; so they are always computed
 * over what arrived. Who may send what is not decided here.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  envelopeIdSchema,
  fingerprintSchema,
  labelledHash,
  LABELS,
  roomIdSchema,
  serverNameSchema,
  timestampSchema,
  toBase64Url,
} from '../encoding/index.ts'
import type { Json, JsonObject } from '../encoding/index.ts'

/** Canonical header and detached body together, in bytes. */
export const MAX_ENVELOPE_SIZE = 64 * 1024
/** HKDF-SHA256, ChaCha20-Poly1305, SHA-256, Ed25519. */
export const ENVELOPE_SUITE = 1
/** Envelope ids that a state envelope may rest on. */
const MAX_BASIS = 32

export const envelopeTransportSchema = z.enum(['pairwise', 'chain', 'clear'])
export type EnvelopeTransport = z.infer<typeof envelopeTransportSchema>

/** Messages of one sender chain (Rosters, wraps, chains §6). */
export const MAX_CHAIN_MESSAGES = 100

/** Which key of which sender chain opens the body. */
export type ChainPlace = {
  /** The chain's id, 43 characters. */
  readonly id: string
  /** Counts from 0. */
  readonly n: number
}

export type EnvelopeHeader = {
  readonly v: 1
  readonly suite: number
  /** Empty in the create envelope, whose id makes the room's. */
  readonly room: string
  readonly member: string
  /** `null` where a node made the envelope. */
  readonly device: string | null
  readonly node?: string
  /** Counts from 0 per room and device. */
  readonly seq: number
  /** The device's previous envelope in this room. */
  readonly prev_own: string | null
  readonly type: string
  readonly ts: number
  /** `rosterHash` of the joined members as the sender sees them. */
  readonly roster: string
  readonly transport: EnvelopeTransport
  /** Present exactly in `chain`. */
  readonly chain?: ChainPlace
  /** Commitment to the content key; `null` exactly in `clear`. */
  readonly commit: string | null
  readonly body_hash: string
  /** The three state fields come together or not at all. */
  readonly state_key?: string
  /** Id of the state envelope this one takes the place of. */
  readonly replaces?: string | null
  readonly basis?: readonly string[]
  readonly expires_at?: number
}

export const envelopeHeaderSchema: z.ZodType<EnvelopeHeader> = z
  .looseObject({
    v: z.literal(1),
    suite: z.int().min(1).max(255),
    room: z.literal('').or(roomIdSchema),
    member: fingerprintSchema,
    device: deviceIdSchema.nullable(),
    node: serverNameSchema.exactOptional(),
    seq: z.int().nonnegative(),
    prev_own: envelopeIdSchema.nullable(),
    type: z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/),
    ts: timestampSchema,
    roster: base64UrlSchema(32),
    transport: envelopeTransportSchema,
    chain: z
      .looseObject({
        id: base64UrlSchema(32),
        n: z
          .int()
          .min(0)
          .max(MAX_CHAIN_MESSAGES - 1),
      })
      .exactOptional(),
    commit: base64UrlSchema(32).nullable(),
    body_hash: base64UrlSchema(32),
    state_key: z.string().max(255).exactOptional(),
    replaces: envelopeIdSchema.nullable().exactOptional(),
    basis: z.array(envelopeIdSchema).max(MAX_BASIS).exactOptional(),
    expires_at: timestampSchema.exactOptional(),
  })
  .refine((header) => (header.device === null) === (header.node !== undefined), 'bad maker')
  .refine((header) => (header.commit === null) === (header.transport === 'clear'), 'bad commit')
  .refine((header) => (header.chain !== undefined) === (header.transport === 'chain'), 'bad chain')
  .refine((header) => header.device !== null || header.transport === 'clear', 'bad transport')
  .refine(hasWholeState, 'bad state fields')

function hasWholeState(header: EnvelopeHeader): boolean {
  const present = [header.state_key, header.replaces, header.basis].filter(
    (field) => field !== undefined,
  ).length
  return present === 0 || (present === 3 && header.transport === 'clear')
}

/** 43 characters. `header` is what arrived, not a schema's output. */
export function envelopeId(crypto: Crypto, header: EnvelopeHeader | JsonObject): string {
  return envelopeIdOf(crypto, headerBytes(header))
}

/** As `envelopeId`, of a header's canonical bytes. */
export function envelopeIdOf(crypto: Crypto, bytes: Uint8Array): string {
  return toBase64Url(labelledHash(crypto, LABELS.envelope, bytes))
}

export function bodyHash(crypto: Crypto, body: Uint8Array): string {
  return toBase64Url(labelledHash(crypto, LABELS.body, body))
}

export type RosterPair = { readonly member: string; readonly head: string }

/**
 * The `roster` of an envelope (Rosters §6): hash of (member, manifest head) of all joined members, in
 * any order. A member must not occur twice.
 */
export function rosterHash(crypto: Crypto, pairs: readonly RosterPair[]): string {
  const sorted = pairs
    .map(({ member, head }) => [member, head] as const)
    .sort(([a], [b]) => (a < b ? -1 : 1))
  return toBase64Url(labelledHash(crypto, LABELS.roster, canonicalBytes(sorted)))
}

/** Canonical bytes; throws `EncodingError` where the header is not strict JSON. */
export function headerBytes(header: EnvelopeHeader | JsonObject): Uint8Array {
  // A header's optional fields are absent, never `undefined`; `canonicalBytes` would throw otherwise.
  return canonicalBytes(header as Json)
}
