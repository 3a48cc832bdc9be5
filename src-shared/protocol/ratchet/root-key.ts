/** The root key of a session (Double Ratchet §4): each Diffie-Hellman step turns it into the next one. */
import type { Crypto } from '../crypto.ts'
import { labelled, LABELS } from '../encoding/index.ts'

const INFO = labelled(LABELS.ratchetRoot)

/** `shared` is the X25519 output; both results are 32 bytes. */
export function stepRootKey(
  crypto: Crypto,
  root: Uint8Array,
  shared: Uint8Array,
): { readonly root: Uint8Array; readonly chain: Uint8Array } {
  const output = crypto.hkdfSha256(shared, root, INFO, 64)
  return { root: output.slice(0, 32), chain: output.slice(32) }
}
