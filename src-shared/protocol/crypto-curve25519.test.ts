import { ed25519 } from '@noble/curves/ed25519.js'
import { describe, expect, it } from 'vitest'
import {
  isAdmissibleEd25519Key,
  isAdmissibleX25519Key,
  isCanonicalEd25519Key,
  isCanonicalX25519Key,
  verifyCofactorless,
} from './crypto-curve25519.ts'
import { fromHex } from './encoding/index.ts'
import { createNobleCrypto } from './index.ts'

const crypto = createNobleCrypto()
/** 32 little-endian bytes of p = 2^255 − 19 with something added. */
const nearP = (more: number, top = 0x7f): Uint8Array =>
  Uint8Array.from([0xed + more, ...Array<number>(30).fill(0xff), top])
const seed = new Uint8Array(32).fill(7)
const key = crypto.ed25519PublicKey(seed)
const message = new Uint8Array(3)
const signature = crypto.ed25519Sign(seed, message)

describe('an X25519 key', () => {
  it('has one spelling: 32 bytes below p', () => {
    expect(isCanonicalX25519Key(nearP(-1))).toBe(true)
    expect(isCanonicalX25519Key(nearP(0))).toBe(false)
    expect(isCanonicalX25519Key(nearP(18))).toBe(false)
    expect(isCanonicalX25519Key(nearP(0, 0x7e))).toBe(true)
    expect(isCanonicalX25519Key(nearP(0, 0x80))).toBe(false)
    expect(isCanonicalX25519Key(nearP(-1, 0xff))).toBe(false)
    for (const at of [1, 15, 30]) {
      const below = nearP(18)
      below[at] = 0xfe
      expect(isCanonicalX25519Key(below)).toBe(true)
    }
    for (const length of [0, 31]) expect(isCanonicalX25519Key(seed.slice(0, length))).toBe(false)
    expect(isCanonicalX25519Key(new Uint8Array(33))).toBe(false)
  })

  it('is admitted where it is canonical and not of low order', () => {
    expect(isAdmissibleX25519Key(crypto, crypto.x25519PublicKey(seed))).toBe(true)
    expect(isAdmissibleX25519Key(crypto, new Uint8Array(32))).toBe(false)
    // p − 1 is of low order, p + 9 a second spelling of the base point.
    expect(isAdmissibleX25519Key(crypto, nearP(-1))).toBe(false)
    expect(isAdmissibleX25519Key(crypto, nearP(9))).toBe(false)
    expect(isAdmissibleX25519Key(crypto, new Uint8Array(31).fill(9))).toBe(false)
  })
})

describe('an Ed25519 key', () => {
  const identity = Uint8Array.of(1, ...new Uint8Array(31))

  it('has one spelling, whatever its sign', () => {
    expect(isCanonicalEd25519Key(key)).toBe(true)
    const flipped = key.slice()
    flipped[31] = (flipped[31] ?? 0) ^ 0x80
    expect(isCanonicalEd25519Key(flipped)).toBe(true)
    for (const top of [0x7f, 0xff]) {
      expect(isCanonicalEd25519Key(nearP(-2, top))).toBe(true)
      expect(isCanonicalEd25519Key(nearP(0, top))).toBe(false)
      expect(isCanonicalEd25519Key(nearP(5, top))).toBe(false)
    }
    expect(isCanonicalEd25519Key(key.subarray(1))).toBe(false)
    expect(isCanonicalEd25519Key(Uint8Array.of(...key, 0))).toBe(false)
  })

  it('is not one of the eight of small order, in either spelling of its sign', () => {
    const small = [
      '0100000000000000000000000000000000000000000000000000000000000000',
      'ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
      '0000000000000000000000000000000000000000000000000000000000000000',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      '26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05',
    ]
    for (const hex of small) {
      const point = fromHex(hex)
      const negative = point.slice()
      negative[31] = (negative[31] ?? 0) | 0x80
      expect([hex, isCanonicalEd25519Key(point)]).toEqual([hex, false])
      expect([hex, isCanonicalEd25519Key(negative)]).toEqual([hex, false])
    }
  })

  it('is admitted where it is on the curve and torsion-free', () => {
    expect(isAdmissibleEd25519Key(key)).toBe(true)
    expect(isAdmissibleEd25519Key(identity)).toBe(false)
    expect(isAdmissibleEd25519Key(key.subarray(1))).toBe(false)
    const torsion = ed25519.Point.fromHex(
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
    )
    const mixed = ed25519.Point.fromBytes(key).add(torsion).toBytes()
    expect(isCanonicalEd25519Key(mixed)).toBe(true)
    expect(isAdmissibleEd25519Key(mixed)).toBe(false)
    expect(isAdmissibleEd25519Key(offCurve())).toBe(false)
  })

  it('verifies what it signed and nothing else', () => {
    expect(verifyCofactorless(key, message, signature)).toBe(true)
    expect(verifyCofactorless(key, new Uint8Array(4), signature)).toBe(false)
    expect(verifyCofactorless(key, message, signature.subarray(0, 63))).toBe(false)
    expect(verifyCofactorless(key, message, Uint8Array.of(...signature, 0))).toBe(false)
    expect(verifyCofactorless(offCurve(), message, signature)).toBe(false)
  })

  it('verifies no second spelling of S', () => {
    const order = ed25519.Point.Fn.ORDER
    const withS = (s: bigint): Uint8Array => {
      const out = signature.slice()
      for (let at = 0, rest = s; at < 32; at++, rest >>= 8n) out[32 + at] = Number(rest & 0xffn)
      return out
    }
    const s = signature.subarray(32).reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n)
    expect(verifyCofactorless(key, message, withS(s))).toBe(true)
    expect(verifyCofactorless(key, message, withS(s + order))).toBe(false)
    expect(verifyCofactorless(key, message, withS(order))).toBe(false)
  })
})

/** The first y that belongs to no point. */
function offCurve(): Uint8Array {
  for (let y = 2; ; y++) {
    const bytes = Uint8Array.of(y, ...new Uint8Array(31))
    try {
      ed25519.Point.fromBytes(bytes)
    } catch {
      return bytes
    }
  }
}
