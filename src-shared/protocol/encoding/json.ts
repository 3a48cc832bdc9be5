/**
 * JSON values as the protocol allows them, and their one canonical form (RFC 8785, Encoding §1).
 *
 * Numbers are integers within ±(2^53 − 1), so RFC 8785's number formatting reduces to decimal digits.
 */
import * as z from 'zod'
import { toUtf8 } from './bytes.ts'
import { EncodingError } from './encoding-error.ts'

export type Json = null | boolean | number | string | readonly Json[] | JsonObject
export type JsonObject = { readonly [key: string]: Json }

/** Arrays and objects nested in one another, the outermost counting as 1. */
export const MAX_JSON_DEPTH = 16

/** Any value; whether it is JSON as the protocol has it was decided when it was read. */
export const jsonSchema: z.ZodType<Json> = z.json()

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Throws `EncodingError` for a value that `parseJson` would refuse or JSON cannot say. */
export function canonicalBytes(value: Json): Uint8Array {
  return toUtf8(canonicalText(value))
}

/** As `canonicalBytes`, before UTF-8. */
export function canonicalText(value: Json): string {
  return write(value, 0)
}

function write(value: unknown, depth: number): string {
  if (value === null) return 'null'
  switch (typeof value) {
    case 'boolean':
      return value ? 'true' : 'false'
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0))
        throw new EncodingError('bad_number')
      return String(value)
    case 'string':
      return quote(value)
    case 'object':
      if (depth >= MAX_JSON_DEPTH) throw new EncodingError('too_deep')
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1)
    default:
      throw new EncodingError('not_json')
  }
}

function writeArray(value: readonly unknown[], depth: number): string {
  const items: string[] = []
  // By index: a hole in the array must be refused, not skipped.
  for (let index = 0; index < value.length; index++) items.push(write(value[index], depth))
  return `[${items.join(',')}]`
}

function writeObject(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value)
  // A Uint8Array, Date or Map would otherwise serialize as something that reads like an object.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new EncodingError('not_json')
  if (Object.getOwnPropertySymbols(value).length > 0) throw new EncodingError('not_json')
  // Array.prototype.sort compares UTF-16 code units: the order RFC 8785 §3.2.3 asks for.
  const keys = Object.keys(value).sort()
  let out = '{'
  for (const key of keys) {
    if (key === '__proto__') throw new EncodingError('forbidden_key')
    const member: unknown = (value as Readonly<Record<string, unknown>>)[key]
    out += `${out === '{' ? '' : ','}${quote(key)}:${write(member, depth)}`
  }
  return `${out}}`
}

function quote(text: string): string {
  if (!text.isWellFormed()) throw new EncodingError('bad_string')
  return JSON.stringify(text)
}
