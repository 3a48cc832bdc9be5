import { describe, expect, test } from 'vitest'
import { createCodec } from './codec.ts'

const codec = createCodec({
  encode: (bytes) => Buffer.from(bytes).toString('base64'),
  decode: (text) => new Uint8Array(Buffer.from(text, 'base64')),
})

const through = (value: unknown): unknown =>
  codec.unpack(JSON.parse(JSON.stringify(codec.pack(value))))

describe('the structured codec', () => {
  test('carries everything a structured clone keeps', () => {
    const value = {
      text: 'é\u0000"\u2028',
      numbers: [0, -0, NaN, Infinity, -Infinity, 1.5],
      nothing: undefined,
      nil: null,
      big: 2n ** 70n,
      date: new Date(5),
      pattern: /a+/gi,
      map: new Map<unknown, unknown>([
        [{ key: 1 }, new Set([1n, 'x'])],
        [undefined, new Date(6)],
      ]),
      bytes: new Uint8Array([0, 255, 7]),
      buffer: new Uint8Array([1, 2]).buffer,
      floats: new Float64Array([0.1, -2]),
      bigs: new BigInt64Array([-1n]),
    }
    expect(through(value)).toEqual(value)
  })

  test('keeps the name and message of errors', () => {
    const error = through(new TypeError('no')) as Error
    expect(error).toBeInstanceOf(TypeError)
    expect(error.message).toBe('no')
  })

  test('keeps cycles and shared references', () => {
    const shared = new Uint8Array([9])
    const value: Record<string, unknown> = { a: shared, list: [shared], date: new Date(1) }
    value['self'] = value
    const copy = through(value) as Record<string, unknown>
    expect(copy['self']).toBe(copy)
    expect((copy['list'] as unknown[])[0]).toBe(copy['a'])
  })

  test('is not fooled by a value that looks like its own tag', () => {
    const value = { $t: 'u', v: [{ $t: 'd', v: 1 }, new Date(2)], after: [] as unknown[] }
    value.after.push(value)
    const copy = through(value) as typeof value
    expect(copy.v).toEqual(value.v)
    expect(copy.$t).toBe('u')
    expect(copy.after[0]).toBe(copy)
  })

  test('carries a view of part of a buffer as its own bytes', () => {
    const bytes = new Uint8Array([1, 2, 3, 4]).subarray(1, 3)
    expect(through(bytes)).toEqual(new Uint8Array([2, 3]))
    expect(through(Buffer.from('hi'))).toEqual(new Uint8Array([104, 105]))
  })

  test('keeps a __proto__ key from becoming a prototype', () => {
    const copy = through(JSON.parse('{"__proto__":{"evil":true}}')) as object
    expect(Object.getPrototypeOf(copy)).toBe(Object.prototype)
    expect(Object.keys(copy)).toEqual(['__proto__'])
  })

  test('refuses functions, symbols and promises', () => {
    for (const value of [() => 1, Symbol('x'), Promise.resolve(), { deep: [() => 1] }]) {
      expect(() => codec.pack(value)).toThrow('could not be cloned')
    }
  })
})
