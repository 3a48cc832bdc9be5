import * as nodeCrypto from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  createNobleCrypto,
  CryptoError,
  fromHex,
  selfTest,
  toHex,
} from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { KeyCache } from './key-cache.ts'
import { createNativeCrypto } from './native-crypto.ts'
import type { NodeCrypto } from './node-crypto.ts'

const noble = createNobleCrypto()
const native = createNativeCrypto()
const bytes = (length: number, seed: number): Uint8Array =>
  Uint8Array.from({ length }, (_, index) => (index * 31 + seed * 7 + (index >> 3)) & 0xff)

describe('the native adapter', () => {
  it('passes its self-test without falling back on this Node', () => {
    expect(native.fallbacks).toEqual([])
    expect(native.name).toBe('native')
    expect(selfTest(native)).toEqual([])
  })

  it('falls back for a cipher the runtime lacks, and says so', () => {
    const without: NodeCrypto = {
      ...nodeCrypto,
      createCipheriv: ((name: string, ...rest: [never, never, never]) => {
        if (name === 'chacha20-poly1305') throw new Error('Unknown cipher')
        return nodeCrypto.createCipheriv(name, ...rest)
      }) as NodeCrypto['createCipheriv'],
    }
    const crypto = createNativeCrypto({ node: without })
    expect(crypto.fallbacks).toEqual(['chacha20Poly1305'])
    expect(crypto.name).toContain('chacha20Poly1305')
    expect(selfTest(crypto)).toEqual([])
  })

  it('imports keys as DER where the runtime does not know raw ones', () => {
    const refusing =
      <T>(made: (input: { format?: string }) => T) =>
      (input: { format?: string }): T => {
        if (input.format?.startsWith('raw-') === true) throw new Error('Unknown format')
        return made(input)
      }
    const { createPrivateKey, createPublicKey } = nodeCrypto
    const older: NodeCrypto = {
      ...nodeCrypto,
      createPrivateKey: refusing(createPrivateKey as never) as NodeCrypto['createPrivateKey'],
      createPublicKey: refusing(createPublicKey as never) as NodeCrypto['createPublicKey'],
    }
    const crypto = createNativeCrypto({ node: older })
    expect(crypto.fallbacks).toEqual([])
    const secret = bytes(32, 5)
    const key = crypto.x25519PublicKey(secret)
    expect(toHex(key)).toBe(toHex(native.x25519PublicKey(secret)))
    expect(toHex(crypto.x25519(bytes(32, 6), key))).toBe(toHex(native.x25519(bytes(32, 6), key)))
  })

  it('agrees with @noble on HMAC and HKDF around the block size', () => {
    for (const length of [0, 1, 32, 63, 64, 65, 200]) {
      const key = bytes(length, 2)
      const data = bytes(200 - length, 3)
      expect(toHex(native.hmacSha256(key, data))).toBe(toHex(noble.hmacSha256(key, data)))
      for (const output of [0, 1, 31, 32, 33, 44, 64, 100])
        expect(toHex(native.hkdfSha256(data, key, data, output))).toBe(
          toHex(noble.hkdfSha256(data, key, data, output)),
        )
    }
  })

  it('agrees with @noble on messages of any length, one after another', () => {
    for (const length of [1023, 1024, 1025, 5000, 0, 40, 992, 2000, 1]) {
      const key = bytes(32, length)
      const data = bytes(length, 5)
      expect(toHex(native.hmacSha256(key, data))).toBe(toHex(noble.hmacSha256(key, data)))
      expect(toHex(native.hkdfSha256(key, key, data, 70))).toBe(
        toHex(noble.hkdfSha256(key, key, data, 70)),
      )
    }
  })

  it('refuses a KEM key that does not carry the hash of its public part', () => {
    const { publicKey, secretKey } = native.mlKem768KeyPair(bytes(64, 1))
    const { ciphertext } = native.mlKem768Encapsulate(publicKey, () => bytes(32, 1))
    const at = secretKey.length - 40
    secretKey[at] = (secretKey[at] ?? 0) ^ 1
    expect(() => native.mlKem768Decapsulate(secretKey, ciphertext)).toThrow('bad_key')
  })

  it('encapsulates from randomness of its own, and from what it is given where it must be replayable', () => {
    const { publicKey, secretKey } = noble.mlKem768KeyPair(bytes(64, 2))
    const never = (): Uint8Array => {
      throw new Error('asked for randomness')
    }
    const one = native.mlKem768Encapsulate(publicKey, never)
    const two = native.mlKem768Encapsulate(publicKey, never)
    expect(toHex(one.ciphertext)).not.toBe(toHex(two.ciphertext))
    for (const { ciphertext, sharedSecret } of [one, two])
      for (const holder of [native, noble])
        expect(toHex(holder.mlKem768Decapsulate(secretKey, ciphertext))).toBe(toHex(sharedSecret))
    const replayable = createNativeCrypto({ replayable: true })
    expect(replayable.fallbacks).toEqual([])
    const given = (): Uint8Array => bytes(32, 3)
    expect(replayable.mlKem768Encapsulate(publicKey, given)).toEqual(
      noble.mlKem768Encapsulate(publicKey, given),
    )
  })

  it('falls back for a KEM that answers what nobody asked', () => {
    const { publicKey } = noble.mlKem768KeyPair(bytes(64, 2))
    const stuck = nodeCrypto.encapsulate(
      nodeCrypto.createPublicKey({
        key: Buffer.from(publicKey),
        format: 'raw-public',
        asymmetricKeyType: 'ml-kem-768',
      } as never),
    )
    const node: NodeCrypto = { ...nodeCrypto, encapsulate: (() => stuck) as never }
    const crypto = createNativeCrypto({ node })
    expect(crypto.fallbacks).toEqual(['mlKem768'])
    expect(selfTest(crypto)).toEqual([])
  })

  it('falls back for an Ed25519 that accepts a torsion component in R', () => {
    const cofactored: NodeCrypto = {
      ...nodeCrypto,
      // Accepting what it should refuse stands for a library with the cofactored equation.
      verify: (() => true) as unknown as NodeCrypto['verify'],
    }
    const crypto = createNativeCrypto({ node: cofactored })
    expect(crypto.fallbacks).toEqual(['ed25519'])
    expect(selfTest(crypto)).toEqual([])
  })

  it('agrees with @noble at every length around the block size', () => {
    for (const length of [0, 1, 63, 64, 511, 512, 513, 5000]) {
      const data = bytes(length, 1)
      expect(toHex(native.sha256(data))).toBe(toHex(noble.sha256(data)))
    }
  })

  it('agrees with @noble on curves and ciphers', () => {
    for (let seed = 0; seed < 20; seed++) {
      const secret = bytes(32, seed)
      const message = bytes(seed * 13, seed)
      const key = noble.ed25519PublicKey(secret)
      expect(toHex(native.ed25519PublicKey(secret))).toBe(toHex(key))
      const signature = native.ed25519Sign(secret, message)
      expect(toHex(signature)).toBe(toHex(noble.ed25519Sign(secret, message)))
      expect(noble.ed25519Verify(key, message, signature)).toBe(true)
      expect(toHex(native.x25519PublicKey(secret))).toBe(toHex(noble.x25519PublicKey(secret)))
      const nonce = bytes(12, seed)
      for (const cipher of ['chacha20Poly1305', 'aes256Gcm'] as const) {
        const sealed = native[`${cipher}Seal`](secret, nonce, message, key)
        expect(toHex(sealed)).toBe(toHex(noble[`${cipher}Seal`](secret, nonce, message, key)))
        expect(noble[`${cipher}Open`](secret, nonce, sealed, key)).toEqual(message)
      }
    }
  })

  it('hands out copies, so that changing a public key does not change the cached one', () => {
    const secret = bytes(32, 3)
    const first = native.x25519PublicKey(secret)
    const expected = toHex(first)
    first.fill(0)
    expect(toHex(native.x25519PublicKey(secret))).toBe(expected)
  })

  it('follows a secret buffer that its owner overwrites', () => {
    const secret = bytes(32, 4)
    const before = toHex(native.ed25519PublicKey(secret))
    secret.fill(9)
    expect(toHex(native.ed25519PublicKey(secret))).not.toBe(before)
  })
})

