/**
 * All sessions with one peer device (Double Ratchet §4), as an immutable JSON value.
 *
 * Several can live side by side: both ends may initiate at once, or one may have lost its state. All of
 * them decrypt; one is used to send. Its choice is deterministic: of two sessions that crossed, the one
 * with the smaller id; otherwise the one that the peer used last. The set is committed together with the
 * prekeys and whatever was decrypted.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import { base64UrlSchema } from '../encoding/index.ts'
import { acceptHandshake, initiateHandshake } from '../handshake/index.ts'
import type {
  AcceptErrorCode,
  HandshakeHeader,
  InitiateErrorCode,
  Suite,
} from '../handshake/index.ts'
import { consumePrekeys, findPrekeys } from '../prekeys/index.ts'
import type {
  LocalDevice,
  PeerDevice,
  PrekeyBundle,
  PrekeyState,
  Random,
} from '../prekeys/index.ts'
import type { RatchetMessage } from './header.ts'
import {
  decrypt,
  encrypt,
  sessionSchema,
  startInitiatorSession,
  startResponderSession,
} from './session.ts'
import type { DecryptErrorCode, EncryptErrorCode, Session } from './session.ts'

/** Sessions kept with one peer device; the one unused for longest is dropped. */
export const MAX_SESSIONS = 8

export type SessionSet = {
  readonly v: 1
  /** Most recently used first. */
  readonly sessions: readonly Session[]
  /** Id of the session to send with. */
  readonly sending: string | null
}

export const sessionSetSchema: z.ZodType<SessionSet> = z.object({
  v: z.literal(1),
  sessions: z.array(sessionSchema).max(MAX_SESSIONS),
  sending: base64UrlSchema(32).nullable(),
})

export const EMPTY_SESSION_SET: SessionSet = { v: 1, sessions: [], sending: null }

/** `null` for anything that is not a session set. */
export function parseSessionSet(value: unknown): SessionSet | null {
  const parsed = sessionSetSchema.safeParse(value)
  return parsed.success ? parsed.data : null
}

export function canEncrypt(set: SessionSet): boolean {
  return sendingSession(set) !== undefined
}

/** Starts a session and makes it the sending one. `bundle` has passed its schema. */
export function initiateSession(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly set: SessionSet
  readonly local: LocalDevice
  readonly peer: PeerDevice
  readonly bundle: PrekeyBundle
  readonly preferredSuite?: Suite
}):
  | { readonly ok: true; readonly set: SessionSet; readonly session: string }
  | { readonly ok: false; readonly code: InitiateErrorCode } {
  const initiated = initiateHandshake(options)
  if (!initiated.ok) return initiated
  const { crypto, random, set } = options
  const { agreement, header, peerRatchetKey } = initiated
  const session = startInitiatorSession(crypto, random, agreement, peerRatchetKey, header)
  return { ok: true, set: withSession(set, session, session.id), session: session.id }
}

export type PairwiseEncryptErrorCode = EncryptErrorCode | 'no_session'

export type PairwiseEncrypted =
  | {
      readonly ok: true
      readonly set: SessionSet
      readonly session: string
      readonly message: RatchetMessage
    }
  | { readonly ok: false; readonly code: PairwiseEncryptErrorCode }

export function encryptPairwise(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly set: SessionSet
  readonly plaintext: Uint8Array
  readonly context: Uint8Array
}): PairwiseEncrypted {
  const { set } = options
  const session = sendingSession(set)
  if (session === undefined) return { ok: false, code: 'no_session' }
  const encrypted = encrypt(session, options)
  if (!encrypted.ok) return encrypted
  return {
    ok: true,
    set: withSession(set, encrypted.session, session.id),
    session: session.id,
    message: encrypted.message,
  }
}

export type PairwiseDecryptErrorCode =
  | DecryptErrorCode
  | AcceptErrorCode
  /** Neither is the session known nor does the message start one. */
  | 'unknown_session'
  /** It names a prekey that is used up, expired or was never made. */
  | 'unknown_prekey'
  /** It starts a session that was started before. */
  | 'replayed'
  /** Its handshake makes another session than it claims. */
  | 'wrong_session'

