/**
 * The Crypto port: every primitive the protocol composes, as synchronous pure functions.
 *
 * The protocol never picks an implementation: an adapter arrives as an argument (`createNobleCrypto`
 * here, `createNativeCrypto` in src-platform) and both must pass the same fixtures. Randomness and
 * time are not part of it; they arrive as arguments of their own (but see `mlKem768Encapsulate`).
 */

/** Ciphertext followed by its 16-byte tag. */
export type Sealed = Uint8Array

export interface KemKeyPair {
  /** 1,184 bytes. */
  publicKey: Uint8Array
  /** 2,400 bytes. */
  secretKey: Uint8Array
}

export interface Sha256Stream {
  update(data: Uint8Array): void
  /** Of everything so far, 32 bytes; `update` may go on afterwards. */
  digest(): Uint8Array
}

export interface Crypto {
  readonly name: string
  /** 32 bytes. */
  sha256(data: Uint8Array): Uint8Array
  /** For what does not fit into memory. */
  sha256Stream(): Sha256Stream
  /** RFC 2104 with SHA-256; 32 bytes. */
  hmacSha256(key: Uint8Array, data: Uint8Array): Uint8Array
  /** RFC 5869 extract and expand; `length` in bytes, at most 8,160. */
  hkdfSha256(ikm: Uint8Array, salt: Uint8Array, info: Uint8Array, length: number): Uint8Array

  /** RFC 8032; `secret` is the 32-byte seed. */
  ed25519PublicKey(secret: Uint8Array): Uint8Array
  ed25519Sign(secret: Uint8Array, message: Uint8Array): Uint8Array
  /** Cofactorless (Encoding §1): bytewise comparison of R. Malformed input is `false`, never a throw. */
  ed25519Verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean
  /** Canonical encoding, not of small order, torsion-free. Asked once, when a key is admitted. */
  ed25519IsAdmissible(publicKey: Uint8Array): boolean

  /** RFC 7748; `secret` is 32 bytes, clamped by the function. */
  x25519PublicKey(secret: Uint8Array): Uint8Array
  /** Throws `CryptoError('low_order')` where the shared secret is all zero. */
  x25519(secret: Uint8Array, publicKey: Uint8Array): Uint8Array

  /** RFC 8439; 32-byte key, 12-byte nonce. */
  chacha20Poly1305Seal(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
  ): Sealed
  /** `null` where the tag does not verify or the input is too short. */
  chacha20Poly1305Open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Sealed,
    ad: Uint8Array,
  ): Uint8Array | null
  /** 32-byte key, 24-byte nonce. */
  xchacha20Poly1305Seal(
    key: Uint8Array,
    nonce: Uint8Array,
    plaintext: Uint8Array,
    ad: Uint8Array,
  ): Sealed
  xchacha20Poly1305Open(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Sealed,
    ad: Uint8Array,
  ): Uint8Array | null
  /** NIST SP 800-38D; 32-byte key, 12-byte nonce. */
  aes256GcmSeal(key: Uint8Array, nonce: Uint8Array, plaintext: Uint8Array, ad: Uint8Array): Sealed
  aes256GcmOpen(
    key: Uint8Array,
    nonce: Uint8Array,
    sealed: Sealed,
    ad: Uint8Array,
  ): Uint8Array | null

  /** FIPS 203 from a 64-byte seed (d ‖ z). */
  mlKem768KeyPair(seed: Uint8Array): KemKeyPair
  /**
   * FIPS 203; `random(32)` gives the message m. An adapter over a library that draws m itself never asks
   * for it: as good in production, only no run over it can be replayed.
   */
  mlKem768Encapsulate(
    publicKey: Uint8Array,
    random: (length: number) => Uint8Array,
  ): { ciphertext: Uint8Array; sharedSecret: Uint8Array }
  mlKem768Decapsulate(secretKey: Uint8Array, ciphertext: Uint8Array): Uint8Array

  /** Constant-time comparison; `false` for unequal lengths. */
  equal(a: Uint8Array, b: Uint8Array): boolean
}

export type CryptoErrorCode = 'low_order' | 'bad_length' | 'bad_key' | 'self_test_failed'

export class CryptoError extends Error {
  override readonly name = 'CryptoError'
  readonly code: CryptoErrorCode
  constructor(code: CryptoErrorCode) {
    super(`crypto: ${code}`)
    this.code = code
  }
}

/** 255 blocks of HMAC-SHA256 (RFC 5869 §2.3). */
const MAX_HKDF_LENGTH = 255 * 32

/** Throws `CryptoError('bad_length')` unless `bytes` has `length` bytes. */
export function requireLength(bytes: Uint8Array, length: number): void {
  if (bytes.length !== length) throw new CryptoError('bad_length')
}

export function requireHkdfLength(length: number): void {
  if (!Number.isInteger(length) || length < 0 || length > MAX_HKDF_LENGTH)
    throw new CryptoError('bad_length')
}