describe.each<Crypto>([noble, native])('wrong lengths with $name', (crypto) => {
  const short = new Uint8Array(31)
  const long = new Uint8Array(32)
  const nonce = new Uint8Array(12)
  const codeOf = (run: () => unknown): string => {
    try {
      run()
      return 'nothing thrown'
    } catch (error) {
      return error instanceof CryptoError ? error.code : 'another error'
    }
  }

  it('refuses keys, nonces and seeds of another length', () => {
    const wrong: readonly (() => unknown)[] = [
      () => crypto.ed25519PublicKey(short),
      () => crypto.ed25519Sign(short, long),
      () => crypto.x25519PublicKey(short),
      () => crypto.x25519(short, long),
      () => crypto.x25519(long, short),
      () => crypto.chacha20Poly1305Seal(short, nonce, long, long),
      () => crypto.chacha20Poly1305Open(long, short, long, long),
      () => crypto.aes256GcmSeal(long, short, long, long),
      () => crypto.xchacha20Poly1305Seal(long, nonce, long, long),
      () => crypto.hkdfSha256(long, long, long, 8161),
      () => crypto.hkdfSha256(long, long, long, -1),
      () => crypto.mlKem768KeyPair(long),
      () => crypto.mlKem768Encapsulate(long, () => long),
      () => crypto.mlKem768Decapsulate(long, long),
    ]
    expect(wrong.map(codeOf)).toEqual(wrong.map(() => 'bad_length'))
  })

  it('answers false to malformed signatures and keys instead of throwing', () => {
    const key = crypto.ed25519PublicKey(long)
    for (const length of [0, 63, 65])
      expect(crypto.ed25519Verify(key, long, new Uint8Array(length))).toBe(false)
    expect(crypto.ed25519Verify(short, long, new Uint8Array(64))).toBe(false)
    // y = 2 is not on the curve.
    const offCurve = fromHex('02'.padEnd(64, '0'))
    expect(crypto.ed25519Verify(offCurve, long, new Uint8Array(64))).toBe(false)
    expect(crypto.ed25519IsAdmissible(offCurve)).toBe(false)
  })
})

describe('the key cache', () => {
  it('keeps what was used last, however long it runs', () => {
    const cache = new KeyCache<number>(3)
    const used: string[] = []
    for (let turn = 0; turn < 2000; turn++) {
      const name = String((turn * turn + (turn >> 3)) % 7)
      const kept = used.includes(name)
      let made = false
      cache.get(name, () => ((made = true), turn))
      expect(made).toBe(!kept)
      used.splice(0, used.length, name, ...used.filter((other) => other !== name).slice(0, 2))
      expect(cache.size).toBe(used.length)
    }
  })

  it('forgets what was used longest ago', () => {
    const cache = new KeyCache<string>(2)
    let made = 0
    const make = (): string => `made ${++made}`
    cache.get('a', make)
    cache.get('b', make)
    cache.get('a', make)
    cache.get('c', make)
    expect(cache.size).toBe(2)
    expect(cache.get('a', make)).toBe('made 1')
    expect(cache.get('b', make)).toBe('made 4')
  })
})