export type PairwiseDecrypted =
  | {
      readonly ok: true
      readonly set: SessionSet
      readonly prekeys: PrekeyState
      readonly plaintext: Uint8Array
      /** The handshake, where this message started the session. */
      readonly started: HandshakeHeader | null
    }
  | { readonly ok: false; readonly code: PairwiseDecryptErrorCode }

export interface PairwiseReceiving {
  readonly crypto: Crypto
  readonly set: SessionSet
  readonly prekeys: PrekeyState
  readonly local: LocalDevice
  /** The sender as its verified manifest states it. */
  readonly peer: PeerDevice
}

/** `message` has passed its schema. Nothing changes where the outcome is not ok. */
export function decryptPairwise(
  options: PairwiseReceiving & {
    readonly session: string
    readonly message: RatchetMessage
    readonly context: Uint8Array
  },
): PairwiseDecrypted {
  const { set, prekeys } = options
  const known = set.sessions.find(({ id }) => id === options.session)
  if (known === undefined) return decryptFirst(options)
  const decrypted = decrypt(known, options)
  if (!decrypted.ok) return decrypted
  const next = withSession(set, decrypted.session, sendingAfter(set, known.id, decrypted.late))
  return { ok: true, set: next, prekeys, plaintext: decrypted.plaintext, started: null }
}

/** Forgets a session, as the peer says that it has lost it. */
export function dropSession(set: SessionSet, id: string): SessionSet {
  const sessions = set.sessions.filter((session) => session.id !== id)
  if (sessions.length === set.sessions.length) return set
  return { ...set, sessions, sending: set.sending === id ? (sessions[0]?.id ?? null) : set.sending }
}

function decryptFirst(options: Parameters<typeof decryptPairwise>[0]): PairwiseDecrypted {
  const { crypto, set, local, peer, message } = options
  const { handshake, key } = message.header
  if (handshake === null) return { ok: false, code: 'unknown_session' }
  const looked = findPrekeys(options.prekeys, handshake)
  if (!looked.ok) return looked
  const { found } = looked
  const accepted = acceptHandshake({ crypto, local, peer, header: handshake, prekeys: found })
  if (!accepted.ok) return accepted
  const { agreement } = accepted
  if (agreement.session !== options.session) return { ok: false, code: 'wrong_session' }
  const session = startResponderSession(crypto, agreement, found.signed.secret, key)
  if (session === null) return { ok: false, code: 'low_order' }
  const decrypted = decrypt(session, options)
  if (!decrypted.ok) return decrypted

  return {
    ok: true,
    set: withSession(set, decrypted.session, sendingAfter(set, session.id, false)),
    prekeys: consumePrekeys(options.prekeys, handshake),
    plaintext: decrypted.plaintext,
    started: handshake,
  }
}

/**
 * The session to send with after a message in `used`. While our own is unanswered the peer may be
 * waiting for an answer in another: only a rule that both apply alike ends that.
 */
function sendingAfter(set: SessionSet, used: string, late: boolean): string {
  const sending = sendingSession(set)
  if (sending === undefined) return used
  // A late message does not say what the peer uses now.
  if (late) return sending.id
  if (sending.handshake === null) return used
  return used < sending.id ? used : sending.id
}

function sendingSession(set: SessionSet): Session | undefined {
  return set.sessions.find(({ id }) => id === set.sending)
}

/** Puts `session` first, in place of its former state. */
function withSession(set: SessionSet, session: Session, sending: string): SessionSet {
  const others = set.sessions.filter(({ id }) => id !== session.id)
  const sessions = [session, ...others]
  // The sending session always stays; it may well be the one unused for longest.
  while (sessions.length > MAX_SESSIONS)
    sessions.splice(
      sessions.findLastIndex(({ id }) => id !== sending),
      1,
    )
  return { v: 1, sessions, sending }
}
