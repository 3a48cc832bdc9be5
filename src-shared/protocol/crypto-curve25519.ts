/**
 * Which Curve25519 keys count, and cofactorless Ed25519 (Encoding §1) over @noble's point arithmetic:
 * the rules every adapter must meet.
 *
 * Libraries differ on signatures with a torsion component, on non-canonical or small-order keys, and
 * (OpenSSL from one version to the next) on an R of small order; nodes that differ would split a room.
 * So the rule is bytewise: `S < L`, a canonical public key and an R that are not of small order, and
 * `encode(S·B − k·A) == R`.
 */
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import type { Crypto } from './crypto.ts'
import { bytesEqual, concatBytes, fromHex } from './encoding/index.ts'

const { Point } = ed25519
const GROUP_ORDER = Point.Fn.ORDER
const SMALL_ORDER = ED25519_TORSION_SUBGROUP.map(fromHex)

/**
 * The part of the rule that needs no curve arithmetic: 32 bytes, `y < p`, not one of the eight points of
 * small order in either spelling of its sign.
 */
export function isCanonicalEd25519Key(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false
  const y = Uint8Array.from(publicKey)
  y[31] = (y[31] ?? 0) & 0x7f
  // The list has both signs of each point but those with x = 0, whose set sign bit is no encoding.
  return (
    isReduced(y) && !SMALL_ORDER.some((key) => bytesEqual(key, publicKey) || bytesEqual(key, y))
  )
}

/** 32 bytes that spell `u < p`; a second spelling of one key would pass as a key never seen. */
export function isCanonicalX25519Key(publicKey: Uint8Array): boolean {
  return publicKey.length === 32 && isReduced(publicKey)
}

/** Canonical and not of low order: the agreement never ends in an all-zero secret. Never throws. */
export function isAdmissibleX25519Key(crypto: Crypto, publicKey: Uint8Array): boolean {
  if (!isCanonicalX25519Key(publicKey)) return false
  try {
    // Any scalar shows a point of low order: clamped ones are multiples of the cofactor.
    crypto.x25519(new Uint8Array(32).fill(1), publicKey)
    return true
  } catch {
    return false
  }
}

/** What a signature and its key must be before any arithmetic; R answers to the same rule as the key. */
export function isWellFormedSignature(publicKey: Uint8Array, signature: Uint8Array): boolean {
  return (
    signature.length === 64 &&
    isCanonicalEd25519Key(publicKey) &&
    isCanonicalEd25519Key(signature.subarray(0, 32))
  )
}

/** Never throws. */
export function verifyCofactorless(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (!isWellFormedSignature(publicKey, signature)) return false
  const s = littleEndian(signature.subarray(32))
  if (s >= GROUP_ORDER) return false
  const r = signature.subarray(0, 32)
  const k = littleEndian(sha512(concatBytes(r, publicKey, message))) % GROUP_ORDER
  try {
    const a = Point.fromBytes(publicKey)
    // Public values only, so the variable-time multiplication is safe.
    const expected = Point.BASE.multiplyUnsafe(s).subtract(a.multiplyUnsafe(k))
    return bytesEqual(expected.toBytes(), r)
  } catch {
    // The key is not a point of the curve.
    return false
  }
}

/** Canonical, on the curve, not of small order, torsion-free. Never throws. */
export function isAdmissibleEd25519Key(publicKey: Uint8Array): boolean {
  if (!isCanonicalEd25519Key(publicKey)) return false
  try {
    return Point.fromBytes(publicKey).isTorsionFree()
  } catch {
    return false
  }
}

/** Little-endian bytes below p = 2^255 − 19. */
function isReduced(bytes: Uint8Array): boolean {
  const last = bytes[31] ?? 0xff
  if (last !== 0x7f) return last < 0x7f
  if (bytes.subarray(1, 31).some((byte) => byte !== 0xff)) return true
  return (bytes[0] ?? 0xff) < 0xed
}

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--)
    value = (value << 8n) | BigInt(bytes[index] ?? 0)
  return value
}
