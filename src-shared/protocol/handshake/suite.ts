/**
 * Handshake suites (Handshake §3): 1 is X3DH over X25519, 2 adds ML-KEM-768.
 *
 * Suites are ordered by strength. A device's manifest states the least it accepts, so a weaker one is
 * refused rather than negotiated.
 */

export const SUITE_X25519 = 1
export const SUITE_HYBRID = 2

export type Suite = typeof SUITE_X25519 | typeof SUITE_HYBRID

/**
 * What initiators use, and what new devices state as their minimum: without the latter a node could
 * withhold the KEM prekey and so choose the weaker suite for two devices that both know better.
 */
export const DEFAULT_SUITE: Suite = SUITE_HYBRID

export type SuiteErrorCode = 'suite_unknown' | 'suite_too_weak'

export type SuiteChoice =
  | { readonly ok: true; readonly suite: Suite }
  | { readonly ok: false; readonly code: SuiteErrorCode }

/** The initiator's choice: the default, or more where a manifest asks for more. */
export function chooseSuite(
  ownMinimum: number,
  peerMinimum: number,
  preferred: Suite = DEFAULT_SUITE,
): SuiteChoice {
  return checkSuite(Math.max(ownMinimum, peerMinimum, preferred), ownMinimum, peerMinimum)
}

/** The responder's check of what the initiator chose. */
export function checkSuite(suite: number, ownMinimum: number, peerMinimum: number): SuiteChoice {
  if (suite !== SUITE_X25519 && suite !== SUITE_HYBRID) return { ok: false, code: 'suite_unknown' }
  if (suite < ownMinimum || suite < peerMinimum) return { ok: false, code: 'suite_too_weak' }
  return { ok: true, suite }
}
