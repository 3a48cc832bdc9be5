import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  canonicalText,
  concatBytes,
  EncodingError,
  fromUtf8,
  isJsonObject,
  parseJson,
  parseJsonObject,
  toUtf8,
} from './index.ts'
import type { EncodingErrorCode, Json } from './index.ts'

const parse = (text: string, canonical = false): Json =>
  parseJson(toUtf8(text), { maxBytes: 100_000, canonical })

/** The code of the EncodingError, or what happened instead. */
function codeOf(run: () => unknown): string {
  try {
    return `no error: ${JSON.stringify(run())}`
  } catch (error) {
    return error instanceof EncodingError ? error.code : `another error: ${String(error)}`
  }
}

type Outcome = { readonly value: Json } | { readonly code: string }

function outcomeOf(read: () => Json): Outcome {
  try {
    return { value: read() }
  } catch (error) {
    if (error instanceof EncodingError) return { code: error.code }
    throw error
  }
}

const text = fc.string({ unit: 'binary', maxLength: 12 })
const key = text.filter((name) => name !== '__proto__')
const json: fc.Arbitrary<Json> = fc.letrec<{ value: Json }>((tie) => ({
  value: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.constant(null),
    fc.boolean(),
    fc.maxSafeInteger(),
    text,
    fc.array(tie('value'), { maxLength: 4 }),
    fc
      .uniqueArray(fc.tuple(key, tie('value')), { maxLength: 4, selector: ([name]) => name })
      .map((members): Json => Object.fromEntries(members)),
  ),
})).value

const depthOf = (value: Json): number =>
  typeof value === 'object' && value !== null
    ? 1 + Math.max(0, ...Object.values(value).map((item: Json) => depthOf(item)))
    : 0
const shallowJson = json.filter((value) => depthOf(value) <= 16)

