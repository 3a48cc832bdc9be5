/**
 * Receipts: a device says, signed, that it has stored or that its user has read an envelope.
 *
 * `delivered` is said only after the message is durably committed. A receipt names one envelope; that
 * reading it implies those before is the reader's inference.
 */
import * as z from 'zod'
import type { Crypto } from '../crypto.ts'
import {
  base64UrlSchema,
  canonicalBytes,
  deviceIdSchema,
  envelopeIdSchema,
  fingerprintSchema,
  fromBase64Url,
  LABELS,
  roomIdSchema,
  signLabelled,
  timestampSchema,
  toBase64Url,
  verifyLabelled,
} from '../encoding/index.ts'
import type { LocalDevice } from '../prekeys/index.ts'

export const receiptSchema = z.object({
  room: roomIdSchema,
  envelope: envelopeIdSchema,
  kind: z.enum(['delivered', 'read']),
  member: fingerprintSchema,
  device: deviceIdSchema,
  ts: timestampSchema,
  /** Over everything else, by the device. */
  sig: base64UrlSchema(64),
})
export type Receipt = z.infer<typeof receiptSchema>

export function makeReceipt(
  crypto: Crypto,
  local: LocalDevice,
  said: Pick<Receipt, 'room' | 'envelope' | 'kind' | 'ts'>,
): Receipt {
  const { room, envelope, kind, ts } = said
  const unsigned = { room, envelope, kind, member: local.member, device: local.device, ts }
  const bytes = canonicalBytes(unsigned)
  const sig = signLabelled(crypto, local.ed25519Secret, LABELS.receipt, bytes)
  return { ...unsigned, sig: toBase64Url(sig) }
}

/** `receipt` has passed its schema; `ed25519` is the key of the device it names. */
export function verifyReceipt(crypto: Crypto, receipt: Receipt, ed25519: Uint8Array): boolean {
  const { sig, ...unsigned } = receipt
  const bytes = canonicalBytes(unsigned)
  return verifyLabelled(crypto, ed25519, LABELS.receipt, bytes, fromBase64Url(sig))
}
