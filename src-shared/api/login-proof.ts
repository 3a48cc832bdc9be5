/**
 * The proof that comes with every request for a token (Identity §2): the device's signature over the
 * canonical `{server, user, device, ts}` under the label `eccp/login/1`. It binds the token to a
 * device key, so a stolen password alone never speaks as an existing device.
 */
import {
  canonicalBytes,
  fromBase64Url,
  isBase64Url,
  LABELS,
  signLabelled,
  toBase64Url,
  verifyLabelled,
} from '../protocol/index.ts'
import type { Crypto } from '../protocol/index.ts'

/** How far the `ts` of a proof may be from the node's clock, in milliseconds, either way. */
export const LOGIN_SKEW_MS = 5 * 60 * 1000

export interface LoginClaim {
  /** Server name of the node that is asked. */
  readonly server: string
  /** Full user id. */
  readonly user: string
  /** Device id. */
  readonly device: string
}

export interface LoginProof {
  /** Milliseconds since the epoch. */
  readonly ts: number
  readonly sig: string
}

/** `secret`: the device's Ed25519 seed. */
export function makeLoginProof(
  crypto: Crypto,
  secret: Uint8Array,
  claim: LoginClaim,
  now: number,
): LoginProof {
  const sig = signLabelled(crypto, secret, LABELS.login, signedBytes(claim, now))
  return { ts: now, sig: toBase64Url(sig) }
}

/** The signature only; whether `ts` is near enough is the node's question. */
export function verifyLoginProof(
  crypto: Crypto,
  publicKey: Uint8Array,
  claim: LoginClaim,
  proof: LoginProof,
): boolean {
  if (!isBase64Url(proof.sig, 64)) return false
  const bytes = signedBytes(claim, proof.ts)
  return verifyLabelled(crypto, publicKey, LABELS.login, bytes, fromBase64Url(proof.sig))
}

function signedBytes(claim: LoginClaim, ts: number): Uint8Array {
  const { server, user, device } = claim
  return canonicalBytes({ server, user, device, ts })
}
