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
  // Whoever keeps members in order, as all that is made here does, has them written by the engine.
  if (isInOrder(value, 0)) return JSON.stringify(value)
  const parts: string[] = []
  write(value, parts)
  return parts.join('')
}

/**
 * Whether all members stand in canonical order, so that the engine's own writer gives the canonical form.
 * Throws `EncodingError` for what has none.
 */
function isInOrder(value: unknown, depth: number): boolean {
  if (value === null) return true
  switch (typeof value) {
    case 'boolean':
      return true
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0))
        throw new EncodingError('bad_number')
      return true
    case 'string':
      if (!value.isWellFormed()) throw new EncodingError('bad_string')
      return true
    case 'object':
      if (depth >= MAX_JSON_DEPTH) throw new EncodingError('too_deep')
      return Array.isArray(value) ? areInOrder(value, depth + 1) : hasOrder(value, depth + 1)
    default:
      throw new EncodingError('not_json')
  }
}

function areInOrder(items: readonly unknown[], depth: number): boolean {
  let inOrder = true
  // By index: a hole in the array must be refused, not skipped.
  for (let index = 0; index < items.length; index++)
    inOrder = isInOrder(items[index], depth) && inOrder
  return inOrder
}

function hasOrder(value: object, depth: number): boolean {
  const prototype: unknown = Object.getPrototypeOf(value)
  // A Uint8Array, Date or Map would otherwise serialize as something that reads like an object.
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw new EncodingError('not_json')
  if (Object.getOwnPropertySymbols(value).length > 0) throw new EncodingError('not_json')
  let inOrder = true
  let last = ''
  for (const key of Object.keys(value)) {
    if (key === '__proto__') throw new EncodingError('forbidden_key')
    if (!key.isWellFormed()) throw new EncodingError('bad_string')
    // Strings compare by UTF-16 code units: the order RFC 8785 §3.2.3 asks for.
    if (key < last) inOrder = false
    last = key
    const member: unknown = (value as Readonly<Record<string, unknown>>)[key]
    inOrder = isInOrder(member, depth) && inOrder
  }
  return inOrder
}

/** What `isInOrder` has found to be JSON. Parts, because a text grown by pieces is slow to read again. */
function write(value: unknown, parts: string[]): void {
  if (typeof value !== 'object' || value === null) {
    parts.push(JSON.stringify(value))
  } else if (Array.isArray(value)) {
    let before = '['
    for (const item of value as readonly unknown[]) {
      parts.push(before)
      write(item, parts)
      before = ','
    }
    parts.push(before === '[' ? '[]' : ']')
  } else {
    let before = '{'
    for (const key of Object.keys(value).sort()) {
      parts.push(before, JSON.stringify(key), ':')
      write((value as Readonly<Record<string, unknown>>)[key], parts)
      before = ','
    }
    parts.push(before === '{' ? '{}' : '}')
  }
}
