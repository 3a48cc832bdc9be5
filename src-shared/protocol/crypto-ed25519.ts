/**
 * Cofactorless Ed25519 (Encoding §1) over @noble's point arithmetic: the rule every adapter must meet.
 *
 * Libraries differ on signatures with a torsion component and on non-canonical or small-order keys;
 * nodes that differ would split a room. So the rule is bytewise: `S < L`, a canonical public key that
 * is not of small order, and `encode(S·B − k·A) == R`.
 */
import { ed25519, ED25519_TORSION_SUBGROUP } from '@noble/curves/ed25519.js'
import { sha512 } from '@noble/hashes/sha2.js'
import { bytesEqual, concatBytes, fromHex } from './encoding/index.ts'

const { Point } = ed25519
const GROUP_ORDER = Point.Fn.ORDER
const FIELD_ORDER = Point.Fp.ORDER
const SMALL_ORDER_KEYS = ED25519_TORSION_SUBGROUP.map(fromHex)

/**
 * The part of the rule that needs no curve arithmetic: 32 bytes, `y < p`, not one of the eight points of
 * small order. (The encodings with `x = 0` and a set sign bit are of small order too.)
 */
export function isCanonicalEd25519Key(publicKey: Uint8Array): boolean {
  if (publicKey.length !== 32) return false
  const y = littleEndian(publicKey) & ((1n << 255n) - 1n)
  if (y >= FIELD_ORDER || y === 1n || y === FIELD_ORDER - 1n) return false
  return !SMALL_ORDER_KEYS.some((key) => bytesEqual(key, publicKey))
}

/** Never throws. */
export function verifyCofactorless(
  publicKey: Uint8Array,
  message: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (signature.length !== 64 || !isCanonicalEd25519Key(publicKey)) return false
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

function littleEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (let index = bytes.length - 1; index >= 0; index--)
    value = (value << 8n) | BigInt(bytes[index] ?? 0)
  return value
}
