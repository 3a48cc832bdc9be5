/**
 * Segments of the archive (Recovery §10): content keys, sealed under an epoch's key, in the lane of the
 * device that archived them.
 *
 * Each segment is signed, names the one before it in its lane, and the heads of the other lanes as its
 * maker knew them: what a node leaves out, another lane tells. Keys of messages that disappear never get
 * here.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  EncodingError,
  fingerprintSchema,
  fromBase64Url,
  jsonSchema,
  labelled,
  labelledHash,
  LABELS,
  parseJsonObject,
  signLabelled,
  toBase64Url,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { contentKeyRecordSchema, paddedSize } from '../envelope/index.ts'
import type { ContentKeyRecord, EnvelopeHeader, MessageContent } from '../envelope/index.ts'
import type { LocalDevice, Random } from '../prekeys/index.ts'
import { isSortedByDevice, laneHeadSchema } from './archive-epoch.ts'
import type { EpochKey, LaneHead } from './archive-epoch.ts'

export const MAX_SEGMENT_RECORDS = 128
/** Canonical bytes of one segment, its signature not counted. */
export const MAX_SEGMENT_BYTES = 192 * 1024
const NO_SALT = new Uint8Array(32)

export const archiveSegmentSchema = z.looseObject({
  v: z.literal(1),
  account: fingerprintSchema,
  device: deviceIdSchema,
  /** Counts from 0 in each lane. */
  n: z.int().nonnegative(),
  /** Hash of the segment before it in its lane. */
  prev: base64UrlSchema(32).nullable(),
  epoch: z.int().min(0).max(1023),
  /** 16 random bytes: no two segments have one key, even where a device has forgotten the first. */
  nonce: base64UrlSchema(16),
  /** The other lanes, in order of their devices' ids. */
  heads: z.array(laneHeadSchema).max(1024).refine(isSortedByDevice, 'bad order'),
  sealed: base64UrlSchema(),
})
export type ArchiveSegment = z.infer<typeof archiveSegmentSchema>

export const signedSegmentSchema = z.object({
  segment: z.record(z.string(), jsonSchema),
  sig: base64UrlSchema(64),
})
export interface SignedSegment {
  readonly segment: JsonObject
  readonly sig: string
}

/** What a segment seals. */
export const archiveRecordsSchema = z.looseObject({
  records: z.array(contentKeyRecordSchema).max(MAX_SEGMENT_RECORDS),
})

/**
 * What of an opened message goes into the archive; `null` for one that disappears, whether the header or
 * only its content says so.
 */
export function archiveRecord(options: {
  readonly id: string
  readonly header: EnvelopeHeader
  readonly content: MessageContent
  readonly contentKey: Uint8Array
}): ContentKeyRecord | null {
  const { id, header, content, contentKey } = options
  if (header.expires_at !== undefined || content.expires_at !== undefined) return null
  return { envelope: id, room: header.room, K: toBase64Url(contentKey) }
}

export type SealSegmentErrorCode = 'no_records' | 'too_many_records' | 'bad_records'

