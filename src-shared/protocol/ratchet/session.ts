/**
 * One Double Ratchet session (§4) as an immutable JSON value: encrypt and decrypt return the next one.
 *
 * A new sending ratchet key is drawn at the first encryption after the peer's key has changed, so
 * decryption needs no randomness. A failed decryption returns no state: nothing that arrives can damage
 * a session. A state must never be used again once a later one exists, or a message key would encrypt
 * twice; commit it before the message leaves.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import { CryptoError } from '../crypto.ts'
import { base64UrlSchema, fromBase64Url, toBase64Url } from '../encoding/index.ts'
import { handshakeHeaderSchema } from '../handshake/index.ts'
import type { Agreement, HandshakeHeader } from '../handshake/index.ts'
import type { Random } from '../prekeys/index.ts'
import { advanceChain, chainKeySchema, startChain, stepChain } from './chain-key.ts'
import type { ChainKey } from './chain-key.ts'
import { MAX_CHAIN_LENGTH, messageAd } from './header.ts'
import type { RatchetHeader, RatchetMessage } from './header.ts'
import { openWithMessageKey, sealWithMessageKey } from './message-key.ts'
import { stepRootKey } from './root-key.ts'
import {
  addSkipped,
  findSkipped,
  hasSkippedChain,
  MAX_SKIPPED_PER_CHAIN,
  removeSkipped,
  skippedKeysSchema,
} from './skipped-keys.ts'
import type { SkippedKeys } from './skipped-keys.ts'

/**
 * Chain steps that one message may ask for. The number in its header is checked only by decrypting, so
 * this bounds the work that a forged header causes; it exceeds the skipped keys kept.
 */
export const MAX_FORWARD_STEPS = 5000

type SendingChain = {
  /** X25519 ratchet key pair. */
  readonly secret: string
  readonly key: string
  readonly chain: ChainKey
}

type ReceivingChain = { readonly key: string; readonly chain: ChainKey }

/** Whose turn it is to draw a ratchet key. */
type Chains =
  /** The peer's: it has not answered our current key (`receiving: null`: nothing of ours at all). */
  | { readonly sending: SendingChain; readonly receiving: ReceivingChain | null }
  /** Ours, at the next encryption. */
  | { readonly sending: null; readonly receiving: ReceivingChain }

export type Session = {
  readonly id: string
  /** Hash of the handshake's associated data. */
  readonly ad: string
  readonly root: string
  readonly chains: Chains
  /** Length of the previous sending chain. */
  readonly previous: number
  readonly skipped: SkippedKeys
  /** Sent along until the peer has answered. */
  readonly handshake: HandshakeHeader | null
}

const sendingSchema = z.object({
  secret: base64UrlSchema(32),
  key: base64UrlSchema(32),
  chain: chainKeySchema,
})
const receivingSchema = z.object({ key: base64UrlSchema(32), chain: chainKeySchema })

export const sessionSchema: z.ZodType<Session> = z.object({
  id: base64UrlSchema(32),
  ad: base64UrlSchema(32),
  root: base64UrlSchema(32),
  chains: z.union([
    z.object({ sending: sendingSchema, receiving: receivingSchema.nullable() }),
    z.object({ sending: z.null(), receiving: receivingSchema }),
  ]),
  previous: z.int().nonnegative(),
  skipped: skippedKeysSchema,
  handshake: handshakeHeaderSchema.nullable(),
})

/** The initiator's session, ready to send. */
export function startInitiatorSession(
  crypto: Crypto,
  random: Random,
  agreement: Agreement,
  peerRatchetKey: Uint8Array,
  handshake: HandshakeHeader,
): Session {
  const { root, sending } = drawSendingChain(crypto, random, agreement.root, peerRatchetKey)
  return {
    id: agreement.session,
    ad: toBase64Url(agreement.ad),
    root: toBase64Url(root),
    chains: { sending, receiving: null },
    previous: 0,
    skipped: [],
    handshake,
  }
}

