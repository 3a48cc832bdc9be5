/**
 * Notices of recovery requests (Recovery §10): what a contact says to an account's trusted devices when it first
 * sees a request in that account's log, and what a device finds when one is said to it. A homeserver that
 * works with a thief can show the request to contacts only; it can't keep them from talking to each other.
 *
 * A notice proves nothing: it sends its reader to look at the log. Whom to send it to is `manifestTrust`'s.
 */
import * as z from 'zod'
import { base64UrlSchema, fingerprintSchema } from '../encoding/index.ts'
import type { ManifestState } from './manifest-state.ts'

export const recoveryNoticeSchema = z.looseObject({
  kind: z.literal('recovery_notice'),
  /** Fingerprint of the account whose log holds the request. */
  account: fingerprintSchema,
  /** Hash of the `recover_device` entry. */
  request: base64UrlSchema(32),
  /** Hash of the latest entry that the sender has seen. */
  head: base64UrlSchema(32),
})
export type RecoveryNotice = {
  readonly kind: 'recovery_notice'
  readonly account: string
  readonly request: string
  readonly head: string
}

/**
 * What a contact has to say after its picture of an account went from `before` to `after`: one notice for each
 * request it sees for the first time, those that have ended meanwhile included. `before`: null where the
 * account has only now been pinned; what was there by then is nobody's news. Both are verified, and
 * `after` continues `before`.
 */
export function recoveryNotices(
  before: ManifestState | null,
  after: ManifestState,
): readonly RecoveryNotice[] {
  if (before === null) return []
  return after.steps
    .slice(before.height + 1)
    .filter(({ kind }) => kind === 'recover_device')
    .map(({ hash: request }) => ({
      kind: 'recovery_notice',
      account: after.fingerprint,
      request,
      head: after.head,
    }))
}

export type RecoveryNoticeCode =
  /** Of an account that is not this one. */
  | 'wrong_account'
  /** The own log holds the head that the sender has seen, and no such request. */
  | 'unknown_request'

export type RecoveryFinding =
  /** It waits: interrupt the user, offer the veto. */
  | 'waiting'
  /** It was let in, vetoed or overtaken. */
  | 'ended'
  /** The own log lacks what the sender has seen: fetch it; where the node withholds it, say so. */
  | 'withheld'

/** What a device of the account finds. `own`: its log as it has verified it. */
export function readRecoveryNotice(
  own: ManifestState,
  notice: RecoveryNotice,
):
  | { readonly ok: true; readonly finding: RecoveryFinding }
  | { readonly ok: false; readonly code: RecoveryNoticeCode } {
  if (notice.account !== own.fingerprint) return { ok: false, code: 'wrong_account' }
  if (own.pendingDevice?.request === notice.request) return { ok: true, finding: 'waiting' }
  const entry = own.steps.find(({ hash }) => hash === notice.request)
  if (entry?.kind === 'recover_device') return { ok: true, finding: 'ended' }
  const knowsHead = own.steps.some(({ hash }) => hash === notice.head)
  return knowsHead || entry !== undefined
    ? { ok: false, code: 'unknown_request' }
    : { ok: true, finding: 'withheld' }
}
