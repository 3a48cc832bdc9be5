/**
 * What an initiator sends along until the peer has answered (Handshake §3): its ephemeral key and the
 * names of the prekeys it used. Who the two devices are is known from outside and bound by the
 * associated data.
 */
import * as z from 'zod'
import { base64UrlSchema } from '../encoding/index.ts'
import { prekeyIdSchema } from '../prekeys/index.ts'

/** Bytes of an ML-KEM-768 ciphertext. */
const KEM_CIPHERTEXT_BYTES = 1088

export type HandshakeHeader = {
  readonly suite: number
  /** The initiator's own manifest head. */
  readonly initiator_head: string
  /** The responder's manifest head as the initiator saw it. */
  readonly responder_head: string
  /** X25519 public key. */
  readonly ephemeral: string
  readonly signed: string
  /** `null` where the responder's pool was empty. */
  readonly one_time: string | null
  /** `null` in the plain suite, as is the ciphertext. */
  readonly kem: string | null
  readonly kem_ciphertext: string | null
}

export const handshakeHeaderSchema: z.ZodType<HandshakeHeader> = z.strictObject({
  suite: z.int().min(1).max(255),
  initiator_head: base64UrlSchema(32),
  responder_head: base64UrlSchema(32),
  ephemeral: base64UrlSchema(32),
  signed: prekeyIdSchema,
  one_time: prekeyIdSchema.nullable(),
  kem: prekeyIdSchema.nullable(),
  kem_ciphertext: base64UrlSchema(KEM_CIPHERTEXT_BYTES).nullable(),
})
