/**
 * The strict JSON parser (Encoding §1): RFC 8259 less everything on which two parsers may differ.
 *
 * Refused: duplicate keys, `__proto__`, lone surrogates, malformed UTF-8, a byte order mark, numbers
 * that are not plain integers within ±(2^53 − 1), `-0`, nesting deeper than 16, more than `maxBytes`.
 * It knows no schema.
 */
import { fromUtf8 } from './bytes.ts'
import { EncodingError } from './encoding-error.ts'
import { canonicalText, isJsonObject, MAX_JSON_DEPTH } from './json.ts'
import type { Json, JsonObject } from './json.ts'

export interface ParseJsonOptions {
  /** Upper bound of the input in bytes, checked before anything else. */
  readonly maxBytes: number
  /** Require that the input is exactly the canonical form of what it says. */
  readonly canonical?: boolean
}

/** Throws `EncodingError`. */
export function parseJson(bytes: Uint8Array, options: ParseJsonOptions): Json {
  if (bytes.length > options.maxBytes) throw new EncodingError('too_large')
  const text = fromUtf8(bytes)
  if (options.canonical !== true) return new Parser(text).document()
  const value = canonicalValue(text)
  if (value !== undefined) return value
  // Only to say why: what is refused here is as often not JSON at all.
  new Parser(text).document()
  throw new EncodingError('not_canonical')
}

/**
 * The value whose canonical form `text` is, if it is one. The engine's own parser is lax where ours is
 * strict, but everything it lets pass shows when the value is written again.
 */
function canonicalValue(text: string): Json | undefined {
  try {
    const value = JSON.parse(text) as Json
    return canonicalText(value) === text ? value : undefined
  } catch {
    return undefined
  }
}

/** As `parseJson`; throws `EncodingError('bad_json')` where the outermost value is not an object. */
export function parseJsonObject(bytes: Uint8Array, options: ParseJsonOptions): JsonObject {
  const value = parseJson(bytes, options)
  if (!isJsonObject(value)) throw new EncodingError('bad_json')
  return value
}

const WHITE_SPACE = /[ \t\n\r]*/y
const INTEGER = /-?(?:0|[1-9][0-9]*)/y
// Everything but the quote, the backslash and the control characters, which JSON forbids raw.
const PLAIN = /[ !#-[\]-\uffff]*/y
const HEX4 = /[0-9a-fA-F]{4}/y
const ESCAPES: ReadonlyMap<string, string> = new Map([
  ['"', '"'],
  ['\\', '\\'],
  ['/', '/'],
  ['b', '\b'],
  ['f', '\f'],
  ['n', '\n'],
  ['r', '\r'],
  ['t', '\t'],
])

class Parser {
  readonly #text: string
  #at = 0

  constructor(text: string) {
    this.#text = text
  }

  document(): Json {
    const value = this.#value(0)
    this.#take(WHITE_SPACE)
    if (this.#at !== this.#text.length) throw new EncodingError('bad_json')
    return value
  }

  #value(depth: number): Json {
    this.#take(WHITE_SPACE)
    switch (this.#text[this.#at]) {
      case '{':
        return this.#object(depth + 1)
      case '[':
        return this.#array(depth + 1)
      case '"':
        return this.#string()
      case 't':
        return this.#literal('true', true)
      case 'f':
        return this.#literal('false', false)
      case 'n':
        return this.#literal('null', null)
      default:
        return this.#integer()
    }
  }

  #object(depth: number): JsonObject {
    if (depth > MAX_JSON_DEPTH) throw new EncodingError('too_deep')
    this.#at++
    const out: Record<string, Json> = {}
    if (this.#skip('}')) return out
    do {
      this.#take(WHITE_SPACE)
      const key = this.#string()
      // Assigning `__proto__` would replace the object's prototype instead of adding a member.
      if (key === '__proto__') throw new EncodingError('forbidden_key')
      if (Object.hasOwn(out, key)) throw new EncodingError('duplicate_key')
      this.#expect(':')
      out[key] = this.#value(depth)
    } while (this.#skip(','))
    this.#expect('}')
    return out
  }

  #array(depth: number): readonly Json[] {
    if (depth > MAX_JSON_DEPTH) throw new EncodingError('too_deep')
    this.#at++
    const out: Json[] = []
    if (this.#skip(']')) return out
    do out.push(this.#value(depth))
    while (this.#skip(','))
    this.#expect(']')
    return out
  }

  #string(): string {
    if (this.#text[this.#at] !== '"') throw new EncodingError('bad_json')
    this.#at++
    let out = this.#take(PLAIN)
    while (this.#text[this.#at] === '\\') {
      this.#at++
      out += this.#escape() + this.#take(PLAIN)
    }
    if (this.#text[this.#at] !== '"') throw new EncodingError('bad_json')
    this.#at++
    if (!out.isWellFormed()) throw new EncodingError('bad_string')
    return out
  }

  #escape(): string {
    const letter = this.#text[this.#at++] ?? ''
    if (letter !== 'u') {
      const plain = ESCAPES.get(letter)
      if (plain === undefined) throw new EncodingError('bad_json')
      return plain
    }
    const digits = this.#take(HEX4)
    if (digits === '') throw new EncodingError('bad_json')
    return String.fromCharCode(Number.parseInt(digits, 16))
  }

  #integer(): number {
    const digits = this.#take(INTEGER)
    const next = this.#text[this.#at] ?? ''
    if (digits === '') throw new EncodingError('bad_json')
    if (/[0-9]/.test(next)) throw new EncodingError('bad_json')
    const value = Number(digits)
    if (/[.eE]/.test(next) || digits === '-0' || !Number.isSafeInteger(value))
      throw new EncodingError('bad_number')
    return value
  }

  #literal<T extends Json>(word: string, value: T): T {
    if (!this.#text.startsWith(word, this.#at)) throw new EncodingError('bad_json')
    this.#at += word.length
    return value
  }

  #take(pattern: RegExp): string {
    pattern.lastIndex = this.#at
    const found = pattern.exec(this.#text)?.[0] ?? ''
    this.#at += found.length
    return found
  }

  #skip(character: string): boolean {
    this.#take(WHITE_SPACE)
    if (this.#text[this.#at] !== character) return false
    this.#at++
    return true
  }

  #expect(character: string): void {
    if (!this.#skip(character)) throw new EncodingError('bad_json')
  }
}