/** The next segment of this device's lane; `last` is its head, `null` for the first. */
export function sealSegment(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly local: LocalDevice
  readonly key: EpochKey
  readonly last: LaneHead | null
  /** All lanes that this device has seen; its own is left out. */
  readonly lanes: readonly LaneHead[]
  readonly records: readonly ContentKeyRecord[]
}):
  | { readonly ok: true; readonly signed: SignedSegment; readonly head: LaneHead }
  | { readonly ok: false; readonly code: SealSegmentErrorCode } {
  const { crypto, random, local, key, last, records } = options
  if (records.length === 0) return { ok: false, code: 'no_records' }
  if (records.length > MAX_SEGMENT_RECORDS) return { ok: false, code: 'too_many_records' }
  const plaintext = encodeRecords(records)
  if (plaintext === null) return { ok: false, code: 'bad_records' }
  const n = last?.count ?? 0
  const bare = {
    v: 1,
    account: local.member,
    device: local.device,
    n,
    prev: last?.head ?? null,
    epoch: key.epoch,
    nonce: toBase64Url(random(16)),
    heads: options.lanes
      .filter(({ device }) => device !== local.device)
      .map(({ device, count, head }) => ({ device, count, head }))
      .sort((a, b) => (a.device < b.device ? -1 : 1)),
  } as const
  const keys = segmentKeys(crypto, bare, key.key)
  const sealed = crypto.chacha20Poly1305Seal(keys.key, keys.nonce, plaintext, keys.ad)
  const segment: JsonObject = { ...bare, sealed: toBase64Url(sealed) }
  const bytes = canonicalBytes(segment)
  const sig = signLabelled(crypto, local.ed25519Secret, LABELS.archiveSegmentSignature, bytes)
  const head = { device: local.device, count: n + 1, head: segmentHash(crypto, bytes) }
  return { ok: true, signed: { segment, sig: toBase64Url(sig) }, head }
}

export type OpenSegmentErrorCode = 'malformed' | 'wrong_epoch' | 'undecipherable' | 'bad_records'

/** Reads what a segment holds; whether it belongs into its lane is for `extendLane`. */
export function openSegment(
  crypto: Crypto,
  key: EpochKey,
  segment: JsonObject,
):
  | { readonly ok: true; readonly records: readonly ContentKeyRecord[] }
  | { readonly ok: false; readonly code: OpenSegmentErrorCode } {
  const parsed = archiveSegmentSchema.safeParse(segment)
  if (!parsed.success) return { ok: false, code: 'malformed' }
  if (parsed.data.epoch !== key.epoch) return { ok: false, code: 'wrong_epoch' }
  const { sealed: _, ...bare } = segment
  let keys: ReturnType<typeof segmentKeys>
  try {
    keys = segmentKeys(crypto, bare, key.key)
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'malformed' }
    throw error
  }
  const opened = crypto.chacha20Poly1305Open(
    keys.key,
    keys.nonce,
    fromBase64Url(parsed.data.sealed),
    keys.ad,
  )
  if (opened === null) return { ok: false, code: 'undecipherable' }
  const records = decodeRecords(opened)
  return records === null ? { ok: false, code: 'bad_records' } : { ok: true, records }
}

/** Of the canonical bytes; 43 characters. */
export function segmentHash(crypto: Crypto, bytes: Uint8Array): string {
  return toBase64Url(labelledHash(crypto, LABELS.archiveSegment, bytes))
}

/** Bound to everything in the segment but the sealed records themselves. */
function segmentKeys(
  crypto: Crypto,
  bare: JsonObject,
  key: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array; readonly ad: Uint8Array } {
  const bytes = canonicalBytes(bare)
  const hash = labelledHash(crypto, LABELS.archiveSegmentHeader, bytes)
  const output = crypto.hkdfSha256(key, NO_SALT, labelled(LABELS.archiveRecord, hash), 44)
  const ad = labelled(LABELS.archiveSegmentHeader, bytes)
  return { key: output.subarray(0, 32), nonce: output.subarray(32), ad }
}

/** Padded, so that a segment's size does not count its records. */
function encodeRecords(records: readonly ContentKeyRecord[]): Uint8Array | null {
  if (!archiveRecordsSchema.safeParse({ records }).success) return null
  const plain = records.map(({ envelope, room, K }) => ({ K, envelope, room }))
  const unpadded = canonicalBytes({ records: plain, pad: '' })
  const missing = paddedSize(unpadded.length) - unpadded.length
  return canonicalBytes({ records: plain, pad: '0'.repeat(missing) })
}

function decodeRecords(bytes: Uint8Array): readonly ContentKeyRecord[] | null {
  try {
    const value = parseJsonObject(bytes, { maxBytes: MAX_SEGMENT_BYTES, canonical: true })
    return archiveRecordsSchema.safeParse(value).data?.records ?? null
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}
