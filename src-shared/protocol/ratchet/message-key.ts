/**
 * A message key (Double Ratchet §4): HKDF-SHA256 makes the ChaCha20-Poly1305 key and nonce from it.
 *
 * A message key encrypts exactly once, which is why the nonce may be derived.
 */
import type { Crypto } from '../crypto.ts'
import { labelled, LABELS } from '../encoding/index.ts'

const INFO = labelled(LABELS.ratchetMessage)
const NO_SALT = new Uint8Array(32)

/** Bytes of the Poly1305 tag. */
export const TAG_BYTES = 16

export function sealWithMessageKey(
  crypto: Crypto,
  messageKey: Uint8Array,
  plaintext: Uint8Array,
  ad: Uint8Array,
): Uint8Array {
  const { key, nonce } = expand(crypto, messageKey)
  return crypto.chacha20Poly1305Seal(key, nonce, plaintext, ad)
}

/** `null` where the message is not authentic. */
export function openWithMessageKey(
  crypto: Crypto,
  messageKey: Uint8Array,
  ciphertext: Uint8Array,
  ad: Uint8Array,
): Uint8Array | null {
  const { key, nonce } = expand(crypto, messageKey)
  return crypto.chacha20Poly1305Open(key, nonce, ciphertext, ad)
}

function expand(crypto: Crypto, messageKey: Uint8Array): { key: Uint8Array; nonce: Uint8Array } {
  const output = crypto.hkdfSha256(messageKey, NO_SALT, INFO, 44)
  return { key: output.slice(0, 32), nonce: output.slice(32) }
}
