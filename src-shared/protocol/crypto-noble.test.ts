import { describe, expect, it } from 'vitest'
import { createNobleCrypto, CryptoError } from './index.ts'

const crypto = createNobleCrypto()
const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7)
const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'ok'
  } catch (error) {
    return error instanceof CryptoError ? error.code : 'another error'
  }
}
const empty = new Uint8Array(0)
const kem = crypto.mlKem768KeyPair(bytes(64))
const { ciphertext } = crypto.mlKem768Encapsulate(kem.publicKey, bytes)

describe('the reference adapter', () => {
  it.each<readonly [string, number, (length: number) => unknown]>([
    ['an Ed25519 seed', 32, (length) => crypto.ed25519PublicKey(bytes(length))],
    ['an Ed25519 seed that signs', 32, (length) => crypto.ed25519Sign(bytes(length), empty)],
    ['an X25519 secret', 32, (length) => crypto.x25519PublicKey(bytes(length))],
    ['an X25519 secret that agrees', 32, (length) => crypto.x25519(bytes(length), bytes(32))],
    ['an X25519 public key', 32, (length) => crypto.x25519(bytes(32), bytes(length))],
    ['a KEM seed', 64, (length) => crypto.mlKem768KeyPair(bytes(length))],
    [
      'a KEM message',
      32,
      (length) => crypto.mlKem768Encapsulate(kem.publicKey, () => bytes(length)),
    ],
    [
      'a KEM public key',
      1184,
      (length) => crypto.mlKem768Encapsulate(resized(kem.publicKey, length), bytes),
    ],
    [
      'a KEM secret key',
      2400,
      (length) => crypto.mlKem768Decapsulate(resized(kem.secretKey, length), ciphertext),
    ],
    [
      'a KEM ciphertext',
      1088,
      (length) => crypto.mlKem768Decapsulate(kem.secretKey, resized(ciphertext, length)),
    ],
  ])('takes %s of its length only', (_, length, run) => {
    expect([length - 1, length, length + 1].map((of) => codeOf(() => run(of)))).toEqual([
      'bad_length',
      'ok',
      'bad_length',
    ])
  })

  it.each([
    ['ChaCha20-Poly1305', crypto.chacha20Poly1305Seal, crypto.chacha20Poly1305Open, 12],
    ['XChaCha20-Poly1305', crypto.xchacha20Poly1305Seal, crypto.xchacha20Poly1305Open, 24],
    ['AES-256-GCM', crypto.aes256GcmSeal, crypto.aes256GcmOpen, 12],
  ] as const)('takes keys and nonces of their lengths only: %s', (_, seal, open, nonce) => {
    const sealed = seal(bytes(32), bytes(nonce), empty, empty)
    expect(sealed).toHaveLength(16)
    expect(open(bytes(32), bytes(nonce), sealed, empty)).toEqual(empty)
    expect(open(bytes(32), bytes(nonce), sealed.subarray(1), empty)).toBe(null)
    for (const [key, of] of [
      [31, nonce],
      [33, nonce],
      [32, nonce - 1],
      [32, nonce + 1],
    ] as const) {
      expect(codeOf(() => seal(bytes(key), bytes(of), empty, empty))).toBe('bad_length')
      expect(codeOf(() => open(bytes(key), bytes(of), sealed, empty))).toBe('bad_length')
    }
  })

  it('derives from nothing to 255 blocks, and whole bytes', () => {
    const derive = (length: number) =>
      codeOf(() => crypto.hkdfSha256(bytes(32), empty, empty, length))
    expect([0, 1, 8160].map(derive)).toEqual(['ok', 'ok', 'ok'])
    expect([-1, 0.5, 8161, Number.NaN].map(derive)).toEqual(Array<string>(4).fill('bad_length'))
    expect(crypto.hkdfSha256(bytes(32), empty, empty, 8160)).toHaveLength(8160)
  })

  it('says so where a KEM key is none', () => {
    const bad = Uint8Array.from(kem.publicKey).fill(0xff, 0, 2)
    expect(codeOf(() => crypto.mlKem768Encapsulate(bad, bytes))).toBe('bad_key')
    const torn = Uint8Array.from(kem.secretKey)
    torn.fill(0, 2336, 2368)
    expect(codeOf(() => crypto.mlKem768Decapsulate(torn, ciphertext))).toBe('bad_key')
  })

  it('says so where an agreement is all zero', () => {
    expect(codeOf(() => crypto.x25519(bytes(32), new Uint8Array(32)))).toBe('low_order')
  })

  it('has a name, and so have its errors', () => {
    expect(crypto.name).toBe('noble')
    const error = new CryptoError('low_order')
    expect([error.name, error.message, error.code]).toEqual([
      'CryptoError',
      'crypto: low_order',
      'low_order',
    ])
  })

  it('compares lengths and every byte', () => {
    expect(crypto.equal(bytes(2), bytes(2))).toBe(true)
    expect(crypto.equal(bytes(2), bytes(3))).toBe(false)
    expect(crypto.equal(empty, empty)).toBe(true)
  })
})

function resized(from: Uint8Array, length: number): Uint8Array {
  const out = new Uint8Array(length)
  out.set(from.subarray(0, length))
  return out
}
