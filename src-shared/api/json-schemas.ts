/**
 * JSON Schemas of everything that is sent, signed or stored in a form that others must read: made from
 * the very schemas that check it. `spec/schemas` and the OpenAPI document are this table, written out.
 *
 * They say shapes and bounds of single members. Rules between members, canonical form and signatures
 * are beyond JSON Schema; the spec's text has them.
 */
import * as z from 'zod'
import * as protocol from '../protocol/index.ts'
import {
  accountDeviceSchema,
  capabilitiesSchema,
  clientApi,
  loginProofSchema,
  manifestNewsSchema,
  pairingRelaySchema,
  roomDeltaSchema,
  sessionSchema,
  submissionSchema,
  timelineEntrySchema,
} from './client-server.ts'
import type { Endpoint } from './endpoint.ts'
import { errorBodySchema } from './errors.ts'
import {
  eventItemSchema,
  inviteItemSchema,
  itemOutcomeSchema,
  manifestItemSchema,
  profileItemSchema,
  receiptItemSchema,
  serverApi,
  toDeviceItemSchema,
} from './server-server.ts'
import type { ServerEndpoint } from './server-server.ts'
import { streamAskSchema, streamNewsSchema } from './sync-stream.ts'
import { listNewsSchema, roomLineSchema, windowListSchema } from './sync-windows.ts'

export type JsonSchema = { readonly [member: string]: unknown }

/** Objects of the protocol, by the names of their files in `spec/schemas`. */
const objects: Readonly<Record<string, z.ZodType>> = {
  json: protocol.jsonSchema,
  // Manifest
  'device-keys': protocol.deviceKeysSchema,
  'recovery-keys': protocol.recoveryKeysSchema,
  'manifest-entry': protocol.manifestEntrySchema,
  'signed-entry': protocol.signedEntrySchema,
  'pairing-start': protocol.pairingStartSchema,
  'pairing-answer': protocol.pairingAnswerSchema,
  'pairing-reveal': protocol.pairingRevealSchema,
  // Prekeys, handshake, ratchet
  prekey: protocol.agreementPrekeySchema,
  'kem-prekey': protocol.kemPrekeySchema,
  'prekey-bundle': protocol.prekeyBundleSchema,
  'prekey-upload': protocol.prekeyUploadSchema,
  'handshake-header': protocol.handshakeHeaderSchema,
  'ratchet-message': protocol.ratchetMessageSchema,
  // Envelopes, events, receipts
  'envelope-header': protocol.envelopeHeaderSchema,
  'message-content': protocol.messageContentSchema,
  relation: protocol.relationSchema,
  attachment: protocol.attachmentSchema,
  provenance: protocol.provenanceSchema,
  event: protocol.eventSchema,
  'event-signature': protocol.eventSignatureSchema,
  pdu: protocol.pduSchema,
  receipt: protocol.receiptSchema,
  // Content keys and their transport
  'content-key-record': protocol.contentKeyRecordSchema,
  wrap: protocol.wrapSchema,
  'wrap-plaintext': protocol.wrapPlaintextSchema,
  'chain-distribution': protocol.chainDistributionSchema,
  'to-device-envelope': protocol.toDeviceEnvelopeSchema,
  'to-device-content': protocol.toDeviceContentSchema,
  // Clear bodies
  ...Object.fromEntries(
    Object.entries(protocol.contentSchemas).map(([type, schema]) => [`body.${type}`, schema]),
  ),
  // Archive (draft)
  'archive-anchor': protocol.archiveAnchorSchema,
  'archive-epoch': protocol.epochDocumentSchema,
  'archive-epoch-key': protocol.sealedEpochKeySchema,
  'archive-lane-head': protocol.laneHeadSchema,
  'archive-segment': protocol.archiveSegmentSchema,
  'archive-signed-segment': protocol.signedSegmentSchema,
  'archive-records': protocol.archiveRecordsSchema,
  // Shadow Rooms (draft)
  'shadow-device': protocol.shadowDeviceSchema,
  'shadow-certificate': protocol.shadowCertificateSchema,
  'shadow-metadata': protocol.sealedMetadataSchema,
  'shadow-metadata-key': protocol.metadataKeySchema,
  'shadow-invitation': protocol.shadowInvitationSchema,
  // Client API
  error: errorBodySchema,
  capabilities: capabilitiesSchema,
  session: sessionSchema,
  'login-proof': loginProofSchema,
  submission: submissionSchema,
  'account-device': accountDeviceSchema,
  'pairing-relay': pairingRelaySchema,
  'timeline-entry': timelineEntrySchema,
  'room-delta': roomDeltaSchema,
  'manifest-news': manifestNewsSchema,
  'window-list': windowListSchema,
  'list-news': listNewsSchema,
  'room-line': roomLineSchema,
  'sync-stream-ask': streamAskSchema,
  'sync-stream-news': streamNewsSchema,
  // Between nodes (draft): what a transaction carries
  'server-item-event': eventItemSchema,
  'server-item-invite': inviteItemSchema,
  'server-item-receipt': receiptItemSchema,
  'server-item-to-device': toDeviceItemSchema,
  'server-item-manifest': manifestItemSchema,
  'server-item-profile': profileItemSchema,
  'server-item-outcome': itemOutcomeSchema,
}

/** What an endpoint takes and gives, by name; absent where there is nothing. */
export interface EndpointSchemas {
  readonly query?: string
  readonly request?: string
  readonly response?: string
}

const byName: Record<string, z.ZodType> = {}
const registry = z.registry<{ id: string }>()

/** The name under which the schema is known; `name` for a new one. */
function register(schema: z.ZodType, name: string): string {
  const known = registry.get(schema)
  if (known !== undefined) return known.id
  byName[name] = schema
  registry.add(schema, { id: name })
  return name
}

for (const [name, schema] of Object.entries(objects)) register(schema, name)

function isEmpty(schema: z.ZodType): boolean {
  return schema instanceof z.ZodObject && Object.keys(schema.shape).length === 0
}

function registerEndpoint(
  side: 'client' | 'server',
  name: string,
  { query, body, maxBytes, response }: Pick<Endpoint, 'query' | 'body' | 'maxBytes' | 'response'>,
) {
  const base = `${side}-${name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`
  return {
    ...(isEmpty(query) ? {} : { query: register(query, `${base}-query`) }),
    ...(maxBytes === 0 || isEmpty(body) ? {} : { request: register(body, `${base}-request`) }),
    ...(isEmpty(response) ? {} : { response: register(response, `${base}-response`) }),
  }
}

/** By the names that `clientApi` has for them. */
export const endpointSchemas: Readonly<Record<string, EndpointSchemas>> = Object.fromEntries(
  Object.entries<Endpoint>(clientApi).map(([name, endpoint]) => [
    name,
    registerEndpoint('client', name, endpoint),
  ]),
)

for (const [name, endpoint] of Object.entries<ServerEndpoint>(serverApi))
  registerEndpoint('server', name, endpoint)

/** All of them, by name. */
export const namedSchemas: Readonly<Record<string, z.ZodType>> = byName

/** By name; `refer` says how one schema points to another. */
export function jsonSchemas(refer: (name: string) => string): Readonly<Record<string, JsonSchema>> {
  // Input: what a reader may meet. As output, zod would forbid members that it strips.
  return z.toJSONSchema(registry, { uri: refer, io: 'input', unrepresentable: 'any' }).schemas
}
