/**
 * Wraps (Rosters, wraps, chains §6): the content key of one envelope for one device, through its ratchet.
 *
 * The associated data names envelope, recipient member and device, so a wrap can be moved neither to
 * another envelope nor to another device. The plaintext also says which manifest head of the recipient
 * the sender goes by: nobody can hide a change from either side for long.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  EncodingError,
  fingerprintSchema,
  fromBase64Url,
  labelled,
  LABELS,
  parseJsonObject,
  toBase64Url,
} from '../encoding/index.ts'
import type { Json } from '../encoding/index.ts'
import { CONTENT_KEY_BYTES } from '../envelope/index.ts'
import type { PeerDevice, PrekeyState, Random } from '../prekeys/index.ts'
import { decryptPairwise, encryptPairwise, ratchetMessageSchema } from '../ratchet/index.ts'
import type {
  PairwiseDecryptErrorCode,
  PairwiseEncryptErrorCode,
  PairwiseReceiving,
  RatchetMessage,
  SessionSet,
} from '../ratchet/index.ts'
import type { HandshakeHeader } from '../handshake/index.ts'

/** Recipient devices up to which a room is `pairwise`. */
export const MAX_PAIRWISE_DEVICES = 64

export type Wrap = {
  /** The recipient. */
  readonly member: string
  readonly device: string
  readonly session: string
  readonly message: RatchetMessage
}

export const wrapSchema: z.ZodType<Wrap> = z.object({
  member: fingerprintSchema,
  device: deviceIdSchema,
  session: base64UrlSchema(32),
  message: ratchetMessageSchema,
})

export const wrapPlaintextSchema = z.looseObject({
  K: base64UrlSchema(CONTENT_KEY_BYTES),
  head: base64UrlSchema(32),
})

const MAX_PLAINTEXT = 1024

export type WrapKeyResult =
  | { readonly ok: true; readonly set: SessionSet; readonly wrap: Wrap }
  | { readonly ok: false; readonly code: PairwiseEncryptErrorCode }

/** `peer` is the recipient as its verified manifest states it, `set` the sessions with it. */
export function wrapKey(options: {
  readonly crypto: Crypto
  readonly random: Random
  readonly set: SessionSet
  readonly peer: PeerDevice
  /** The envelope's id. */
  readonly envelope: string
  readonly contentKey: Uint8Array
}): WrapKeyResult {
  const { crypto, random, set, peer, envelope, contentKey } = options
  const plaintext = canonicalBytes({ K: toBase64Url(contentKey), head: peer.head })
  const context = wrapContext(envelope, peer)
  const encrypted = encryptPairwise({ crypto, random, set, plaintext, context })
  if (!encrypted.ok) return encrypted
  const { session, message } = encrypted
  const wrap = { member: peer.member, device: peer.device, session, message }
  return { ok: true, set: encrypted.set, wrap }
}

export type UnwrapErrorCode = PairwiseDecryptErrorCode | 'wrong_recipient' | 'bad_content'

export type UnwrapKeyResult =
  | {
      readonly ok: true
      readonly set: SessionSet
      readonly prekeys: PrekeyState
      readonly contentKey: Uint8Array
      /** This account's manifest head as the sender saw it. */
      readonly head: string
      /** The handshake, where this wrap started the session. */
      readonly started: HandshakeHeader | null
    }
  | { readonly ok: false; readonly code: UnwrapErrorCode }

/**
 * `peer` is the sender: the device that the verified envelope names. Whether K is the envelope's key is
 * found on opening it.
 */
export function unwrapKey(
  options: PairwiseReceiving & { readonly envelope: string; readonly wrap: Wrap },
): UnwrapKeyResult {
  const { local, envelope, wrap } = options
  if (wrap.member !== local.member || wrap.device !== local.device)
    return { ok: false, code: 'wrong_recipient' }
  const context = wrapContext(envelope, local)
  const { session, message } = wrap
  const decrypted = decryptPairwise({ ...options, session, message, context })
  if (!decrypted.ok) return decrypted
  const parsed = wrapPlaintextSchema.safeParse(readJson(decrypted.plaintext))
  if (!parsed.success) return { ok: false, code: 'bad_content' }
  const { set, prekeys, started } = decrypted
  const { K, head } = parsed.data
  return { ok: true, set, prekeys, contentKey: fromBase64Url(K), head, started }
}

function wrapContext(envelope: string, recipient: PeerDevice): Uint8Array {
  const { member, device } = recipient
  return labelled(LABELS.wrap, canonicalBytes({ device, envelope, member }))
}

function readJson(bytes: Uint8Array): Json {
  try {
    return parseJsonObject(bytes, { maxBytes: MAX_PLAINTEXT, canonical: true })
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}
