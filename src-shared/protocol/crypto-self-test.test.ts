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

  it('is content with an adapter that draws the randomness of a KEM itself', () => {
    let drawn = 0
    const own = (): Uint8Array => new Uint8Array(32).fill(drawn++)
    const drawing = {
      ...sound,
      mlKem768Encapsulate: (key: Uint8Array) => sound.mlKem768Encapsulate(key, own),
    }
    expect(selfTest(drawing)).toEqual([])
  })

  it.each(CRYPTO_PRIMITIVES)('names %s when that alone is broken', (primitive) => {
    const broken = { ...sound, ...BROKEN[primitive] }
    expect(selfTest(broken)).toEqual([primitive])
    expect(() => requireSelfTest(broken)).toThrow(new CryptoError('self_test_failed'))
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
    [
      'makes another Ed25519 key',
      { ed25519PublicKey: (seed) => spoil(sound.ed25519PublicKey(seed)) },
    ],
    ['signs otherwise', { ed25519Sign: (...of) => spoil(sound.ed25519Sign(...of)) }],
    ['verifies nothing', { ed25519Verify: () => false }],
    ['verifies everything', { ed25519Verify: () => true }],
    [
      'verifies for any message',
      {
        ed25519Verify: (key, message, sig) =>
          message[0] === 97 || sound.ed25519Verify(key, message, sig),
      },
    ],
    ['admits no key', { ed25519IsAdmissible: () => false }],
    [
      'admits keys of any length',
      { ed25519IsAdmissible: (key) => key.length !== 32 || sound.ed25519IsAdmissible(key) },
    ],
    [
      'hashes short texts wrong',
      { sha256: (data) => (data.length < 10 ? spoil(sound.sha256(data)) : sound.sha256(data)) },
    ],
    [
      'hashes long texts wrong',
      { sha256: (data) => (data.length > 1000 ? spoil(sound.sha256(data)) : sound.sha256(data)) },
    ],
    [
      'derives wrong with a salt',
      {
        hkdfSha256: (ikm, salt, ...of) =>
          salt.length > 0
            ? spoil(sound.hkdfSha256(ikm, salt, ...of))
            : sound.hkdfSha256(ikm, salt, ...of),
      },
    ],
    [
      'derives wrong without a salt',
      {
        hkdfSha256: (ikm, salt, ...of) =>
          salt.length === 0
            ? spoil(sound.hkdfSha256(ikm, salt, ...of))
            : sound.hkdfSha256(ikm, salt, ...of),
      },
    ],
    ['makes another X25519 key', { x25519PublicKey: (of) => spoil(sound.x25519PublicKey(of)) }],
    [
      'throws anything at an all-zero secret',
      {
        x25519: (secret, key) => {
          try {
            return sound.x25519(secret, key)
          } catch {
            throw new CryptoError('bad_key')
          }
        },
      },
    ],
    [
      'seals otherwise',
      { chacha20Poly1305Seal: (...of) => spoil(sound.chacha20Poly1305Seal(...of)) },
    ],
    ['opens nothing', { aes256GcmOpen: () => null }],
    [
      'opens to something else',
      {
        aes256GcmOpen: (...of) => {
          const opened = sound.aes256GcmOpen(...of)
          return opened && spoil(opened)
        },
      },
    ],
    [
      'opens what was forged',
      {
        aes256GcmOpen: (key, nonce, sealed, ad) =>
          sound.aes256GcmOpen(key, nonce, sealed, ad) ??
          (ad.length > 0 && sealed.length > 15 ? ad : null),
      },
    ],
    [
      'opens with other associated data',
      {
        aes256GcmOpen: (key, nonce, sealed, ad) =>
          ad.length === 0 ? sealed : sound.aes256GcmOpen(key, nonce, sealed, ad),
      },
    ],
    [
      'opens less than a tag',
      {
        aes256GcmOpen: (key, nonce, sealed, ad) =>
          sealed.length < 16 ? sealed : sound.aes256GcmOpen(key, nonce, sealed, ad),
      },
    ],
    ['makes other KEM keys', { mlKem768KeyPair: (seed) => sound.mlKem768KeyPair(spoil(seed)) }],
    [
      'encapsulates another secret',
      {
        mlKem768Encapsulate: (...of) => {
          const made = sound.mlKem768Encapsulate(...of)
          return { ...made, sharedSecret: spoil(made.sharedSecret) }
        },
      },
    ],
    [
      'encapsulates another secret the second time',
      {
        mlKem768Encapsulate: (() => {
          let times = 0
          return (key: Uint8Array, random: (length: number) => Uint8Array) => {
            const made = sound.mlKem768Encapsulate(key, random)
            times += 1
            return times === 2 ? { ...made, sharedSecret: spoil(made.sharedSecret) } : made
          }
        })(),
      },
    ],
    [
      'encapsulates from something else than it was given',
      {
        mlKem768Encapsulate: (key, random) =>
          sound.mlKem768Encapsulate(key, (n) => spoil(random(n))),
      },
    ],
    [
      'encapsulates the same whenever it is asked',
      { mlKem768Encapsulate: (key) => sound.mlKem768Encapsulate(key, (n) => new Uint8Array(n)) },
    ],
    [
      'encapsulates to a key that is none',
      {
        mlKem768Encapsulate: (key, random) =>
          key[0] === 0xff && key[1] === 0xff
            ? { ciphertext: new Uint8Array(1088), sharedSecret: new Uint8Array(32) }
            : sound.mlKem768Encapsulate(key, random),
      },
    ],
    [
      'throws anything at a key that is none',
      {
        mlKem768Encapsulate: (key, random) => {
          try {
            return sound.mlKem768Encapsulate(key, random)
          } catch {
            throw new CryptoError('bad_length')
          }
        },
      },
    ],
    [
      'refuses a changed ciphertext instead of giving another secret',
      {
        mlKem768Decapsulate: (() => {
          let times = 0
          return (key: Uint8Array, ciphertext: Uint8Array) => {
            times += 1
            const secret = sound.mlKem768Decapsulate(key, ciphertext)
            return times === 4 ? spoil(secret) : secret
          }
        })(),
      },
    ],
    ['calls nothing equal', { equal: () => false }],
    ['compares the first byte', { equal: (a, b) => a.length === b.length && a[0] === b[0] }],
    [
      'compares lengths only where they are short',
      { equal: (a, b) => a.length !== b.length || sound.equal(a, b) },
    ],
  ])('is not content with an adapter that %s', (_, part) => {
    expect(selfTest({ ...sound, ...part })).toHaveLength(1)
  })
})
