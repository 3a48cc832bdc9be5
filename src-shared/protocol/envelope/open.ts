/**
 * Verifying and opening envelopes (Two objects §5).
 *
 * Headers come as the strict JSON that arrived, or as its bytes; ids and signatures are computed over
 * exactly that. Opening does not verify the signature: both are asked for, by their own functions.
 */
import type { Crypto } from '../crypto.ts'
import {
  EncodingError,
  fromBase64Url,
  isBase64Url,
  LABELS,
  parseJsonObject,
  verifyLabelled,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { CONTENT_KEY_BYTES, deriveContentKeys } from './content-key.ts'
import {
  bodyHash,
  ENVELOPE_SUITE,
  envelopeHeaderSchema,
  envelopeIdOf,
  headerBytes,
  MAX_ENVELOPE_SIZE,
} from './header.ts'
import type { EnvelopeHeader } from './header.ts'
import { decodeContent } from './message-content.ts'
import type { MessageContent } from './message-content.ts'

/** Strict JSON that has been parsed already, or canonical bytes. */
export type ArrivedHeader = EnvelopeHeader | JsonObject | Uint8Array

export type HeaderErrorCode = 'bad_header' | 'too_large'

export type ReadHeader =
  | {
      readonly ok: true
      readonly id: string
      readonly header: EnvelopeHeader
      readonly bytes: Uint8Array
    }
  | { readonly ok: false; readonly code: HeaderErrorCode }

export function readHeader(crypto: Crypto, arrived: ArrivedHeader): ReadHeader {
  try {
    const read = arrived instanceof Uint8Array ? fromBytes(arrived) : fromValue(arrived)
    if (read === null) return { ok: false, code: 'too_large' }
    const parsed = envelopeHeaderSchema.safeParse(read.value)
    if (!parsed.success) return { ok: false, code: 'bad_header' }
    const { bytes } = read
    return { ok: true, id: envelopeIdOf(crypto, bytes), header: parsed.data, bytes }
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'bad_header' }
    throw error
  }
}

type Read = { readonly value: EnvelopeHeader | JsonObject; readonly bytes: Uint8Array }

/** `null` where it is too large. */
function fromBytes(bytes: Uint8Array): Read | null {
  if (bytes.length > MAX_ENVELOPE_SIZE) return null
  const value = parseJsonObject(bytes, { maxBytes: MAX_ENVELOPE_SIZE, canonical: true })
  return { value, bytes }
}

/** Writing the canonical form refuses everything that parsing it would. */
function fromValue(value: EnvelopeHeader | JsonObject): Read | null {
  const bytes = headerBytes(value)
  return bytes.length > MAX_ENVELOPE_SIZE ? null : { value, bytes }
}

export type VerifyResult =
  | { readonly ok: true; readonly id: string; readonly header: EnvelopeHeader }
  | { readonly ok: false; readonly code: HeaderErrorCode | 'bad_signature' }

/** `ed25519` is the key of the device that the header names, as its manifest or roster states it. */
export function verifyEnvelope(
  crypto: Crypto,
  arrived: ArrivedHeader,
  sig: string,
  ed25519: Uint8Array,
): VerifyResult {
  const read = readHeader(crypto, arrived)
  if (!read.ok) return read
  const good =
    read.header.device !== null &&
    isBase64Url(sig, 64) &&
    verifyLabelled(crypto, ed25519, LABELS.envelopeSignature, read.bytes, fromBase64Url(sig))
  if (!good) return { ok: false, code: 'bad_signature' }
  return { ok: true, id: read.id, header: read.header }
}

export type OpenErrorCode =
  | HeaderErrorCode
  /** Clear where it should be encrypted, or the other way round. */
  | 'wrong_transport'
  | 'unsupported_suite'
  /** K is not the key the sender committed to. */
  | 'wrong_commitment'
  /** Not the body that the header names. */
  | 'wrong_body'
  | 'undecipherable'
  | 'bad_content'

export type Opened<T> =
  | { readonly ok: true; readonly id: string; readonly header: EnvelopeHeader; readonly content: T }
  | { readonly ok: false; readonly code: OpenErrorCode }

/** Opens an encrypted body; the commitment is checked before anything is decrypted. */
export function openEnvelope(options: {
  readonly crypto: Crypto
  readonly header: ArrivedHeader
  readonly body: Uint8Array
  readonly contentKey: Uint8Array
}): Opened<MessageContent> {
  const { crypto, body, contentKey } = options
  const read = readBody(crypto, options.header, body)
  if (!read.ok) return read
  const { header, id } = read
  if (header.commit === null) return { ok: false, code: 'wrong_transport' }
  if (contentKey.length !== CONTENT_KEY_BYTES) return { ok: false, code: 'wrong_commitment' }
  const keys = deriveContentKeys(crypto, header, contentKey)
  if (!crypto.equal(keys.commit, fromBase64Url(header.commit)))
    return { ok: false, code: 'wrong_commitment' }
  const plaintext = crypto.chacha20Poly1305Open(keys.key, keys.nonce, body, keys.ad)
  if (plaintext === null) return { ok: false, code: 'undecipherable' }
  const content = decodeContent(plaintext)
  return content === null ? { ok: false, code: 'bad_content' } : { ok: true, id, header, content }
}

/** Reads a clear body: state and redactions. What its fields mean is for its type's schema. */
export function openClearEnvelope(options: {
  readonly crypto: Crypto
  readonly header: ArrivedHeader
  readonly body: Uint8Array
}): Opened<JsonObject> {
  const read = readBody(options.crypto, options.header, options.body)
  if (!read.ok) return read
  const { header, id } = read
  if (header.transport !== 'clear') return { ok: false, code: 'wrong_transport' }
  try {
    const content = parseJsonObject(options.body, { maxBytes: MAX_ENVELOPE_SIZE, canonical: true })
    return { ok: true, id, header, content }
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'bad_content' }
    throw error
  }
}

type BodyErrorCode = HeaderErrorCode | 'unsupported_suite' | 'wrong_body'

function readBody(
  crypto: Crypto,
  arrived: ArrivedHeader,
  body: Uint8Array,
):
  | { readonly ok: true; readonly id: string; readonly header: EnvelopeHeader }
  | { readonly ok: false; readonly code: BodyErrorCode } {
  const read = readHeader(crypto, arrived)
  if (!read.ok) return read
  if (read.header.suite !== ENVELOPE_SUITE) return { ok: false, code: 'unsupported_suite' }
  if (read.bytes.length + body.length > MAX_ENVELOPE_SIZE) return { ok: false, code: 'too_large' }
  if (bodyHash(crypto, body) !== read.header.body_hash) return { ok: false, code: 'wrong_body' }
  return { ok: true, id: read.id, header: read.header }
}
