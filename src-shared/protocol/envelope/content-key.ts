/**
 * The content key K of one message and its commitment (Two objects §5).
 *
 * ChaCha20-Poly1305 is not key-committing: a sender could make one ciphertext that opens to different
 * messages under different keys. The commitment in the signed header rules that out, so it is checked
 * before every decryption, whatever way K came.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  EncodingError,
  envelopeIdSchema,
  fromBase64Url,
  isBase64Url,
  labelled,
  LABELS,
  roomIdSchema,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { headerBytes } from './header.ts'
import type { EnvelopeHeader } from './header.ts'

export const CONTENT_KEY_BYTES = 32
const NO_SALT = new Uint8Array(32)

/** A content key as it is kept and as the archive will hold it (Archive §10). */
export const contentKeyRecordSchema = z.object({
  envelope: envelopeIdSchema,
  room: roomIdSchema,
  K: base64UrlSchema(CONTENT_KEY_BYTES),
  /** Archive epoch under which it was sealed. */
  epoch: z.int().nonnegative().exactOptional(),
})
export type ContentKeyRecord = z.infer<typeof contentKeyRecordSchema>

/** A header before the body is there. */
export type BareHeader = Omit<EnvelopeHeader, 'commit' | 'body_hash'>

/** What seals and opens the body, and the commitment; all bound to the header by its hash. */
export interface ContentKeys {
  readonly commit: Uint8Array
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  /** Associated data of the body: the header without `commit` and `body_hash`. */
  readonly ad: Uint8Array
}

/** What of a header a content key is bound to. */
export interface HeaderBinding {
  readonly hash: Uint8Array
  readonly ad: Uint8Array
}

/** `header` may carry `commit` and `body_hash` or not; they are left out. */
export function bindingOf(
  crypto: Crypto,
  header: EnvelopeHeader | BareHeader | JsonObject,
): HeaderBinding {
  const { commit: _commit, body_hash: _hash, ...bare } = header as EnvelopeHeader
  const bytes = headerBytes(bare as JsonObject)
  // The labelled bytes are hashed, and are the body's associated data.
  const ad = labelled(LABELS.envelopeHeader, bytes)
  return { hash: crypto.sha256(ad), ad }
}

export function deriveContentKeys(
  crypto: Crypto,
  { hash, ad }: HeaderBinding,
  contentKey: Uint8Array,
): ContentKeys {
  const output = crypto.hkdfSha256(contentKey, NO_SALT, labelled(LABELS.contentKey, hash), 44)
  return {
    commit: crypto.hkdfSha256(contentKey, NO_SALT, labelled(LABELS.commit, hash), 32),
    key: output.slice(0, 32),
    nonce: output.slice(32),
    ad,
  }
}

/** For keys from the archive, an answer or sharing: whether K is the key of this envelope. */
export function checkContentKey(
  crypto: Crypto,
  header: EnvelopeHeader | JsonObject,
  contentKey: Uint8Array,
): boolean {
  const { commit } = header
  if (typeof commit !== 'string' || !isBase64Url(commit, 32)) return false
  if (contentKey.length !== CONTENT_KEY_BYTES) return false
  try {
    const keys = deriveContentKeys(crypto, bindingOf(crypto, header), contentKey)
    return crypto.equal(keys.commit, fromBase64Url(commit))
  } catch (error) {
    // A header that JSON can't say is nobody's.
    if (error instanceof EncodingError) return false
    throw error
  }
}