describe('canonical JSON', () => {
  it('reads back as the value it was made from, in strict canonical mode', () => {
    fc.assert(
      fc.property(shallowJson, (value) => {
        const bytes = canonicalBytes(value)
        expect(parseJson(bytes, { maxBytes: 1_000_000, canonical: true })).toEqual(value)
      }),
    )
  })

  it('says the same as JSON.parse wherever both accept a text', () => {
    fc.assert(
      fc.property(shallowJson, fc.nat(3), (value, indent) => {
        const pretty = JSON.stringify(value, null, indent)
        expect(parse(pretty)).toEqual(JSON.parse(pretty))
      }),
    )
  })

  it('never accepts what JSON.parse refuses, nor reads it differently', () => {
    fc.assert(
      fc.property(
        shallowJson,
        fc.nat(),
        fc.constantFrom('', '"', '{', '}', '[', ']', ',', ':', '\\', '-', '0', '1', 'e', '.', ' '),
        (value, at, insert) => {
          const good = canonicalText(value)
          const place = at % (good.length + 1)
          const mutated = good.slice(0, place) + insert + good.slice(place + 1)
          if (!mutated.isWellFormed()) return
          let read: Json
          try {
            read = parse(mutated)
          } catch (error) {
            expect(error).toBeInstanceOf(EncodingError)
            return
          }
          expect(read).toEqual(JSON.parse(mutated))
        },
      ),
      { numRuns: 500 },
    )
  })

  it('takes in canonical mode what is the canonical form of what it reads, and nothing else', () => {
    const piece = fc.constantFrom('"', '{', '}', '[', ']', ',', ':', '\\', '-', '0', '1', 'e', ' ')
    fc.assert(
      fc.property(shallowJson, fc.nat(), fc.nat(1), piece, (value, at, cut, insert) => {
        const good = canonicalText(value)
        const place = at % (good.length + 1)
        const mutated = good.slice(0, place) + insert + good.slice(place + cut)
        if (!mutated.isWellFormed()) return
        const read = outcomeOf(() => parse(mutated))
        const isItsForm = 'value' in read && canonicalText(read.value) === mutated
        const refused = 'value' in read ? { code: 'not_canonical' } : read
        expect(outcomeOf(() => parse(mutated, true))).toEqual(isItsForm ? read : refused)
      }),
      { numRuns: 500 },
    )
  })

  it('does not depend on the order in which members were added', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(key, fc.maxSafeInteger()), {
          selector: ([name]) => name,
        }),
        (members) => {
          const forth = Object.fromEntries(members)
          const back = Object.fromEntries([...members].reverse())
          expect(canonicalText(forth)).toBe(canonicalText(back))
        },
      ),
    )
  })

  it('refuses every other spelling of a value in canonical mode', () => {
    for (const other of [
      '{"b":1,"a":2}',
      '{ "a":1}',
      '["\\u0061"]',
      '["\\/"]',
      '[1]\n',
      '"\\u000A"',
    ])
      expect(codeOf(() => parse(other, true))).toBe('not_canonical')
  })

  it('orders members as RFC 8785 §3.2.3 does', () => {
    const input =
      '{"\\u20ac":"Euro Sign","\\r":"Carriage Return","\\ufb33":"Hebrew Letter Dalet With Dagesh",' +
      '"1":"One","\\ud83d\\ude00":"Emoji: Grinning Face","\\u0080":"Control",' +
      '"\\u00f6":"Latin Small Letter O With Diaeresis"}'
    expect(
      [...canonicalText(parse(input)).matchAll(/:"([^"]*)"/g)].map((match) => match[1]),
    ).toEqual([
      'Carriage Return',
      'One',
      'Control',
      'Latin Small Letter O With Diaeresis',
      'Euro Sign',
      'Emoji: Grinning Face',
      'Hebrew Letter Dalet With Dagesh',
    ])
  })

  it('writes strings and literals as the example of RFC 8785 §3.2.2 does', () => {
    const input =
      '{"string":"\\u20ac$\\u000F\\u000aA\'\\u0042\\u0022\\u005c\\\\\\"\\/","literals":[null,true,false]}'
    const output = '{"literals":[null,true,false],"string":"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"}'
    expect(canonicalText(parse(input))).toBe(output)
  })

  it('refuses the fractions and exponents of that example', () => {
    for (const number of [
      '333333333.33333329',
      '1E30',
      '4.50',
      '2e-3',
      '1.0',
      '1e2',
      '0.000000000000001',
    ])
      expect(codeOf(() => parse(`[${number}]`))).toBe('bad_number')
  })

  it.each<[string, unknown, EncodingErrorCode]>([
    ['a fraction', 1.5, 'bad_number'],
    ['minus zero', -0, 'bad_number'],
    ['NaN', Number.NaN, 'bad_number'],
    ['an unsafe integer', 2 ** 53, 'bad_number'],
    ['a lone surrogate', '\ud800', 'bad_string'],
    ['a lone surrogate as a key', { '\udc00': 1 }, 'bad_string'],
    ['undefined', { a: undefined }, 'not_json'],
    ['a hole in an array', Array(1), 'not_json'],
    ['bytes', new Uint8Array(2), 'not_json'],
    ['a Map', new Map(), 'not_json'],
    ['a bigint', 1n, 'not_json'],
    ['a symbol as a key', { [Symbol('x')]: 1 }, 'not_json'],
    ['__proto__', Object.fromEntries([['__proto__', 1]]), 'forbidden_key'],
  ])('does not write %s', (_, value, code) => {
    expect(codeOf(() => canonicalBytes(value as Json))).toBe(code)
  })
})

