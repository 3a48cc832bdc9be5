/**
 * Bytes and their text forms: UTF-8, hex, strict unpadded base64url (Encoding §1).
 *
 * Every decoder here is injective: one text for one byte string, anything else is refused.
 */
import { bytesToUtf8 } from '@noble/ciphers/utils.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { EncodingError } from './encoding-error.ts'

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
const INVALID = 0xff
const SEXTETS = new Uint8Array(128).fill(INVALID)
for (let value = 0; value < 64; value++) SEXTETS[ALPHABET.charCodeAt(value)] = value

/** Throws `EncodingError('bad_string')` for a lone surrogate. */
export function toUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new EncodingError('bad_string')
  return (text.length <= SHORT_TEXT ? asciiBytes(text) : null) ?? utf8ToBytes(text)
}

/** Up to here a platform's encoder costs more than going over the characters. */
const SHORT_TEXT = 128

/** `null` where not all of it is ASCII. */
function asciiBytes(text: string): Uint8Array | null {
  const { length } = text
  const out = new Uint8Array(length)
  let all = 0
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    all |= code
    out[index] = code
  }
  return all < 0x80 ? out : null
}

/** Throws `EncodingError('bad_utf8')` for anything but the shortest form of well-formed text. */
export function fromUtf8(bytes: Uint8Array): string {
  // The platform decoder swallows a leading byte order mark; it must survive, or two byte strings
  // would read as one text.
  let start = 0
  while (bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) start += 3
  const text = '\ufeff'.repeat(start / 3) + bytesToUtf8(bytes.subarray(start))
  // The decoder replaces malformed sequences instead of refusing them; encoding again shows it.
  if (!isAscii(text, bytes) && !bytesEqual(utf8ToBytes(text), bytes))
    throw new EncodingError('bad_utf8')
  return text
}

/** Only ASCII and what is malformed gives a code unit for every byte, and the latter is replaced. */
function isAscii(text: string, bytes: Uint8Array): boolean {
  return text.length === bytes.length && !text.includes('\ufffd')
}

/** Lower-case hex. */
export function toHex(bytes: Uint8Array): string {
  return bytesToHex(bytes)
}

/** Lower-case only; throws `EncodingError('bad_hex')`. */
export function fromHex(text: string): Uint8Array {
  if (text.length % 2 !== 0 || !/^[0-9a-f]*$/.test(text)) throw new EncodingError('bad_hex')
  return hexToBytes(text)
}

/** Unpadded base64url (RFC 4648 §5). */
export function toBase64Url(bytes: Uint8Array): string {
  const { length } = bytes
  const codes = new Array<number>(Math.ceil((length * 4) / 3))
  let read = 0
  let written = 0
  for (; read + 2 < length; read += 3) {
    const group =
      ((bytes[read] ?? 0) << 16) | ((bytes[read + 1] ?? 0) << 8) | (bytes[read + 2] ?? 0)
    codes[written] = ALPHABET.charCodeAt(group >> 18)
    codes[written + 1] = ALPHABET.charCodeAt((group >> 12) & 63)
    codes[written + 2] = ALPHABET.charCodeAt((group >> 6) & 63)
    codes[written + 3] = ALPHABET.charCodeAt(group & 63)
    written += 4
  }
  // One or two bytes are left; what lies beyond the end reads as zero and is not written.
  const rest = ((bytes[read] ?? 0) << 16) | ((bytes[read + 1] ?? 0) << 8)
  for (let shift = 18; written < codes.length; shift -= 6)
    codes[written++] = ALPHABET.charCodeAt((rest >> shift) & 63)
  return textOf(codes)
}

/** `apply` takes so many arguments on every engine. */
const MAX_ARGUMENTS = 4096

/** Of an array: engines take a typed one apart several times as slowly. */
function textOf(codes: readonly number[]): string {
  if (codes.length <= MAX_ARGUMENTS) return String.fromCharCode(...codes)
  return bytesToUtf8(Uint8Array.from(codes))
}

/**
 * Throws `EncodingError('bad_base64url')` for padding, white space, the other alphabet, an impossible
 * length or trailing bits that are not zero.
 */
export function fromBase64Url(text: string): Uint8Array {
  const { length } = text
  if (length % 4 === 1) throw new EncodingError('bad_base64url')
  const out = new Uint8Array(Math.floor((length * 3) / 4))
  // Sextets are below 64, so any bit above says that a character was not one.
  let seen = 0
  let read = 0
  let written = 0
  for (; read + 3 < length; read += 4) {
    const first = sextet(text, read)
    const second = sextet(text, read + 1)
    const third = sextet(text, read + 2)
    const fourth = sextet(text, read + 3)
    seen |= first | second | third | fourth
    const group = (first << 18) | (second << 12) | (third << 6) | fourth
    out[written] = group >> 16
    out[written + 1] = group >> 8
    out[written + 2] = group
    written += 3
  }
  if (read < length) {
    const three = read + 2 < length
    const third = three ? sextet(text, read + 2) : 0
    const group = (sextet(text, read) << 18) | (sextet(text, read + 1) << 12) | (third << 6)
    seen |= sextet(text, read) | sextet(text, read + 1) | third
    out[written] = group >> 16
    if (three) out[written + 1] = group >> 8
    // Bits that no byte takes up would make two spellings of one value.
    if ((three ? group & 0xff : group & 0xffff) !== 0) throw new EncodingError('bad_base64url')
  }
  if (seen >= 64) throw new EncodingError('bad_base64url')
  return out
}

function sextet(text: string, index: number): number {
  return SEXTETS[text.charCodeAt(index)] ?? INVALID
}

/** Whether `text` is strict base64url, of exactly `byteLength` bytes where given. */
export function isBase64Url(text: string, byteLength?: number): boolean {
  if (byteLength !== undefined && text.length !== Math.ceil((byteLength * 4) / 3)) return false
  const { length } = text
  if (length % 4 === 1) return false
  let seen = 0
  let last = 0
  for (let index = 0; index < length; index++) seen |= last = sextet(text, index)
  const spare = (length * 6) % 8
  return seen < 64 && (spare === 0 || (last & ((1 << spare) - 1)) === 0)
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  let length = 0
  for (const part of parts) length += part.length
  const out = new Uint8Array(length)
  let offset = 0
  for (const part of parts) {
    out.set(part, offset)
    offset += part.length
  }
  return out
}

/** For public values; secrets are compared by `Crypto.equal`. */
export function bytesEqual(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false
  for (let index = 0; index < a.length; index++) if (a[index] !== b[index]) return false
  return true
}
