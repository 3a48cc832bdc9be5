import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { crypto } from '../testing/crypto.ts'
import {
  base64UrlSchema,
  bytesEqual,
  EncodingError,
  fromBase64Url,
  fromHex,
  fromUtf8,
  isBase64Url,
  labelled,
  labelledHash,
  LABELS,
  signLabelled,
  toBase64Url,
  toHex,
  toUtf8,
  verifyLabelled,
} from './index.ts'

const bytes = fc.uint8Array({ maxLength: 80 })

function errorOf(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

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

  it.each([
    ['a character beyond the table', '\u0141AAA'],
    ['a character whose low byte is a letter', 'AAA\u0241'],
    ['a character of the upper half of the table', '\u00ffAAA'],
    ['one spare bit in a last byte', 'AP'],
    ['one spare bit in the last two', 'AAP'],
    ['a length that no byte string has', 'AAAAA'],
    ['a foreign character in a group of two', '=A'],
    ['a foreign character in a group of three', 'AA='],
  ])('says bad_base64url of %s', (_, text) => {
    expect(errorOf(() => fromBase64Url(text))).toMatchObject({ code: 'bad_base64url' })
    expect(isBase64Url(text)).toBe(false)
  })

  it('writes what is longer than one call can take', () => {
    for (const length of [3071, 3072, 3073, 3074, 20_000]) {
      const long = Uint8Array.from({ length }, (_, index) => (index * 37) & 0xff)
      const text = toBase64Url(long)
      expect(text).toBe(Buffer.from(long).toString('base64url'))
      expect(bytesEqual(fromBase64Url(text), long)).toBe(true)
    }
  })

  it('counts the bytes that a text stands for', () => {
    expect(isBase64Url('AAAA', 3)).toBe(true)
    expect(isBase64Url('AAAA', 2)).toBe(false)
    expect(isBase64Url('AAA', 2)).toBe(true)
    expect(isBase64Url('', 0)).toBe(true)
    expect(isBase64Url('')).toBe(true)
    expect(isBase64Url('A-_9', 3)).toBe(true)
    expect(isBase64Url('.AAA', 3)).toBe(false)
    expect(isBase64Url('AAA.', 3)).toBe(false)
  })

  it('tells what is wrong, not what was given', () => {
    const { error } = base64UrlSchema(32).safeParse('secret')
    expect(error?.issues.map(({ message }) => message)).toEqual(['bad base64url'])
  })

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
    expect(errorOf(() => fromHex(text))).toMatchObject({
      name: 'EncodingError',
      code: 'bad_hex',
      message: 'encoding: bad_hex',
    })
  })

  it('refuses what only begins or ends as hex', () => {
    for (const text of ['00zz', 'zz00', '0000\n0'])
      expect(errorOf(() => fromHex(text))).toMatchObject({ code: 'bad_hex' })
    expect(fromHex('')).toEqual(new Uint8Array(0))
    expect(fromHex('0aff')).toEqual(Uint8Array.of(10, 255))
    expect(toHex(Uint8Array.of(10, 255))).toBe('0aff')
  })
})

describe('text as bytes', () => {
  it('is UTF-8', () => {
    expect(toUtf8('aé€😀')).toEqual(
      Uint8Array.of(0x61, 0xc3, 0xa9, 0xe2, 0x82, 0xac, 0xf0, 0x9f, 0x98, 0x80),
    )
    expect(fromUtf8(Uint8Array.of(0xc3, 0xa9, 0x61))).toBe('éa')
  })

  it('has no lone surrogate', () => {
    expect(errorOf(() => toUtf8('\ud800'))).toMatchObject({ code: 'bad_string' })
  })

  it.each([
    ['a byte that begins nothing', [0x80]],
    ['half of a character', [0x61, 0xc3]],
    ['two thirds of a byte order mark', [0xef, 0xbb]],
    ['a mark, then two thirds of one', [0xef, 0xbb, 0xbf, 0xef, 0xbb]],
    ['the first byte of a mark, then text', [0xef, 0x61, 0xbf]],
    ['a mark with another last byte', [0xef, 0xbb, 0x61]],
  ])('is refused with %s', (_, input) => {
    expect(errorOf(() => fromUtf8(Uint8Array.from(input)))).toMatchObject({ code: 'bad_utf8' })
  })

  it('keeps a byte order mark in the middle and characters that begin like one', () => {
    for (const text of ['a\ufeffb', '\ufefe', '\ufec0x', '\ufeff\ufefe'])
      expect(fromUtf8(toUtf8(text))).toBe(text)
  })
})

describe('byte strings', () => {
  it('are equal where length and every byte are', () => {
    const one = Uint8Array.of(1, 2, 3)
    expect(bytesEqual(one, Uint8Array.of(1, 2, 3))).toBe(true)
    expect(bytesEqual(one, Uint8Array.of(1, 2))).toBe(false)
    expect(bytesEqual(Uint8Array.of(1, 2), one)).toBe(false)
    expect(bytesEqual(one, Uint8Array.of(0, 2, 3))).toBe(false)
    expect(bytesEqual(one, Uint8Array.of(1, 2, 4))).toBe(false)
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

  it('make different hashes and signatures of the same bytes', () => {
    const content = toUtf8('content')
    const secret = new Uint8Array(32).fill(9)
    const publicKey = crypto.ed25519PublicKey(secret)
    expect(labelledHash(crypto, LABELS.event, content)).toEqual(
      crypto.sha256(Uint8Array.of(...toUtf8('eccp/event/1'), 0, ...content)),
    )
    const signature = signLabelled(crypto, secret, LABELS.event, content)
    const verify = (label: (typeof LABELS)[keyof typeof LABELS], bytes: Uint8Array): boolean =>
      verifyLabelled(crypto, publicKey, label, bytes, signature)
    expect(verify(LABELS.event, content)).toBe(true)
    expect(verify(LABELS.receipt, content)).toBe(false)
    expect(verify(LABELS.event, toUtf8('another'))).toBe(false)
    // The second use of a label takes the prefix that the first one made.
    expect(labelled(LABELS.event)).toEqual(Uint8Array.of(...toUtf8('eccp/event/1'), 0))
  })
})
