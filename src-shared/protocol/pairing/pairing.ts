/**
 * Pairing (Identity §2): a trusted device approves a pending one after its user compared a short code.
 *
 * All messages pass through the homeserver, which may be dishonest. The pending device commits to its
 * nonce before it sees the approver's, so whoever stands between them has fixed everything before the
 * code can be known: one guess in a million. That holds only while a state answers once: both sides
 * refuse a second message of the same step, and a new attempt is the user's to start.
 *
 * The code binds the pending device's keys, for the approver, and account and manifest head, for the
 * pending device. Putting the device on the manifest comes after and is not done here.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  labelledHash,
  LABELS,
  toBase64Url,
} from '../encoding/index.ts'
import type { Random } from '../prekeys/index.ts'
import { deviceKeysSchema } from '../manifest/index.ts'
import type { DeviceKeys } from '../manifest/index.ts'

const NONCE_BYTES = 32
const CODE_DIGITS = 6

const nonceSchema = base64UrlSchema(NONCE_BYTES)

/** From the pending device. */
export const pairingStartSchema = z.object({
  v: z.literal(1),
  device: deviceKeysSchema,
  /** Over the pending device's nonce and keys. */
  commitment: base64UrlSchema(32),
})
export type PairingStart = z.infer<typeof pairingStartSchema>

/** From the approver, in answer to exactly one commitment. */
export const pairingAnswerSchema = z.object({
  v: z.literal(1),
  commitment: base64UrlSchema(32),
  nonce: nonceSchema,
  account: fingerprintSchema,
  head: base64UrlSchema(32),
  approver: deviceIdSchema,
})
export type PairingAnswer = z.infer<typeof pairingAnswerSchema>

/** From the pending device: the nonce it committed to. */
export const pairingRevealSchema = z.object({ v: z.literal(1), nonce: nonceSchema })
export type PairingReveal = z.infer<typeof pairingRevealSchema>

/** The pending device's memory. */
export const pendingPairingSchema = z.object({
  v: z.literal(1),
  start: pairingStartSchema,
  nonce: nonceSchema,
  /** Once it has revealed. */
  answer: pairingAnswerSchema.nullable(),
})
export type PendingPairing = z.infer<typeof pendingPairingSchema>

/** The approver's memory. */
export const approverPairingSchema = z.object({
  v: z.literal(1),
  start: pairingStartSchema,
  answer: pairingAnswerSchema,
  /** Once the pending device has revealed. */
  reveal: pairingRevealSchema.nullable(),
})
export type ApproverPairing = z.infer<typeof approverPairingSchema>

/** The pending device begins. */
export function startPairing(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly device: DeviceKeys
}): { readonly state: PendingPairing; readonly start: PairingStart } {
  const { crypto, random, device } = options
  const nonce = toBase64Url(random(NONCE_BYTES))
  const start: PairingStart = { v: 1, device, commitment: commitmentOf(crypto, nonce, device) }
  return { state: { v: 1, start, nonce, answer: null }, start }
}

/** The approver answers; for one pending device only once per attempt that its user started. */
export function answerPairing(options: {
  readonly random: Random
  readonly start: PairingStart
  /** Own fingerprint and manifest head. */
  readonly account: string
  readonly head: string
  readonly approver: string
}): { readonly state: ApproverPairing; readonly answer: PairingAnswer } {
  const { random, start, account, head, approver } = options
  const nonce = toBase64Url(random(NONCE_BYTES))
  const answer = { v: 1, commitment: start.commitment, nonce, account, head, approver } as const
  return { state: { v: 1, start, answer, reveal: null }, answer }
}

export type RevealErrorCode =
  /** The answer is to another commitment. */
  | 'wrong_commitment'
  /** Another answer has been accepted: somebody tries for a better code. */
  | 'already_answered'

/** The pending device reveals its nonce, and shows `code`. The same answer may come again. */
export function revealPairing(options: {
  readonly crypto: Crypto
  readonly state: PendingPairing
  readonly answer: PairingAnswer
}):
  | {
      readonly ok: true
      readonly state: PendingPairing
      readonly reveal: PairingReveal
      readonly code: string
    }
  | { readonly ok: false; readonly code: RevealErrorCode } {
  const { crypto, state, answer } = options
  if (answer.commitment !== state.start.commitment) return { ok: false, code: 'wrong_commitment' }
  if (state.answer !== null && !sameJson(state.answer, answer))
    return { ok: false, code: 'already_answered' }
  const reveal: PairingReveal = { v: 1, nonce: state.nonce }
  const code = pairingCode(crypto, { start: state.start, answer, reveal })
  return { ok: true, state: { ...state, answer }, reveal, code }
}

export type CompleteErrorCode =
  /** The nonce is not the one committed to, or it is for other keys. */
  | 'wrong_reveal'
  /** Another nonce has been accepted. */
  | 'already_revealed'

/** The approver checks the nonce, and shows `code`. Only an equal code may be approved. */
export function completePairing(options: {
  readonly crypto: Crypto
  readonly state: ApproverPairing
  readonly reveal: PairingReveal
}):
  | {
      readonly ok: true
      readonly state: ApproverPairing
      readonly device: DeviceKeys
      readonly code: string
    }
  | { readonly ok: false; readonly code: CompleteErrorCode } {
  const { crypto, state, reveal } = options
  const { start, answer } = state
  if (state.reveal !== null && state.reveal.nonce !== reveal.nonce)
    return { ok: false, code: 'already_revealed' }
  const commitment = commitmentOf(crypto, reveal.nonce, start.device)
  if (!crypto.equal(fromBase64Url(commitment), fromBase64Url(start.commitment)))
    return { ok: false, code: 'wrong_reveal' }
  const code = pairingCode(crypto, { start, answer, reveal })
  return { ok: true, state: { ...state, reveal }, device: start.device, code }
}

/** Six decimal digits over everything that was said. */
export function pairingCode(
  crypto: Crypto,
  said: {
    readonly start: PairingStart
    readonly answer: PairingAnswer
    readonly reveal: PairingReveal
  },
): string {
  const { start, answer, reveal } = said
  const hash = labelledHash(
    crypto,
    LABELS.sas,
    canonicalBytes({ start: startJson(start), answer: { ...answer }, reveal: { ...reveal } }),
  )
  // 64 bits modulo a million: the bias is below one in 10^13.
  const number = new DataView(hash.buffer, hash.byteOffset).getBigUint64(0)
  return String(number % 10n ** BigInt(CODE_DIGITS)).padStart(CODE_DIGITS, '0')
}

function commitmentOf(crypto: Crypto, nonce: string, device: DeviceKeys): string {
  const bytes = canonicalBytes({ nonce, device: { ...device } })
  return toBase64Url(labelledHash(crypto, LABELS.sasCommit, bytes))
}

function startJson({ v, device, commitment }: PairingStart) {
  return { v, device: { ...device }, commitment }
}

function sameJson(a: PairingAnswer, b: PairingAnswer): boolean {
  return (
    a.nonce === b.nonce && a.account === b.account && a.head === b.head && a.approver === b.approver
  )
}
