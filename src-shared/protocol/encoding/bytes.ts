/**
 * Bytes and their text forms: UTF-8, hex, strict unpadded base64url (Encoding §1).
 *
 * Every decoder here is injective: one text for one byte string, anything else is refused.
 */
import { bytesToUtf8 } from '@noble/ciphers/utils.js'
import { bytesToHex, hexToBytes, utf8ToBytes } from '@noble/hashes/utils.js'
import { EncodingError } from './encoding-error.ts'

const ALPHABET = utf8ToBytes('ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_')
const INVALID = 0xff
const SEXTETS = new Uint8Array(256).fill(INVALID)
for (const [value, code] of ALPHABET.entries()) SEXTETS[code] = value

/** Throws `EncodingError('bad_string')` for a lone surrogate. */
export function toUtf8(text: string): Uint8Array {
  if (!text.isWellFormed()) throw new EncodingError('bad_string')
  return utf8ToBytes(text)
}

/** Throws `EncodingError('bad_utf8')` for anything but the shortest form of well-formed text. */
export function fromUtf8(bytes: Uint8Array): string {
  // The platform decoder swallows a leading byte order mark; it must survive, or two byte strings
  // would read as one text.
  let start = 0
  while (bytes[start] === 0xef && bytes[start + 1] === 0xbb && bytes[start + 2] === 0xbf) start += 3
  const text = '\ufeff'.repeat(start / 3) + bytesToUtf8(bytes.subarray(start))
  // The decoder replaces malformed sequences instead of refusing them; encoding again shows it.
  if (!isAscii(bytes) && !bytesEqual(utf8ToBytes(text), bytes)) throw new EncodingError('bad_utf8')
  return text
}

function isAscii(bytes: Uint8Array): boolean {
  let all = 0
  for (let index = 0; index < bytes.length; index++) all |= bytes[index] ?? 0
  return all < 0x80
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
  const out = new Uint8Array(Math.ceil((length * 4) / 3))
  const letter = (value: number): number => ALPHABET[value & 63] ?? INVALID
  let read = 0
  let written = 0
  for (; read + 2 < length; read += 3) {
    const group =
      ((bytes[read] ?? 0) << 16) | ((bytes[read + 1] ?? 0) << 8) | (bytes[read + 2] ?? 0)
    out[written] = letter(group >> 18)
    out[written + 1] = letter(group >> 12)
    out[written + 2] = letter(group >> 6)
    out[written + 3] = letter(group)
    written += 4
  }
  // One or two bytes are left; what lies beyond the end reads as zero and is not written.
  const rest = ((bytes[read] ?? 0) << 16) | ((bytes[read + 1] ?? 0) << 8)
  for (let shift = 18; written < out.length; shift -= 6) out[written++] = letter(rest >> shift)
  return latin1Text(out)
}

/** `apply` takes so many arguments on every engine. */
const MAX_ARGUMENTS = 4096

function latin1Text(codes: Uint8Array): string {
  if (codes.length > MAX_ARGUMENTS) return bytesToUtf8(codes)
  return String.fromCharCode.apply(null, codes as unknown as number[])
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
  const sextet = (index: number): number => {
    const code = text.charCodeAt(index)
    const value = code < 256 ? (SEXTETS[code] ?? INVALID) : INVALID
    seen |= value
    return value
  }
  let read = 0
  let written = 0
  for (; read + 3 < length; read += 4) {
    const group =
      (sextet(read) << 18) | (sextet(read + 1) << 12) | (sextet(read + 2) << 6) | sextet(read + 3)
    out[written] = group >> 16
    out[written + 1] = group >> 8
    out[written + 2] = group
    written += 3
  }
  if (read < length) {
    const third = read + 2 < length ? sextet(read + 2) : 0
    const group = (sextet(read) << 18) | (sextet(read + 1) << 12) | (third << 6)
    out[written] = group >> 16
    if (read + 2 < length) out[written + 1] = group >> 8
    // Bits that no byte takes up would make two spellings of one value.
    if ((read + 2 < length ? group & 0xff : group & 0xffff) !== 0)
      throw new EncodingError('bad_base64url')
  }
  if (seen >= 64) throw new EncodingError('bad_base64url')
  return out
}

/** Whether `text` is strict base64url, of exactly `byteLength` bytes where given. */
export function isBase64Url(text: string, byteLength?: number): boolean {
  if (byteLength !== undefined && text.length !== Math.ceil((byteLength * 4) / 3)) return false
  if (!/^[A-Za-z0-9_-]*$/.test(text) || text.length % 4 === 1) return false
  const spare = (text.length * 6) % 8
  const last = SEXTETS[text.charCodeAt(text.length - 1)] ?? 0
  return spare === 0 || (last & ((1 << spare) - 1)) === 0
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
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
