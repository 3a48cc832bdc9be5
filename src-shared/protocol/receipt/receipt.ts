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
  LABELS,
  roomIdSchema,
  signLabelled,
  timestampSchema,
  toBase64Url,
  verifyLabelledValue,
} from '../encoding/index.ts'
import type { LocalDevice } from '../prekeys/index.ts'

export type Receipt = {
  readonly room: string
  readonly envelope: string
  readonly kind: 'delivered' | 'read'
  readonly member: string
  readonly device: string
  readonly ts: number
  readonly sig: string
}

/** Members that this version does not know are kept: the signature covers them. */
export const receiptSchema: z.ZodType<Receipt> = z.looseObject({
  room: roomIdSchema,
  envelope: envelopeIdSchema,
  kind: z.enum(['delivered', 'read']),
  member: fingerprintSchema,
  device: deviceIdSchema,
  ts: timestampSchema,
  /** Over everything else, by the device. */
  sig: base64UrlSchema(64),
})

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

/** `receipt` has passed its schema and no narrower one; `ed25519` is the key of the device it names. */
export function verifyReceipt(crypto: Crypto, receipt: Receipt, ed25519: Uint8Array): boolean {
  const { sig, ...unsigned } = receipt
  return verifyLabelledValue(crypto, ed25519, LABELS.receipt, unsigned, sig)
}
