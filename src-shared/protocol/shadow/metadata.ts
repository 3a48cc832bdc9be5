/**
 * Metadata of Shadow Rooms, sealed above the node's storage (Shadow Rooms §12): names, topics, members'
 * display data, under a key that travels in invitations and changes with every removal. Draft.
 *
 * A node sees that something is stored under an opaque type and state key, its padded size, by whom and
 * when. Which key is current, and who holds it, is the room's business.
 */
import * as z from 'zod'
import { requireLength } from '../crypto.ts'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  EncodingError,
  fromBase64Url,
  labelled,
  LABELS,
  parseJsonObject,
  roomIdSchema,
  toBase64Url,
  toHex,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { MAX_ENVELOPE_SIZE, paddedSize } from '../envelope/index.ts'
import type { Random } from '../prekeys/index.ts'

export const METADATA_KEY_BYTES = 32
const NO_SALT = new Uint8Array(32)

const generationSchema = z.int().min(0)

export type MetadataKey = {
  /** Counts from 0; one up with every removal. */
  readonly generation: number
  readonly key: string
}

export const metadataKeySchema: z.ZodType<MetadataKey> = z.object({
  generation: generationSchema,
  key: base64UrlSchema(METADATA_KEY_BYTES),
})

/** What an invitation hands over; it goes from device to device, never through a room's state. */
export const shadowInvitationSchema = z.looseObject({
  v: z.literal(1),
  room: roomIdSchema,
  metadata: metadataKeySchema,
})
export type ShadowInvitation = z.infer<typeof shadowInvitationSchema>

/** The body of a state envelope in a Shadow Room. */
export type SealedMetadata = {
  readonly generation: number
  /** 24 bytes. */
  readonly nonce: string
  readonly sealed: string
}

export const sealedMetadataSchema: z.ZodType<SealedMetadata> = z.looseObject({
  generation: generationSchema,
  nonce: base64UrlSchema(24),
  sealed: z.string().max(MAX_ENVELOPE_SIZE).pipe(base64UrlSchema()),
})

/** What is sealed: a state type and key as they would stand in a room without shadow. */
export type MetadataPlace = { readonly type: string; readonly state_key: string }

/** The first key of a room, or the one after `previous`. */
export function drawMetadataKey(random: Random, previous: MetadataKey | null): MetadataKey {
  const generation = previous === null ? 0 : previous.generation + 1
  return { generation, key: toBase64Url(random(METADATA_KEY_BYTES)) }
}

/** Type and state key as the node sees them. They change with the key, so nothing links generations. */
export function opaquePlace(
  crypto: Crypto,
  room: string,
  key: MetadataKey,
  { type, state_key }: MetadataPlace,
): MetadataPlace {
  const { names } = deriveKeys(crypto, room, key)
  const named = crypto.hmacSha256(names, labelled(LABELS.shadowType, canonicalBytes({ type })))
  const bytes = canonicalBytes({ type, state_key })
  const keyed = crypto.hmacSha256(names, labelled(LABELS.shadowStateKey, bytes))
  return { type: `x.${toHex(named.subarray(0, 16))}`, state_key: toBase64Url(keyed) }
}

/** `null` where the content is not JSON as the protocol has it, or too large. */
export function sealMetadata(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly room: string
  readonly key: MetadataKey
  readonly place: MetadataPlace
  readonly content: JsonObject
}): SealedMetadata | null {
  const { crypto, random, room, key, place, content } = options
  const plaintext = padded(content)
  if (plaintext === null) return null
  const nonce = random(24)
  const ad = metadataAd(room, key.generation, place)
  const { seal } = deriveKeys(crypto, room, key)
  const sealed = crypto.xchacha20Poly1305Seal(seal, nonce, plaintext, ad)
  return { generation: key.generation, nonce: toBase64Url(nonce), sealed: toBase64Url(sealed) }
}

export type OpenMetadataErrorCode =
  | 'malformed'
  /** Sealed under a key of another generation. */
  | 'other_generation'
  | 'undecipherable'
  | 'bad_content'

export function openMetadata(options: {
  readonly crypto: Crypto
  readonly room: string
  readonly key: MetadataKey
  readonly place: MetadataPlace
  /** Strict JSON as it arrived. */
  readonly sealed: JsonObject
}):
  | { readonly ok: true; readonly content: JsonObject }
  | { readonly ok: false; readonly code: OpenMetadataErrorCode } {
  const { crypto, room, key, place } = options
  const parsed = sealedMetadataSchema.safeParse(options.sealed)
  if (!parsed.success) return { ok: false, code: 'malformed' }
  const { generation, nonce, sealed } = parsed.data
  if (generation !== key.generation) return { ok: false, code: 'other_generation' }
  const { seal } = deriveKeys(crypto, room, key)
  const opened = crypto.xchacha20Poly1305Open(
    seal,
    fromBase64Url(nonce),
    fromBase64Url(sealed),
    metadataAd(room, generation, place),
  )
  if (opened === null) return { ok: false, code: 'undecipherable' }
  try {
    const value = parseJsonObject(opened, { maxBytes: MAX_ENVELOPE_SIZE, canonical: true })
    const { pad: _, ...content } = value
    return { ok: true, content }
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'bad_content' }
    throw error
  }
}

function padded(content: JsonObject): Uint8Array | null {
  try {
    const unpadded = canonicalBytes({ ...content, pad: '' })
    const size = paddedSize(unpadded.length)
    // Base64url, the header and the body's other fields have to fit beside it.
    if (size > MAX_ENVELOPE_SIZE / 2) return null
    return canonicalBytes({ ...content, pad: '0'.repeat(size - unpadded.length) })
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}

function metadataAd(
  room: string,
  generation: number,
  { type, state_key }: MetadataPlace,
): Uint8Array {
  return labelled(LABELS.shadowMetadata, canonicalBytes({ room, generation, type, state_key }))
}

function deriveKeys(
  crypto: Crypto,
  room: string,
  { generation, key }: MetadataKey,
): { readonly seal: Uint8Array; readonly names: Uint8Array } {
  const secret = fromBase64Url(key)
  requireLength(secret, METADATA_KEY_BYTES)
  const info = labelled(LABELS.shadowKeys, canonicalBytes({ room, generation }))
  const output = crypto.hkdfSha256(secret, NO_SALT, info, 64)
  return { seal: output.subarray(0, 32), names: output.subarray(32) }
}
