/** Labelled bytes, hashes and signatures (Encoding §1). What a label means is its owner's business. */
import type { Crypto } from '../crypto.ts'
import { concatBytes, fromBase64Url, toUtf8 } from './bytes.ts'
import { EncodingError } from './encoding-error.ts'
import { canonicalBytes } from './json.ts'
import type { Json } from './json.ts'
import type { Label } from './labels.ts'

const prefixes = new Map<Label, Uint8Array>()

/** utf8(label) ‖ 0x00; never handed out. */
function prefixOf(label: Label): Uint8Array {
  let prefix = prefixes.get(label)
  if (prefix === undefined)
    prefixes.set(label, (prefix = concatBytes(toUtf8(label), new Uint8Array(1))))
  return prefix
}

/**
 * utf8(label) ‖ 0x00 ‖ parts. At most one part may be of variable length that no other part tells, or two
 * different lists of parts could read as the same bytes.
 */
export function labelled(label: Label, ...parts: readonly Uint8Array[]): Uint8Array {
  return concatBytes(prefixOf(label), ...parts)
}

/** SHA-256 over the labelled bytes; 32 bytes. */
export function labelledHash(crypto: Crypto, label: Label, bytes: Uint8Array): Uint8Array {
  return crypto.sha256(labelled(label, bytes))
}

/** Ed25519 over the labelled bytes; `secret` is the 32-byte seed; 64 bytes. */
export function signLabelled(
  crypto: Crypto,
  secret: Uint8Array,
  label: Label,
  bytes: Uint8Array,
): Uint8Array {
  return crypto.ed25519Sign(secret, labelled(label, bytes))
}

/** `false` for anything malformed, never a throw. */
export function verifyLabelled(
  crypto: Crypto,
  publicKey: Uint8Array,
  label: Label,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  return crypto.ed25519Verify(publicKey, labelled(label, bytes), signature)
}

/**
 * A signature over the canonical form of a value as it arrived, members included that nobody here knows.
 * `value` may have passed a schema that keeps such members; it must not have passed one that drops them.
 * `signature` is base64url. `false` for anything malformed and for what JSON cannot say, never a throw.
 */
export function verifyLabelledValue(
  crypto: Crypto,
  publicKey: Uint8Array,
  label: Label,
  value: unknown,
  signature: string,
): boolean {
  try {
    const bytes = canonicalBytes(value as Json)
    return verifyLabelled(crypto, publicKey, label, bytes, fromBase64Url(signature))
  } catch (error) {
    if (error instanceof EncodingError) return false
    throw error
  }
}
