/**
 * The STREAM construction over AES-256-GCM (Attachments §9; Hoang, Reyhanitabar, Rogaway, Vizár 2015): a
 * file in chunks of 64 KiB, each sealed by itself, so that any can be opened alone.
 *
 * A chunk's nonce is a prefix of the file, the chunk's number and whether it is the last one; so chunks
 * can be neither left out, swapped, cut off nor added. Key and prefix derive from the content key of the
 * message that names the file and from a salt that is drawn for every sealing. One salt must never seal
 * two different files: that would use a nonce twice, and AES-GCM forgives that less than anything.
 */
import { requireLength } from '../crypto.ts'
import type { Crypto } from '../crypto.ts'
import { concatBytes, labelled, LABELS } from '../encoding/index.ts'
import { CONTENT_KEY_BYTES } from '../envelope/index.ts'

/** Plaintext bytes of every chunk but the last. */
export const CHUNK_BYTES = 64 * 1024
/** Sealed bytes of every chunk but the last. */
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + 16
/** Plaintext bytes of one file: 2^24 chunks. */
export const MAX_ATTACHMENT_BYTES = 2 ** 40
export const ATTACHMENT_SALT_BYTES = 32

const TAG_BYTES = SEALED_CHUNK_BYTES - CHUNK_BYTES
const PREFIX_BYTES = 7
const AD = labelled(LABELS.attachmentChunk)
const INFO = labelled(LABELS.attachmentKey)

export type AttachmentErrorCode = 'too_large' | 'finished' | 'bad_chunk'

/** A promise of this folder that its caller has broken. */
export class AttachmentError extends Error {
  override readonly name = 'AttachmentError'
  readonly code: AttachmentErrorCode
  constructor(code: AttachmentErrorCode) {
    super(`attachment: ${code}`)
    this.code = code
  }
}

export interface AttachmentKey {
  /** 32 bytes. */
  readonly key: Uint8Array
  /** 7 bytes. */
  readonly prefix: Uint8Array
}

/** `salt`: 32 bytes, drawn for this one sealing. */
export function deriveAttachmentKey(
  crypto: Crypto,
  contentKey: Uint8Array,
  salt: Uint8Array,
): AttachmentKey {
  requireLength(contentKey, CONTENT_KEY_BYTES)
  requireLength(salt, ATTACHMENT_SALT_BYTES)
  const output = crypto.hkdfSha256(contentKey, salt, INFO, 32 + PREFIX_BYTES)
  return { key: output.subarray(0, 32), prefix: output.subarray(32) }
}

/** Chunks of a file of `size` plaintext bytes; an empty file has one, which is empty. */
export function chunkCount(size: number): number {
  return Math.max(1, Math.ceil(size / CHUNK_BYTES))
}

export function sealedSize(size: number): number {
  return size + chunkCount(size) * TAG_BYTES
}

/** Where the sealed chunk `index` lies among the sealed bytes of a file of `size` plaintext bytes. */
export function sealedRange(
  size: number,
  index: number,
): { readonly start: number; readonly end: number } {
  if (!isSize(size) || !Number.isInteger(index) || index < 0 || index >= chunkCount(size))
    throw new AttachmentError('bad_chunk')
  const start = index * SEALED_CHUNK_BYTES
  return { start, end: Math.min(start + SEALED_CHUNK_BYTES, sealedSize(size)) }
}

export function isSize(size: number): boolean {
  return Number.isInteger(size) && size >= 0 && size <= MAX_ATTACHMENT_BYTES
}

/** Throws `AttachmentError('bad_chunk')` for a number or a length that no file has at that place. */
export function sealChunk(
  crypto: Crypto,
  { key, prefix }: AttachmentKey,
  place: { readonly index: number; readonly last: boolean },
  plaintext: Uint8Array,
): Uint8Array {
  const { length } = plaintext
  const whole = length === CHUNK_BYTES
  const fits = place.last ? length <= CHUNK_BYTES && (length > 0 || place.index === 0) : whole
  if (!fits) throw new AttachmentError('bad_chunk')
  return crypto.aes256GcmSeal(key, nonceOf(prefix, place), plaintext, AD)
}

/** `null` unless `sealed` is the chunk `index` of a file of `size` plaintext bytes. */
export function openChunk(
  crypto: Crypto,
  { key, prefix }: AttachmentKey,
  size: number,
  index: number,
  sealed: Uint8Array,
): Uint8Array | null {
  const { start, end } = sealedRange(size, index)
  if (sealed.length !== end - start) return null
  const last = index === chunkCount(size) - 1
  return crypto.aes256GcmOpen(key, nonceOf(prefix, { index, last }), sealed, AD)
}

/** prefix (7) ‖ number (4, big-endian) ‖ 1 where it is the last chunk, else 0. */
function nonceOf(
  prefix: Uint8Array,
  { index, last }: { readonly index: number; readonly last: boolean },
): Uint8Array {
  if (!Number.isInteger(index) || index < 0 || index >= MAX_ATTACHMENT_BYTES / CHUNK_BYTES)
    throw new AttachmentError('bad_chunk')
  const tail = new Uint8Array(5)
  const view = new DataView(tail.buffer)
  view.setUint32(0, index)
  view.setUint8(4, last ? 1 : 0)
  return concatBytes(prefix, tail)
}
