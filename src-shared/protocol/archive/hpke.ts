/**
 * HPKE (RFC 9180) in base mode, one message a time: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256,
 * ChaCha20-Poly1305. Composed from the `Crypto` port; its constants are the RFC's, not labels of ours.
 */
import { CryptoError, requireLength } from '../crypto.ts'
import type { Crypto } from '../crypto.ts'
import { concatBytes, toUtf8 } from '../encoding/index.ts'
import type { Random } from '../prekeys/index.ts'

const VERSION = toUtf8('HPKE-v1')
const KEM_SUITE = concatBytes(toUtf8('KEM'), Uint8Array.of(0, 0x20))
const SUITE = concatBytes(toUtf8('HPKE'), Uint8Array.of(0, 0x20, 0, 0x01, 0, 0x03))
const MODE_BASE = Uint8Array.of(0)
const EMPTY = new Uint8Array(0)

export interface HpkeMessage {
  /** The encapsulated key, 32 bytes. */
  readonly enc: Uint8Array
  readonly ciphertext: Uint8Array
}

/** Throws `CryptoError('low_order')` for a recipient key of low order. */
export function hpkeSeal(options: {
  readonly crypto: Crypto
  readonly random: Random
  /** The recipient's X25519 key. */
  readonly publicKey: Uint8Array
  readonly info: Uint8Array
  readonly ad: Uint8Array
  readonly plaintext: Uint8Array
}): HpkeMessage {
  const { crypto, random, publicKey, info, ad, plaintext } = options
  requireLength(publicKey, 32)
  const ephemeral = deriveSecretKey(crypto, random(32))
  const enc = crypto.x25519PublicKey(ephemeral)
  const shared = sharedSecret(crypto, crypto.x25519(ephemeral, publicKey), enc, publicKey)
  const { key, nonce } = keySchedule(crypto, shared, info)
  return { enc, ciphertext: crypto.chacha20Poly1305Seal(key, nonce, plaintext, ad) }
}

/** `null` where the message is not for this key, info and associated data. */
export function hpkeOpen(options: {
  readonly crypto: Crypto
  readonly secretKey: Uint8Array
  readonly info: Uint8Array
  readonly ad: Uint8Array
  readonly message: HpkeMessage
}): Uint8Array | null {
  const { crypto, secretKey, info, ad, message } = options
  if (message.enc.length !== 32) return null
  let agreed: Uint8Array
  try {
    agreed = crypto.x25519(secretKey, message.enc)
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'low_order') return null
    throw error
  }
  const shared = sharedSecret(crypto, agreed, message.enc, crypto.x25519PublicKey(secretKey))
  const { key, nonce } = keySchedule(crypto, shared, info)
  return crypto.chacha20Poly1305Open(key, nonce, message.ciphertext, ad)
}

/** §7.1.3 */
function deriveSecretKey(crypto: Crypto, ikm: Uint8Array): Uint8Array {
  const prk = labeledExtract(crypto, KEM_SUITE, EMPTY, 'dkp_prk', ikm)
  return labeledExpand(crypto, KEM_SUITE, prk, 'sk', EMPTY, 32)
}

/** §4.1 */
function sharedSecret(
  crypto: Crypto,
  agreed: Uint8Array,
  enc: Uint8Array,
  recipient: Uint8Array,
): Uint8Array {
  const prk = labeledExtract(crypto, KEM_SUITE, EMPTY, 'eae_prk', agreed)
  return labeledExpand(crypto, KEM_SUITE, prk, 'shared_secret', concatBytes(enc, recipient), 32)
}

/** §5.1, without a pre-shared key; the nonce is that of sequence number 0. */
function keySchedule(
  crypto: Crypto,
  shared: Uint8Array,
  info: Uint8Array,
): { readonly key: Uint8Array; readonly nonce: Uint8Array } {
  const context = concatBytes(
    MODE_BASE,
    labeledExtract(crypto, SUITE, EMPTY, 'psk_id_hash', EMPTY),
    labeledExtract(crypto, SUITE, EMPTY, 'info_hash', info),
  )
  const secret = labeledExtract(crypto, SUITE, shared, 'secret', EMPTY)
  return {
    key: labeledExpand(crypto, SUITE, secret, 'key', context, 32),
    nonce: labeledExpand(crypto, SUITE, secret, 'base_nonce', context, 12),
  }
}

function labeledExtract(
  crypto: Crypto,
  suite: Uint8Array,
  salt: Uint8Array,
  label: string,
  ikm: Uint8Array,
): Uint8Array {
  return crypto.hmacSha256(salt, concatBytes(VERSION, suite, toUtf8(label), ikm))
}

/** `length` is at most 32: one block of HKDF-Expand. */
function labeledExpand(
  crypto: Crypto,
  suite: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const labeled = concatBytes(Uint8Array.of(0, length), VERSION, suite, toUtf8(label), info)
  return crypto.hmacSha256(prk, concatBytes(labeled, Uint8Array.of(1))).subarray(0, length)
}