describe('the strict parser', () => {
  it.each<[string, string, EncodingErrorCode]>([
    ['a duplicate key', '{"a":1,"a":2}', 'duplicate_key'],
    ['a duplicate key spelled with an escape', '{"a":1,"\\u0061":2}', 'duplicate_key'],
    ['__proto__', '{"__proto__":{"admin":true}}', 'forbidden_key'],
    ['an escaped __proto__', '{"\\u005f_proto__":1}', 'forbidden_key'],
    ['a lone high surrogate', '"\\ud800"', 'bad_string'],
    ['a lone low surrogate', '"\\udc00x"', 'bad_string'],
    ['surrogates in the wrong order', '"\\udc00\\ud800"', 'bad_string'],
    ['a lone surrogate in a key', '{"\\ud800":1}', 'bad_string'],
    ['2^53', '9007199254740992', 'bad_number'],
    ['-2^53', '-9007199254740992', 'bad_number'],
    ['an integer that rounds to a safe one', '9007199254740991.4', 'bad_number'],
    ['-0', '-0', 'bad_number'],
    ['-0.0', '-0.0', 'bad_number'],
    ['a leading zero', '01', 'bad_json'],
    ['a plus sign', '+1', 'bad_json'],
    ['a bare minus', '-', 'bad_json'],
    ['hexadecimal', '0x10', 'bad_json'],
    ['NaN', 'NaN', 'bad_json'],
    ['Infinity', 'Infinity', 'bad_json'],
    ['nothing', '', 'bad_json'],
    ['two values', '1 2', 'bad_json'],
    ['a trailing comma in an array', '[1,]', 'bad_json'],
    ['a trailing comma in an object', '{"a":1,}', 'bad_json'],
    ['a missing colon', '{"a" 1}', 'bad_json'],
    ['an unquoted key', '{a:1}', 'bad_json'],
    ['single quotes', "'a'", 'bad_json'],
    ['a comment', '[1/**/]', 'bad_json'],
    ['a raw line break in a string', '"\n"', 'bad_json'],
    ['a raw NUL in a string', '"\0"', 'bad_json'],
    ['an unknown escape', '"\\x41"', 'bad_json'],
    ['a short escape', '"\\u12"', 'bad_json'],
    ['an unclosed string', '"abc', 'bad_json'],
    ['an unclosed array', '[[1]', 'bad_json'],
    ['a no-break space', '\u00a0[1]', 'bad_json'],
    ['a byte order mark', '\ufeff[1]', 'bad_json'],
    ['a truncated literal', 'tru', 'bad_json'],
    ['a literal with a tail', 'nullx', 'bad_json'],
  ])('refuses %s', (_, input, code) => {
    expect(codeOf(() => parse(input))).toBe(code)
    expect(codeOf(() => parse(input, true))).toBe(code)
  })

  it.each([
    ['an overlong slash', [0x22, 0xc0, 0xaf, 0x22]],
    ['a surrogate in UTF-8', [0x22, 0xed, 0xa0, 0x80, 0x22]],
    ['a truncated sequence', [0x22, 0xe2, 0x82, 0x22]],
    ['a byte beyond UTF-8', [0x22, 0xff, 0x22]],
    ['a code point beyond Unicode', [0x22, 0xf4, 0x90, 0x80, 0x80, 0x22]],
  ])('refuses %s', (_, input) => {
    expect(codeOf(() => parseJson(Uint8Array.from(input), { maxBytes: 100 }))).toBe('bad_utf8')
  })

  it('accepts the edges of the number range', () => {
    expect(parse('[9007199254740991,-9007199254740991,0,-1]')).toEqual([
      Number.MAX_SAFE_INTEGER,
      Number.MIN_SAFE_INTEGER,
      0,
      -1,
    ])
  })

  it('accepts depth 16 and refuses depth 17', () => {
    const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth)
    expect(canonicalText(parse(nested(16)))).toBe(nested(16))
    expect(codeOf(() => parse(nested(17)))).toBe('too_deep')
    const objects = (depth: number): string => '{"a":'.repeat(depth) + '1' + '}'.repeat(depth)
    expect(canonicalText(parse(objects(16)))).toBe(objects(16))
    expect(codeOf(() => parse(objects(17)))).toBe('too_deep')
  })

  it('refuses a hundred thousand open brackets without exhausting the stack', () => {
    const flood = toUtf8('['.repeat(100_000))
    expect(codeOf(() => parseJson(flood, { maxBytes: flood.length }))).toBe('too_deep')
  })

  it('writes depth 16 and not depth 17', () => {
    let value: Json = 1
    for (let depth = 0; depth < 16; depth++) value = [value]
    expect(canonicalBytes(value).length).toBe(33)
    const tooDeep: Json = [value]
    expect(codeOf(() => canonicalBytes(tooDeep))).toBe('too_deep')
  })

  it('measures the limit in bytes', () => {
    const bytes = toUtf8('"é"')
    expect(parseJson(bytes, { maxBytes: 4 })).toBe('é')
    expect(codeOf(() => parseJson(bytes, { maxBytes: 3 }))).toBe('too_large')
  })

  it('keeps names that mean something on other objects as plain members', () => {
    const value = parse('{"constructor":1,"toString":2,"hasOwnProperty":3}')
    expect(Object.entries(value as object)).toEqual([
      ['constructor', 1],
      ['toString', 2],
      ['hasOwnProperty', 3],
    ])
  })

  it('asks for an object where one is due', () => {
    for (const other of ['[]', 'null', '1', '"a"', 'true'])
      expect(codeOf(() => parseJsonObject(toUtf8(other), { maxBytes: 9 }))).toBe('bad_json')
    expect(parseJsonObject(toUtf8('{"a":1}'), { maxBytes: 9 })).toEqual({ a: 1 })
    expect(codeOf(() => parseJsonObject(toUtf8('{"a":1}'), { maxBytes: 6 }))).toBe('too_large')
  })

  it('reads every escape as what it stands for', () => {
    expect(parse('"\\"\\\\\\/\\b\\f\\n\\r\\t\\u00e9\\u00E9"')).toBe('"\\/\b\f\n\r\téé')
  })

  it.each([
    ['a missing comma in an array', '[1 2]', 'bad_json'],
    ['a missing comma in an object', '{"a":1 "b":2}', 'bad_json'],
    ['a brace for a bracket', '[1}', 'bad_json'],
    ['a bracket for a brace', '{"a":1]', 'bad_json'],
    ['a comma alone', '[,]', 'bad_json'],
    ['a key without a value', '{"a":}', 'bad_json'],
    ['a key alone', '{"a"}', 'bad_json'],
    ['a number as a key', '{1:1}', 'bad_json'],
    ['an unclosed object', '{"a":{"b":1}', 'bad_json'],
    ['an escape at the end', '"\\', 'bad_json'],
    ['an escape that has no digits', '"\\uzzzz"', 'bad_json'],
    ['an escape that has three digits', '"\\u00ez"', 'bad_json'],
    ['a point without digits', '1.', 'bad_number'],
    ['a capital exponent', '1E5', 'bad_number'],
    ['two zeros', '00', 'bad_json'],
    ['a negative leading zero', '-01', 'bad_json'],
    ['a string that ends with a line break', '"a\n', 'bad_json'],
    ['a raw tabulator in a string', '"\t"', 'bad_json'],
    ['a raw unit separator in a string', '"\u001f"', 'bad_json'],
    ['a vertical tabulator between values', '[\v1]', 'bad_json'],
    ['false misspelled', 'fals3', 'bad_json'],
    ['null misspelled', 'nul', 'bad_json'],
    ['a tail after an object', '{} x', 'bad_json'],
    ['a second document', '{}{}', 'bad_json'],
  ] as const)('refuses %s as well', (_, input, code) => {
    expect(codeOf(() => parse(input))).toBe(code)
  })

  it('passes over white space wherever JSON allows it', () => {
    const spaced = ' \t\n\r{ "a" \t:\n[ 1 ,\r2 , [ ] , { } ] , "b" : null } \n'
    expect(parse(spaced)).toEqual({ a: [1, 2, [], {}], b: null })
    expect(codeOf(() => parse(spaced, true))).toBe('not_canonical')
  })

  it('takes text with all characters that need no escape', () => {
    const plain = ' !#[]^~\u007f\u0080\uffff\u{10000}'
    expect(parse(`"${plain}"`)).toBe(plain)
  })
})

