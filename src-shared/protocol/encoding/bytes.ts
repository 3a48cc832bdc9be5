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
  if (!bytesEqual(utf8ToBytes(text), bytes)) throw new EncodingError('bad_utf8')
  return text
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
  const out = new Uint8Array(Math.ceil((bytes.length * 4) / 3))
  let written = 0
  let buffer = 0
  let bits = 0
  for (const byte of bytes) {
    buffer = ((buffer << 8) | byte) & 0xffff
    bits += 8
    while (bits >= 6) {
      bits -= 6
      out[written++] = ALPHABET[(buffer >> bits) & 63] ?? INVALID
    }
  }
  if (bits > 0) out[written] = ALPHABET[(buffer << (6 - bits)) & 63] ?? INVALID
  return bytesToUtf8(out)
}

/**
 * Throws `EncodingError('bad_base64url')` for padding, white space, the other alphabet, an impossible
 * length or trailing bits that are not zero.
 */
export function fromBase64Url(text: string): Uint8Array {
  if (text.length % 4 === 1) throw new EncodingError('bad_base64url')
  const out = new Uint8Array(Math.floor((text.length * 3) / 4))
  let written = 0
  let buffer = 0
  let bits = 0
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    const value = code < 256 ? (SEXTETS[code] ?? INVALID) : INVALID
    if (value === INVALID) throw new EncodingError('bad_base64url')
    buffer = ((buffer << 6) | value) & 0xffff
    bits += 6
    if (bits >= 8) {
      bits -= 8
      out[written++] = (buffer >> bits) & 0xff
    }
  }
  if ((buffer & ((1 << bits) - 1)) !== 0) throw new EncodingError('bad_base64url')
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
