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
import { bindingOf, CONTENT_KEY_BYTES, deriveContentKeys } from './content-key.ts'
import type { ContentKeys, HeaderBinding } from './content-key.ts'
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

/**
 * A header that was read once: its form is right, its canonical bytes and id are made. Verifying it, taking a
 * chain's key for it and opening it ask for the same, so whoever does more than one of these passes it on.
 */
class KnownHeader {
  readonly id: string
  readonly header: EnvelopeHeader
  readonly bytes: Uint8Array
  readonly #crypto: Crypto
  readonly #arrived: EnvelopeHeader | JsonObject
  #binding: HeaderBinding | null = null
  #last: { readonly contentKey: Uint8Array; readonly keys: ContentKeys } | null = null

  constructor(crypto: Crypto, header: EnvelopeHeader, { value, bytes }: Read) {
    this.#crypto = crypto
    this.#arrived = value
    this.id = envelopeIdOf(crypto, bytes)
    this.header = header
    this.bytes = bytes
  }

  /** `null` unless K is the key that the header commits to. */
  keysOf(contentKey: Uint8Array): ContentKeys | null {
    const { commit } = this.header
    if (commit === null || contentKey.length !== CONTENT_KEY_BYTES) return null
    const keys = this.#derive(contentKey)
    return this.#crypto.equal(keys.commit, fromBase64Url(commit)) ? keys : null
  }

  #derive(contentKey: Uint8Array): ContentKeys {
    if (this.#last !== null && this.#crypto.equal(this.#last.contentKey, contentKey))
      return this.#last.keys
    this.#binding ??= bindingOf(this.#crypto, this.#arrived)
    const keys = deriveContentKeys(this.#crypto, this.#binding, contentKey)
    this.#last = { contentKey: Uint8Array.from(contentKey), keys }
    return keys
  }
}
export type { KnownHeader }

/** Strict JSON that has been parsed already, canonical bytes, or what `readHeader` made of either. */
export type ArrivedHeader = EnvelopeHeader | JsonObject | Uint8Array | KnownHeader

export type HeaderErrorCode = 'bad_header' | 'too_large'

export type ReadHeader =
  | { readonly ok: true; readonly id: string; readonly known: KnownHeader }
  | { readonly ok: false; readonly code: HeaderErrorCode }

export function readHeader(crypto: Crypto, arrived: ArrivedHeader): ReadHeader {
  if (arrived instanceof KnownHeader) return { ok: true, id: arrived.id, known: arrived }
  try {
    const read = arrived instanceof Uint8Array ? fromBytes(arrived) : fromValue(arrived)
    if (read === null) return { ok: false, code: 'too_large' }
    const parsed = envelopeHeaderSchema.safeParse(read.value)
    if (!parsed.success) return { ok: false, code: 'bad_header' }
    const known = new KnownHeader(crypto, parsed.data, read)
    return { ok: true, id: known.id, known }
  } catch (error) {
    if (error instanceof EncodingError) return { ok: false, code: 'bad_header' }
    throw error
  }
}

/** For a header that has passed its schema already; throws `EncodingError` where it is not strict JSON. */
export function knownHeader(crypto: Crypto, header: EnvelopeHeader): KnownHeader {
  return new KnownHeader(crypto, header, { value: header, bytes: headerBytes(header) })
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
  | {
      readonly ok: true
      readonly id: string
      readonly header: EnvelopeHeader
      /** For `takeContentKey` and `openEnvelope`. */
      readonly known: KnownHeader
    }
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
  const { known } = read
  const { id, header, bytes } = known
  const good =
    header.device !== null &&
    isBase64Url(sig, 64) &&
    verifyLabelled(crypto, ed25519, LABELS.envelopeSignature, bytes, fromBase64Url(sig))
  if (!good) return { ok: false, code: 'bad_signature' }
  return { ok: true, id, header, known }
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
  const { header, id } = read.known
  if (header.commit === null) return { ok: false, code: 'wrong_transport' }
  const keys = read.known.keysOf(contentKey)
  if (keys === null) return { ok: false, code: 'wrong_commitment' }
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
  const { header, id } = read.known
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
  | { readonly ok: true; readonly known: KnownHeader }
  | { readonly ok: false; readonly code: BodyErrorCode } {
  const read = readHeader(crypto, arrived)
  if (!read.ok) return read
  const { header, bytes } = read.known
  if (header.suite !== ENVELOPE_SUITE) return { ok: false, code: 'unsupported_suite' }
  if (bytes.length + body.length > MAX_ENVELOPE_SIZE) return { ok: false, code: 'too_large' }
  if (bodyHash(crypto, body) !== header.body_hash) return { ok: false, code: 'wrong_body' }
  return { ok: true, known: read.known }
}