describe('JSON values', () => {
  it('are objects only where they have members', () => {
    expect(isJsonObject({})).toBe(true)
    for (const other of [[], null, undefined, 1, 'a', true]) expect(isJsonObject(other)).toBe(false)
  })

  it('may lack a prototype, and are refused with another one', () => {
    const bare = Object.assign(Object.create(null) as object, { b: 1, a: [true, false, null] })
    expect(canonicalText(bare as Json)).toBe('{"a":[true,false,null],"b":1}')
    class Box {
      readonly a = 1
    }
    expect(codeOf(() => canonicalText(new Box() as unknown as Json))).toBe('not_json')
  })

  it('are written in their canonical form', () => {
    expect(canonicalText({ b: [], a: {}, c: [1, 'x'] })).toBe('{"a":{},"b":[],"c":[1,"x"]}')
    expect(canonicalText(Number.MIN_SAFE_INTEGER)).toBe('-9007199254740991')
    expect(canonicalText(true)).toBe('true')
  })

  it('keep the limit of nesting in arrays and objects alike', () => {
    let value: Json = 1
    for (let depth = 0; depth < 16; depth++) value = { a: value }
    expect(parse(canonicalText(value))).toEqual(value)
    const tooDeep: Json = { a: value }
    expect(codeOf(() => canonicalText(tooDeep))).toBe('too_deep')
  })
})

describe('UTF-8', () => {
  it('keeps a byte order mark instead of swallowing it', () => {
    const mark = Uint8Array.of(0xef, 0xbb, 0xbf)
    const twice = concatBytes(mark, mark, toUtf8('x'))
    expect(fromUtf8(twice)).toBe('\ufeff\ufeffx')
    expect(toUtf8(fromUtf8(twice))).toEqual(twice)
  })

  it('reads any well-formed text back', () => {
    fc.assert(fc.property(text, (value) => fromUtf8(toUtf8(value)) === value))
  })
})
