/**
 * The Crypto port over @noble: pure JavaScript, the same on every runtime, the reference adapter.
 *
 * Constant time only as far as JavaScript and bigints allow; where node:crypto is at hand the native
 * adapter of src-platform takes its place.
 */
import { gcm } from '@noble/ciphers/aes.js'
import { chacha20poly1305, xchacha20poly1305 } from '@noble/ciphers/chacha.js'
import { equalBytes } from '@noble/ciphers/utils.js'
import { ed25519, x25519 } from '@noble/curves/ed25519.js'
import { hkdf } from '@noble/hashes/hkdf.js'
import { hmac } from '@noble/hashes/hmac.js'
import { sha256 } from '@noble/hashes/sha2.js'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { CryptoError, requireHkdfLength, requireLength } from './crypto.ts'
import type { Crypto } from './crypto.ts'
import { isAdmissibleEd25519Key, verifyCofactorless } from './crypto-curve25519.ts'

const TAG_LENGTH = 16

export function createNobleCrypto(): Crypto {
  return {
    name: 'noble',
    sha256: (data) => sha256(data),
    sha256Stream() {
      const hash = sha256.create()
      return { update: (data) => void hash.update(data), digest: () => hash.clone().digest() }
    },
    hmacSha256: (key, data) => hmac(sha256, key, data),
    hkdfSha256(ikm, salt, info, length) {
      requireHkdfLength(length)
      return hkdf(sha256, ikm, salt, info, length)
    },

    ed25519PublicKey(secret) {
      requireLength(secret, 32)
      return ed25519.getPublicKey(secret)
    },
    ed25519Sign(secret, message) {
      requireLength(secret, 32)
      return ed25519.sign(message, secret)
    },
    ed25519Verify: verifyCofactorless,
    ed25519IsAdmissible: isAdmissibleEd25519Key,

    x25519PublicKey(secret) {
      requireLength(secret, 32)
      return x25519.getPublicKey(secret)
    },
    x25519(secret, publicKey) {
      requireLength(secret, 32)
      requireLength(publicKey, 32)
      try {
        return x25519.getSharedSecret(secret, publicKey)
      } catch {
        // With both lengths right, the only refusal left is the all-zero shared secret.
        throw new CryptoError('low_order')
      }
    },

    chacha20Poly1305Seal: (key, nonce, plaintext, ad) =>
      seal(chacha20poly1305, 12, key, nonce, plaintext, ad),
    chacha20Poly1305Open: (key, nonce, sealed, ad) =>
      open(chacha20poly1305, 12, key, nonce, sealed, ad),
    xchacha20Poly1305Seal: (key, nonce, plaintext, ad) =>
      seal(xchacha20poly1305, 24, key, nonce, plaintext, ad),
    xchacha20Poly1305Open: (key, nonce, sealed, ad) =>
      open(xchacha20poly1305, 24, key, nonce, sealed, ad),
    aes256GcmSeal: (key, nonce, plaintext, ad) => seal(gcm, 12, key, nonce, plaintext, ad),
    aes256GcmOpen: (key, nonce, sealed, ad) => open(gcm, 12, key, nonce, sealed, ad),

    mlKem768KeyPair(seed) {
      requireLength(seed, 64)
      return ml_kem768.keygen(seed)
    },
    mlKem768Encapsulate(publicKey, random) {
      requireLength(publicKey, 1184)
      const seed = random(32)
      requireLength(seed, 32)
      try {
        const { cipherText, sharedSecret } = ml_kem768.encapsulate(publicKey, seed)
        return { ciphertext: cipherText, sharedSecret }
      } catch {
        // FIPS 203 §7.2: a coefficient of the key is not reduced modulo q.
        throw new CryptoError('bad_key')
      }
    },
    mlKem768Decapsulate(secretKey, ciphertext) {
      requireLength(secretKey, 2400)
      requireLength(ciphertext, 1088)
      try {
        return ml_kem768.decapsulate(ciphertext, secretKey)
      } catch {
        // FIPS 203 §7.3: the key does not carry the hash of its own public part.
        throw new CryptoError('bad_key')
      }
    },

    equal: (a, b) => equalBytes(a, b),
  }
}

type Aead = (
  key: Uint8Array,
  nonce: Uint8Array,
  ad: Uint8Array,
) => {
  encrypt(plaintext: Uint8Array): Uint8Array
  decrypt(sealed: Uint8Array): Uint8Array
}

function seal(
  aead: Aead,
  nonceLength: number,
  key: Uint8Array,
  nonce: Uint8Array,
  plaintext: Uint8Array,
  ad: Uint8Array,
): Uint8Array {
  requireLength(key, 32)
  requireLength(nonce, nonceLength)
  return aead(key, nonce, ad).encrypt(plaintext)
}

function open(
  aead: Aead,
  nonceLength: number,
  key: Uint8Array,
  nonce: Uint8Array,
  sealed: Uint8Array,
  ad: Uint8Array,
): Uint8Array | null {
  requireLength(key, 32)
  requireLength(nonce, nonceLength)
  if (sealed.length < TAG_LENGTH) return null
  try {
    return aead(key, nonce, ad).decrypt(sealed)
  } catch {
    return null
  }
}