/**
 * The responder's session, ready to decrypt the first message that arrived: the signed prekey is its
 * ratchet key, `peerRatchetKey` stands in that message's header. It must not be kept where the message
 * does not open. `null` for a key of low order.
 */
export function startResponderSession(
  crypto: Crypto,
  agreement: Agreement,
  signedPrekeySecret: string,
  peerRatchetKey: string,
): Session | null {
  const shared = sharedSecret(crypto, signedPrekeySecret, peerRatchetKey)
  if (shared === null) return null
  const { root, chain } = stepRootKey(crypto, agreement.root, shared)
  return {
    id: agreement.session,
    ad: toBase64Url(agreement.ad),
    root: toBase64Url(root),
    chains: { sending: null, receiving: { key: peerRatchetKey, chain: startChain(chain) } },
    previous: 0,
    skipped: [],
    handshake: null,
  }
}

export type EncryptErrorCode = 'chain_exhausted'

export type Encrypted =
  | { readonly ok: true; readonly session: Session; readonly message: RatchetMessage }
  | { readonly ok: false; readonly code: EncryptErrorCode }

/** `context` is further associated data that the caller and the peer's caller agree on. */
export function encrypt(
  session: Session,
  options: {
    readonly crypto: Crypto
    readonly random: Random
    readonly plaintext: Uint8Array
    readonly context: Uint8Array
  },
): Encrypted {
  const { crypto, random, plaintext, context } = options
  const ready = readyToSend(session, crypto, random)
  const { sending } = ready.chains
  if (sending.chain.index >= MAX_CHAIN_LENGTH) return { ok: false, code: 'chain_exhausted' }
  const header: RatchetHeader = {
    handshake: ready.handshake,
    key: sending.key,
    n: sending.chain.index,
    pn: ready.previous,
  }
  const { chain, messageKey } = stepChain(crypto, sending.chain)
  const ad = messageAd(fromBase64Url(ready.ad), header, context)
  const ciphertext = sealWithMessageKey(crypto, messageKey, plaintext, ad)
  return {
    ok: true,
    session: { ...ready, chains: { ...ready.chains, sending: { ...sending, chain } } },
    message: { header, ciphertext: toBase64Url(ciphertext) },
  }
}

export type DecryptErrorCode =
  /** Read before, or so old that its key was dropped. */
  | 'already_used'
  /** More than `MAX_FORWARD_STEPS` beyond the last message read. */
  | 'too_far_ahead'
  /** Changed on the way, of another session, or for another context. */
  | 'undecipherable'

export type Decrypted =
  | {
      readonly ok: true
      readonly session: Session
      readonly plaintext: Uint8Array
      /** It was overtaken by a later message of its chain, or its chain has been replaced. */
      readonly late: boolean
    }
  | { readonly ok: false; readonly code: DecryptErrorCode }

/** `message` has passed its schema. */
export function decrypt(
  session: Session,
  options: {
    readonly crypto: Crypto
    readonly message: RatchetMessage
    readonly context: Uint8Array
  },
): Decrypted {
  const { crypto, message, context } = options
  const { header } = message
  const ad = messageAd(fromBase64Url(session.ad), header, context)
  const open = (messageKey: Uint8Array): Uint8Array | null =>
    openWithMessageKey(crypto, messageKey, fromBase64Url(message.ciphertext), ad)

  const kept = findSkipped(session.skipped, header.key, header.n)
  if (kept !== null) {
    const plaintext = open(fromBase64Url(kept))
    if (plaintext === null) return { ok: false, code: 'undecipherable' }
    const skipped = removeSkipped(session.skipped, header.key, header.n)
    return { ok: true, session: { ...session, skipped }, plaintext, late: true }
  }

  const stepped = stepReceiving(crypto, session, header)
  if (!stepped.ok) return stepped
  const { receiving } = stepped.session.chains
  if (header.n < receiving.chain.index) return { ok: false, code: 'already_used' }
  if (header.n - receiving.chain.index > MAX_FORWARD_STEPS)
    return { ok: false, code: 'too_far_ahead' }

  const ahead = advanceChain(crypto, receiving.chain, header.n, MAX_SKIPPED_PER_CHAIN)
  const { chain, messageKey } = stepChain(crypto, ahead.chain)
  const plaintext = open(messageKey)
  if (plaintext === null) return { ok: false, code: 'undecipherable' }
  const next: Session = {
    ...stepped.session,
    chains: { ...stepped.session.chains, receiving: { key: header.key, chain } },
    skipped: addSkipped(stepped.session.skipped, header.key, ahead.skipped),
    // The peer could only write this after having read something of ours.
    handshake: null,
  }
  return { ok: true, session: next, plaintext, late: false }
}

