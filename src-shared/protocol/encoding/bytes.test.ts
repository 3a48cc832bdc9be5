import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  base64UrlSchema,
  bytesEqual,
  EncodingError,
  fromBase64Url,
  fromHex,
  isBase64Url,
  labelled,
  LABELS,
  toBase64Url,
  toHex,
  toUtf8,
} from './index.ts'

const bytes = fc.uint8Array({ maxLength: 80 })

describe('base64url', () => {
  it('reads back what it wrote, and writes what Node writes', () => {
    fc.assert(
      fc.property(bytes, (value) => {
        const text = toBase64Url(value)
        expect(text).toBe(Buffer.from(value).toString('base64url'))
        expect(bytesEqual(fromBase64Url(text), value)).toBe(true)
        expect(isBase64Url(text, value.length)).toBe(true)
      }),
    )
  })

  it('accepts a text only if it is the one that writing gives', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 8 }), (text) => {
        let decoded: Uint8Array | null = null
        try {
          decoded = fromBase64Url(text)
        } catch (error) {
          expect(error).toBeInstanceOf(EncodingError)
        }
        expect(isBase64Url(text)).toBe(decoded !== null)
        if (decoded !== null) expect(toBase64Url(decoded)).toBe(text)
      }),
      { numRuns: 1000 },
    )
  })

  it.each(['A', 'AB', 'AAB', 'AA==', 'A+A', 'A/A', 'AA A', 'AA\n', 'ÀA', 'AAAAA'])(
    'refuses %j',
    (text) => {
      expect(() => fromBase64Url(text)).toThrow(EncodingError)
      expect(isBase64Url(text)).toBe(false)
      expect(base64UrlSchema().safeParse(text).success).toBe(false)
    },
  )

  it('asks for the exact number of bytes', () => {
    const schema = base64UrlSchema(32)
    expect(schema.safeParse(toBase64Url(new Uint8Array(32))).success).toBe(true)
    for (const length of [0, 31, 33])
      expect(schema.safeParse(toBase64Url(new Uint8Array(length))).success).toBe(false)
  })
})

describe('hex', () => {
  it('reads back what it wrote', () => {
    fc.assert(fc.property(bytes, (value) => bytesEqual(fromHex(toHex(value)), value)))
  })

  it.each(['0', 'AB', '0g', ' 00'])('refuses %j', (text) => {
    expect(() => fromHex(text)).toThrow(EncodingError)
  })
})

describe('labels', () => {
  it('are all different, so that nothing made as one thing passes as another', () => {
    const all = Object.values(LABELS)
    expect(new Set(all).size).toBe(all.length)
  })

  it('are well-formed and contain no separator', () => {
    for (const label of Object.values(LABELS)) expect(label).toMatch(/^eccp\/[a-z0-9-]+\/[0-9]+$/)
  })

  it('stand before a zero byte and the parts', () => {
    expect(labelled(LABELS.event, Uint8Array.of(1), Uint8Array.of(2, 3))).toEqual(
      Uint8Array.of(...toUtf8('eccp/event/1'), 0, 1, 2, 3),
    )
  })
})
