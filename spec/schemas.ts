/**
 * The JSON Schemas of the draft, made from the schemas the code validates with. The names are the file names
 * under `schemas/`; `npm run spec` writes them.
 */
import * as z from 'zod'
import {
  chainDistributionSchema,
  contentSchemas,
  envelopeHeaderSchema,
  eventSchema,
  handshakeHeaderSchema,
  manifestEntrySchema,
  messageContentSchema,
  pairingAnswerSchema,
  pairingRevealSchema,
  pairingStartSchema,
  pduSchema,
  prekeyBundleSchema,
  prekeyUploadSchema,
  ratchetMessageSchema,
  receiptSchema,
  signedEntrySchema,
  toDeviceEnvelopeSchema,
  wrapSchema,
} from '../src-shared/protocol/index.ts'

export const schemas: Readonly<Record<string, z.ZodType>> = {
  'signed-entry': signedEntrySchema,
  'manifest-entry': manifestEntrySchema,
  'pairing-start': pairingStartSchema,
  'pairing-answer': pairingAnswerSchema,
  'pairing-reveal': pairingRevealSchema,
  'prekey-bundle': prekeyBundleSchema,
  'prekey-upload': prekeyUploadSchema,
  'handshake-header': handshakeHeaderSchema,
  'ratchet-message': ratchetMessageSchema,
  'envelope-header': envelopeHeaderSchema,
  'message-content': messageContentSchema,
  receipt: receiptSchema,
  event: eventSchema,
  pdu: pduSchema,
  wrap: wrapSchema,
  'to-device-envelope': toDeviceEnvelopeSchema,
  'chain-distribution': chainDistributionSchema,
  ...Object.fromEntries(
    Object.entries(contentSchemas).map(([type, schema]) => [`body.${type}`, schema]),
  ),
}

/** The JSON Schema (draft 2020-12) of what arrives: unknown members are refused only where the code does. */
export function jsonSchemaText(name: string): string {
  const schema = schemas[name]
  if (schema === undefined) throw new Error(`there is no schema ${name}`)
  const made = z.toJSONSchema(schema, { io: 'input', unrepresentable: 'throw' })
  return `${JSON.stringify({ ...made, title: name }, null, 2)}\n`
}
