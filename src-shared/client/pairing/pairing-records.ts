/** Pairings under way, on either side (Pairing), and what travels between the two devices. */
import * as z from 'zod'
import {
  approverPairingSchema,
  base64UrlSchema,
  pairingRevealSchema,
  pendingPairingSchema,
  EncodingError,
  parseJson,
  toUtf8,
} from '../../protocol/index.ts'
import { pairingSchema } from '../../view-model/index.ts'
import { recordType } from '../store/record-type.ts'
import type { RecordOf } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'

const shown = {
  step: pairingSchema.shape.step,
  code: z.string().nullable(),
  requestedAt: z.int(),
}

/** On the device that wants in. */
export const pendingRecord = recordType(
  tables.account,
  z.object({ v: z.literal(1), ...shown, state: pendingPairingSchema }),
)
export const PENDING = 'pairing/pending'

/** On devices that may let others in. */
export const approvalsRecord = recordType(
  tables.account,
  z.object({
    v: z.literal(1),
    approvals: z.array(
      z.object({
        ...shown,
        device: z.string(),
        deviceName: z.string(),
        /** Null until this device has answered. */
        state: approverPairingSchema.nullable(),
        /** The new device's signature over the entry that lets it in. */
        possession: z.string().nullable(),
      }),
    ),
  }),
)
export type Approval = RecordOf<typeof approvalsRecord>['approvals'][number]
export const APPROVALS = 'pairing/approvals'

/** The reveal carries the proof of possession, so that approval needs no further round. */
export const revealMessageSchema = z.object({
  reveal: pairingRevealSchema,
  possession: base64UrlSchema(64),
})
export type RevealMessage = z.infer<typeof revealMessageSchema>
export const verdictMessageSchema = z.object({ v: z.literal(1), verdict: z.enum(['refused']) })

const MAX_MESSAGE = 4096

/** Null for what is not such a message. */
export function readRelayed<T>(schema: z.ZodType<T>, text: string | undefined): T | null {
  if (text === undefined) return null
  try {
    const parsed = schema.safeParse(parseJson(toUtf8(text), { maxBytes: MAX_MESSAGE }))
    return parsed.success ? parsed.data : null
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
}

/** Seven characters: two groups of three digits. */
export function grouped(code: string): string {
  return `${code.slice(0, 3)} ${code.slice(3)}`
}
