/**
 * Sealing and opening a file as its bytes pass by (Attachments §9), whatever the pieces they come in.
 *
 * Both are resumable. An upload goes on from a checkpoint after the source has been read again and was
 * found unchanged; a download goes on once the sealed bytes that were kept have been pushed again. What
 * an opener hands out is authentic, but it is the whole file only after `finish` has said so.
 */
import type { Crypto, Sha256Stream } from '../crypto.ts'
import { concatBytes, fromBase64Url, toBase64Url } from '../encoding/index.ts'
import type { Random } from '../prekeys/index.ts'
import {
  ATTACHMENT_SALT_BYTES,
  AttachmentError,
  CHUNK_BYTES,
  chunkCount,
  deriveAttachmentKey,
  isSize,
  MAX_ATTACHMENT_BYTES,
  openChunk,
  sealChunk,
  sealedRange,
  sealedSize,
} from './attachment-chunk.ts'
import type { AttachmentKey } from './attachment-chunk.ts'

/** What a message says of the bytes of a file; the rest of an attachment is for people and nodes. */
export type AttachmentSecret = {
  readonly salt: string
  /** SHA-256 of the sealed bytes. */
  readonly digest: string
  /** Bytes of the plaintext. */
  readonly size: number
}

/** What may have left of an upload. */
export type UploadCheckpoint = {
  /** Sealed chunks that were handed out. */
  readonly chunks: number
  /** SHA-256 of them. */
  readonly digest: string
}

export type SealedPiece =
  | { readonly ok: true; readonly chunks: readonly Uint8Array[] }
  /** The source is not what it was when the upload began: start over with a new salt. */
  | { readonly ok: false; readonly code: 'source_changed' }

const NOTHING_LEFT: UploadCheckpoint = { chunks: 0, digest: '' }

/** A new salt for `AttachmentSealer`; keep it with the upload. */
export function drawAttachmentSalt(random: Random): string {
  return toBase64Url(random(ATTACHMENT_SALT_BYTES))
}

/** Plaintext in, sealed chunks out. */
export class AttachmentSealer {
  readonly #crypto: Crypto
  readonly #key: AttachmentKey
  readonly #salt: string
  readonly #hash: Sha256Stream
  readonly #before: UploadCheckpoint
  readonly #arrived: number
  /** Chunks that must leave again, but not before the source has proved unchanged. */
  #held: Uint8Array[] = []
  readonly #buffer = new ChunkBuffer(CHUNK_BYTES)
  #index = 0
  #size = 0
  #state: 'open' | 'finished' | 'source_changed' = 'open'

  /**
   * `salt` from `drawAttachmentSalt`: a new one, or that of the upload which is gone on with. For that,
   * `resumed` is its last checkpoint and `arrived` the number of sealed chunks that need not leave again;
   * the source is pushed from its beginning.
   */
  constructor(options: {
    readonly crypto: Crypto
    readonly contentKey: Uint8Array
    readonly salt: string
    readonly resumed?: UploadCheckpoint
    readonly arrived?: number
  }) {
    const { crypto, contentKey, salt, resumed = NOTHING_LEFT, arrived = 0 } = options
    this.#crypto = crypto
    this.#key = deriveAttachmentKey(crypto, contentKey, fromBase64Url(salt))
    this.#salt = salt
    this.#hash = crypto.sha256Stream()
    this.#before = resumed
    this.#arrived = arrived
  }

