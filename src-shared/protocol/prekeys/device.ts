/**
 * The two ends of a pairwise session (Handshake §3): a peer's device and one's own.
 *
 * Plain values. Where they come from (the verified manifest, the vault) is the caller's business.
 */

/** Draws `length` bytes from a cryptographically secure source. */
export type Random = (length: number) => Uint8Array

export interface PeerDevice {
  /** Fingerprint of the account. */
  readonly member: string
  readonly device: string
  /** The account's manifest head as this side has verified it; 32 bytes as base64url. */
  readonly head: string
  readonly ed25519: Uint8Array
  readonly x25519: Uint8Array
  /** Least handshake suite that the manifest allows towards this device. */
  readonly minSuite: number
}

export interface LocalDevice extends PeerDevice {
  /** 32-byte seed. */
  readonly ed25519Secret: Uint8Array
  readonly x25519Secret: Uint8Array
}