type Stepped =
  | {
      readonly ok: true
      readonly session: Session & { readonly chains: { readonly receiving: ReceivingChain } }
    }
  | { readonly ok: false; readonly code: DecryptErrorCode }

/**
 * Brings the session to the header's chain: where that is new, by the receiving half of a
 * Diffie-Hellman step. The sending half waits for the next encryption.
 */
function stepReceiving(crypto: Crypto, session: Session, header: RatchetHeader): Stepped {
  const { chains } = session
  const { sending, receiving } = chains
  if (receiving?.key === header.key)
    return { ok: true, session: { ...session, chains: { ...chains, receiving } } }
  if (hasSkippedChain(session.skipped, header.key)) return { ok: false, code: 'already_used' }
  // The peer has not seen a new key of ours, so it can't have drawn a new one itself.
  if (sending === null) return { ok: false, code: 'undecipherable' }
  const shared = sharedSecret(crypto, sending.secret, header.key)
  if (shared === null) return { ok: false, code: 'undecipherable' }

  let { skipped } = session
  if (receiving !== null && header.pn > receiving.chain.index) {
    if (header.pn - receiving.chain.index > MAX_FORWARD_STEPS)
      return { ok: false, code: 'too_far_ahead' }
    const rest = advanceChain(crypto, receiving.chain, header.pn, MAX_SKIPPED_PER_CHAIN)
    skipped = addSkipped(skipped, receiving.key, rest.skipped)
  }
  const { root, chain } = stepRootKey(crypto, fromBase64Url(session.root), shared)
  const next = {
    ...session,
    root: toBase64Url(root),
    chains: { sending: null, receiving: { key: header.key, chain: startChain(chain) } },
    previous: sending.chain.index,
    skipped,
  }
  return { ok: true, session: next }
}

/** The sending half: draws a ratchet key where the last one has been answered. */
function readyToSend(
  session: Session,
  crypto: Crypto,
  random: Random,
): Session & { readonly chains: { readonly sending: SendingChain } } {
  const { chains } = session
  if (chains.sending !== null) return { ...session, chains }
  const key = fromBase64Url(chains.receiving.key)
  const { root, sending } = drawSendingChain(crypto, random, fromBase64Url(session.root), key)
  return { ...session, root: toBase64Url(root), chains: { ...chains, sending } }
}

function drawSendingChain(
  crypto: Crypto,
  random: Random,
  root: Uint8Array,
  peerRatchetKey: Uint8Array,
): { readonly root: Uint8Array; readonly sending: SendingChain } {
  const secret = random(32)
  const stepped = stepRootKey(crypto, root, crypto.x25519(secret, peerRatchetKey))
  const key = toBase64Url(crypto.x25519PublicKey(secret))
  const chain = startChain(stepped.chain)
  return { root: stepped.root, sending: { secret: toBase64Url(secret), key, chain } }
}

/** `null` where the peer's key is of low order. */
function sharedSecret(crypto: Crypto, secret: string, key: string): Uint8Array | null {
  try {
    return crypto.x25519(fromBase64Url(secret), fromBase64Url(key))
  } catch (error) {
    if (error instanceof CryptoError && error.code === 'low_order') return null
    throw error
  }
}