  /** The chunks that are complete now and have not arrived. */
  push(bytes: Uint8Array): SealedPiece {
    if (this.#state === 'source_changed') return { ok: false, code: 'source_changed' }
    if (this.#state === 'finished') throw new AttachmentError('finished')
    this.#size += bytes.length
    if (this.#size > MAX_ATTACHMENT_BYTES) throw new AttachmentError('too_large')
    // The chunk that is complete last may be the file's last one, which is sealed differently.
    return this.#seal(this.#buffer.take(bytes), false)
  }

  /** The last chunk, and what the message has to say. */
  finish(): SealedPiece & { readonly secret?: AttachmentSecret } {
    if (this.#state === 'source_changed') return { ok: false, code: 'source_changed' }
    if (this.#state === 'finished') throw new AttachmentError('finished')
    const piece = this.#seal([this.#buffer.rest()], true)
    if (!piece.ok) return piece
    // The source has become shorter than what was uploaded of it.
    if (this.#index < this.#before.chunks) return this.#changed()
    this.#state = 'finished'
    return {
      ...piece,
      secret: { salt: this.#salt, digest: this.#digest(), size: this.#size },
    }
  }

  /** To be committed before the chunks that were handed out so far leave. */
  checkpoint(): UploadCheckpoint {
    return { chunks: this.#index, digest: this.#digest() }
  }

  #seal(chunks: readonly Uint8Array[], last: boolean): SealedPiece {
    const sealed: Uint8Array[] = []
    for (const chunk of chunks) {
      const place = { index: this.#index, last }
      const one = sealChunk(this.#crypto, this.#key, place, chunk)
      this.#hash.update(one)
      this.#index += 1
      if (this.#index > this.#arrived) this.#held.push(one)
      if (this.#index < this.#before.chunks) continue
      // Nothing made from a changed source may leave: its chunks would reuse the nonces of the old ones.
      if (this.#index === this.#before.chunks && this.#before.digest !== this.#digest())
        return this.#changed()
      sealed.push(...this.#held.splice(0))
    }
    return { ok: true, chunks: sealed }
  }

  #digest(): string {
    return toBase64Url(this.#hash.digest())
  }

  #changed(): SealedPiece {
    this.#held = []
    this.#state = 'source_changed'
    return { ok: false, code: 'source_changed' }
  }
}

export type OpenAttachmentErrorCode =
  /** A chunk is not what was sealed there: changed, swapped, cut off. */
  | 'undecipherable'
  /** More bytes than the message says. */
  | 'too_long'
  /** Fewer bytes than the message says. */
  | 'truncated'
  /** Authentic chunks, but not the bytes that the message names. */
  | 'wrong_digest'
  /** A length that no file may have. */
  | 'too_large'

export type OpenedPiece =
  | { readonly ok: true; readonly plaintext: readonly Uint8Array[] }
  | { readonly ok: false; readonly code: OpenAttachmentErrorCode }

/** Sealed bytes in, plaintext out. After a failure everything further fails the same way. */
export class AttachmentOpener {
  readonly #crypto: Crypto
  readonly #key: AttachmentKey
  readonly #secret: AttachmentSecret
  readonly #hash: Sha256Stream
  readonly #buffer: ChunkBuffer
  #index = 0
  #received = 0
  #failed: OpenAttachmentErrorCode | null = null

  /** `secret` has passed the content's schema. */
  constructor(options: {
    readonly crypto: Crypto
    readonly contentKey: Uint8Array
    readonly secret: AttachmentSecret
  }) {
    const { crypto, contentKey, secret } = options
    this.#crypto = crypto
    this.#key = deriveAttachmentKey(crypto, contentKey, fromBase64Url(secret.salt))
    this.#secret = secret
    this.#hash = crypto.sha256Stream()
    this.#buffer = new ChunkBuffer(sealedRange(CHUNK_BYTES, 0).end)
    if (!isSize(secret.size)) this.#failed = 'too_large'
  }

  /** Sealed bytes so far: where a download that broke off goes on. */
  get received(): number {
    return this.#received
  }

  push(bytes: Uint8Array): OpenedPiece {
    if (this.#failed !== null) return this.#fail(this.#failed)
    this.#received += bytes.length
    if (this.#received > sealedSize(this.#secret.size)) return this.#fail('too_long')
    this.#hash.update(bytes)
    return this.#open(this.#buffer.take(bytes))
  }

  /** The last of the plaintext; only now is it known to be the file that the message names. */
  finish(): OpenedPiece {
    if (this.#failed !== null) return this.#fail(this.#failed)
    if (this.#received < sealedSize(this.#secret.size)) return this.#fail('truncated')
    const piece = this.#open([this.#buffer.rest()])
    if (!piece.ok) return piece
    const digest = fromBase64Url(this.#secret.digest)
    if (!this.#crypto.equal(this.#hash.digest(), digest)) return this.#fail('wrong_digest')
    return piece
  }

  #open(chunks: readonly Uint8Array[]): OpenedPiece {
    const plaintext: Uint8Array[] = []
    for (const chunk of chunks) {
      const { size } = this.#secret
      if (this.#index >= chunkCount(size)) break
      const opened = openChunk(this.#crypto, this.#key, size, this.#index, chunk)
      if (opened === null) return this.#fail('undecipherable')
      plaintext.push(opened)
      this.#index += 1
    }
    return { ok: true, plaintext }
  }

  #fail(code: OpenAttachmentErrorCode): OpenedPiece {
    this.#failed = code
    return { ok: false, code }
  }
}

/** Pieces of any length in, whole chunks out; the last chunk, whole or not, stays until `rest`. */
class ChunkBuffer {
  readonly #kept: Uint8Array
  #length = 0

  constructor(chunkBytes: number) {
    this.#kept = new Uint8Array(chunkBytes)
  }

  take(bytes: Uint8Array): readonly Uint8Array[] {
    const size = this.#kept.length
    const chunks: Uint8Array[] = []
    let at = 0
    // A chunk leaves only when there is a byte beyond it: until then it may be the last one.
    while (this.#length + bytes.length - at > size) {
      const missing = size - this.#length
      if (missing === size) chunks.push(bytes.subarray(at, at + size))
      else {
        this.#kept.set(bytes.subarray(at, at + missing), this.#length)
        chunks.push(this.#kept.slice())
      }
      at += missing
      this.#length = 0
    }
    this.#kept.set(bytes.subarray(at), this.#length)
    this.#length += bytes.length - at
    return chunks
  }

  rest(): Uint8Array {
    const rest = this.#kept.slice(0, this.#length)
    this.#length = 0
    return rest
  }
}

/** Seals what is in memory as a whole: a thumbnail, a short voice message. */
export function sealAttachment(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly contentKey: Uint8Array
  readonly bytes: Uint8Array
}): { readonly sealed: Uint8Array; readonly secret: AttachmentSecret } {
  const { crypto, random, contentKey, bytes } = options
  const sealer = new AttachmentSealer({ crypto, contentKey, salt: drawAttachmentSalt(random) })
  const pushed = sealer.push(bytes)
  const finished = sealer.finish()
  if (!pushed.ok || !finished.ok || finished.secret === undefined)
    throw new AttachmentError('finished')
  return { sealed: concatBytes(...pushed.chunks, ...finished.chunks), secret: finished.secret }
}

/** As `sealAttachment`, backwards. */
export function openAttachment(options: {
  readonly crypto: Crypto
  readonly contentKey: Uint8Array
  readonly secret: AttachmentSecret
  readonly sealed: Uint8Array
}):
  | { readonly ok: true; readonly bytes: Uint8Array }
  | { readonly ok: false; readonly code: OpenAttachmentErrorCode } {
  const opener = new AttachmentOpener(options)
  const pushed = opener.push(options.sealed)
  if (!pushed.ok) return pushed
  const finished = opener.finish()
  if (!finished.ok) return finished
  return { ok: true, bytes: concatBytes(...pushed.plaintext, ...finished.plaintext) }
}
