/**
 * The header of a ratchet message and the message itself (Double Ratchet §4).
 *
 * The whole header is associated data, the handshake part included: nothing in it can be changed or
 * taken away without the message being refused.
 */
import * as z from 'zod'
import {
  base64UrlPattern,
  base64UrlSchema,
  canonicalBytes,
  isBase64Url,
  labelled,
  LABELS,
} from '../encoding/index.ts'
import { handshakeHeaderSchema } from '../handshake/index.ts'
import type { HandshakeHeader } from '../handshake/index.ts'
import { TAG_BYTES } from './message-key.ts'

/** Messages in one chain; a sender at its end has to start a new session. */
export const MAX_CHAIN_LENGTH = 2 ** 31

/** Ciphertext characters; room for every wrap and to-device message. */
const MAX_CIPHERTEXT = 64 * 1024

export type RatchetHeader = {
  /** Until the peer has answered; then `null`. */
  readonly handshake: HandshakeHeader | null
  /** The sender's current ratchet key: X25519, 32 bytes. */
  readonly key: string
  /** Number of the message in its chain. */
  readonly n: number
  /** Length of the sender's previous chain. */
  readonly pn: number
}

export type RatchetMessage = { readonly header: RatchetHeader; readonly ciphertext: string }

const count = z.int().nonnegative().lt(MAX_CHAIN_LENGTH)

const ratchetHeaderSchema: z.ZodType<RatchetHeader> = z.strictObject({
  handshake: handshakeHeaderSchema.nullable(),
  key: base64UrlSchema(32),
  n: count,
  pn: count.or(z.literal(MAX_CHAIN_LENGTH)),
})

export const ratchetMessageSchema: z.ZodType<RatchetMessage> = z.strictObject({
  header: ratchetHeaderSchema,
  ciphertext: z
    .string()
    .min(Math.ceil((TAG_BYTES * 4) / 3))
    .max(MAX_CIPHERTEXT)
    .refine((text) => isBase64Url(text), 'bad base64url')
    .meta({ pattern: `^${base64UrlPattern()}$` }),
})

/** Label ‖ session's associated data (32 bytes) ‖ length of the header ‖ header ‖ `context`. */
export function messageAd(
  sessionAd: Uint8Array,
  header: RatchetHeader,
  context: Uint8Array,
): Uint8Array {
  const bytes = canonicalBytes(header)
  const length = new Uint8Array(4)
  new DataView(length.buffer).setUint32(0, bytes.length)
  return labelled(LABELS.ratchetHeader, sessionAd, length, bytes, context)
}
