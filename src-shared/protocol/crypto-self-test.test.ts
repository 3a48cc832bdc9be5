import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, it } from 'vitest'
import {
  createNobleCrypto,
  CRYPTO_PRIMITIVES,
  CryptoError,
  requireSelfTest,
  selfTest,
} from './index.ts'
import type { Crypto } from './index.ts'

const sound = createNobleCrypto()

/** The one byte of every answer that a broken adapter gets wrong. */
const spoil = (bytes: Uint8Array): Uint8Array =>
  bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte))

const BROKEN: Readonly<Record<(typeof CRYPTO_PRIMITIVES)[number], Partial<Crypto>>> = {
  sha256: { sha256: (data) => spoil(sound.sha256(data)) },
  hmacSha256: { hmacSha256: (key, data) => spoil(sound.hmacSha256(key, data)) },
  hkdfSha256: { hkdfSha256: (...parts) => spoil(sound.hkdfSha256(...parts)) },
  // The difference between libraries that the protocol must not inherit.
  ed25519: {
    ed25519Verify: (key, message, signature) =>
      signature.length === 64 &&
      key.length === 32 &&
      ed25519.verify(signature, message, key, { zip215: false }),
  },
  x25519: { x25519: (secret, key) => spoil(sound.x25519(secret, key)) },
  chacha20Poly1305: { chacha20Poly1305Open: (_key, _nonce, sealed) => sealed.subarray(16) },
  xchacha20Poly1305: { xchacha20Poly1305Seal: (_key, _nonce, plaintext) => plaintext },
  aes256Gcm: {
    aes256GcmOpen: () => {
      throw new Error('not supported')
    },
  },
  mlKem768: { mlKem768Decapsulate: () => new Uint8Array(32) },
  equal: { equal: () => true },
}

describe('the self-test', () => {
  it('finds nothing wrong with the reference adapter', () => {
    expect(selfTest(sound)).toEqual([])
    expect(() => requireSelfTest(sound)).not.toThrow()
  })

  it.each(CRYPTO_PRIMITIVES)('names %s when that alone is broken', (primitive) => {
    const broken = { ...sound, ...BROKEN[primitive] }
    expect(selfTest(broken)).toEqual([primitive])
    expect(() => requireSelfTest(broken)).toThrow(CryptoError)
  })

  it.each<[string, Partial<Crypto>]>([
    ['admits a key with a torsion component', { ed25519IsAdmissible: (key) => key[0] !== 1 }],
    [
      'answers an all-zero secret',
      {
        x25519: (secret, key) =>
          key.every((byte) => byte === 0) ? new Uint8Array(32) : sound.x25519(secret, key),
      },
    ],
    [
      'forgets what it hashed before when asked in between',
      {
        sha256Stream: () => {
          let stream = sound.sha256Stream()
          return {
            update: (data) => {
              stream.update(data)
            },
            digest: () => {
              const digest = stream.digest()
              stream = sound.sha256Stream()
              return digest
            },
          }
        },
      },
    ],
    [
      'takes an R of small order',
      {
        ed25519Verify: (key, message, signature) =>
          (signature[0] === 1 && signature.subarray(1, 32).every((byte) => byte === 0)) ||
          sound.ed25519Verify(key, message, signature),
      },
    ],
  ])('is not content with an adapter that %s', (_, part) => {
    expect(selfTest({ ...sound, ...part })).toHaveLength(1)
  })
})
