/**
 * The server-server API, version 1 (Federation §15): what one node asks of another. One value describes every
 * endpoint; the asking node calls through it, the asked one serves and validates with it. What is hashed or
 * signed is verified over what arrived.
 */
import { MAX_TYPING_MS } from './sync-windows.ts'
import * as z from 'zod'
import {
  deviceIdSchema,
  eventIdSchema,
  fingerprintSchema,
  pduSchema,
  prekeyBundleSchema,
  receiptSchema,
  roomIdSchema,
  serverNameSchema,
  signedEntrySchema,
  toDeviceEnvelopeSchema,
  userIdSchema,
  wrapSchema,
} from '../protocol/index.ts'
import { serverKeySchema, serverKeysSchema } from './server-keys.ts'

export const federationPrefix = '/_eccp/federation/v1'

/**
 * Versions of this API that are spoken here, best first. Requests say which one by their path: a version in which they
 * would mean something else has another prefix.
 */
export const FEDERATION_VERSIONS = ['v0.1'] as const
export type FederationVersion = (typeof FEDERATION_VERSIONS)[number]

/** The first of the asking side's versions that the other one offers; null where there is none. */
export function commonVersion<V extends string>(
  own: readonly V[],
  offered: readonly string[],
): V | null {
  return own.find((version) => offered.includes(version)) ?? null
}

export interface ServerEndpoint<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'PUT'
  readonly path: string
  /** Whether the request must be signed by a server that this one federates with. */
  readonly signed: boolean
  readonly params: P
  readonly query: Q
  readonly body: B
  readonly response: R
  /** Largest request body, in bytes. */
  readonly maxBytes: number
  /** Largest answer that the asking side reads, in bytes. */
  readonly maxAnswer: number
}

function endpoint<
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends z.ZodType,
>(e: ServerEndpoint<P, Q, B, R>): ServerEndpoint<P, Q, B, R> {
  return e
}

const none = z.object({})
const noBody = z.undefined()
const KIB = 1024
const MIB = 1024 * KIB
const p = (rest: string): string => `${federationPrefix}${rest}`
const itemId = z.string().regex(/^[A-Za-z0-9_$-]{1,64}$/)

export const MAX_ITEMS = 100
/** State events beside an invitation. */
export const MAX_INVITE_STATE = 256
/** Events in one answer to `missing`. */
export const MAX_EVENTS = 200
/** Servers in one question about keys. */
export const MAX_ASKED_KEYS = 16
/** Rooms in one answer to `returned`. */
export const MAX_RETURNED = 200

/** One event; wraps only for devices whose home is the receiver, only from the event's own origin. */
export const eventItemSchema = z.object({
  kind: z.literal('event'),
  id: itemId,
  pdu: pduSchema,
  wraps: z.array(wrapSchema).max(1024),
})
/** A membership event for someone whose server is not in the room, with what it takes to check it. */
export const inviteItemSchema = z.object({
  kind: z.literal('invite'),
  id: itemId,
  pdu: pduSchema,
  state: z.array(pduSchema).max(MAX_INVITE_STATE),
  /** Ids of those of `state` under whose keys nothing is current any more. */
  lapsed: z.array(eventIdSchema).max(MAX_INVITE_STATE).optional(),
})
export const receiptItemSchema = z.object({
  kind: z.literal('receipt'),
  id: itemId,
  receipt: receiptSchema,
})
export const toDeviceItemSchema = z.object({
  kind: z.literal('to_device'),
  id: itemId,
  /** Of the sender. */
  user_id: userIdSchema,
  message: toDeviceEnvelopeSchema,
})
/** A manifest grew; the entries are fetched. */
export const manifestItemSchema = z.object({
  kind: z.literal('manifest'),
  id: itemId,
  user_id: userIdSchema,
  member: fingerprintSchema,
  head: z.string().max(64),
  height: z.int().nonnegative(),
})
export const profileItemSchema = z.object({
  kind: z.literal('profile'),
  id: itemId,
  user_id: userIdSchema,
  member: fingerprintSchema,
  display_name: z.string().max(128),
})
/** Somebody writes; said once, to whoever answers now. */
export const typingItemSchema = z.object({
  kind: z.literal('typing'),
  id: itemId,
  room: roomIdSchema,
  member: fingerprintSchema,
  timeout: z.int().min(0).max(MAX_TYPING_MS),
})
export const itemSchema = z.discriminatedUnion('kind', [
  eventItemSchema,
  inviteItemSchema,
  receiptItemSchema,
  toDeviceItemSchema,
  manifestItemSchema,
  profileItemSchema,
  typingItemSchema,
])
export type ServerItem = z.infer<typeof itemSchema>

export const itemOutcomeSchema = z.object({
  id: itemId,
  /** `later`: nothing is wrong with it, but it can't be judged yet; the sender keeps it. */
  outcome: z.enum(['taken', 'refused', 'later']),
  code: z.string().max(64).optional(),
})
export type ItemOutcome = z.infer<typeof itemOutcomeSchema>

export const manifestAnswerSchema = z.object({
  user_id: userIdSchema,
  member: fingerprintSchema,
  head: z.string().max(64),
  height: z.int().nonnegative(),
  entries: z.array(signedEntrySchema).max(1024),
})

/** A key document that is passed on. */
export const keyWitnessSchema = z.object({
  document: serverKeysSchema,
  /** Whether the asked server has it from the one it is about; otherwise it was told so itself. */
  first_hand: z.boolean(),
})

export const serverApi = {
  version: endpoint({
    method: 'GET',
    path: p('/version'),
    signed: false,
    params: none,
    query: none,
    body: noBody,
    response: z.looseObject({
      server: z.object({ name: z.string().max(64), version: z.string().max(64) }),
      server_name: serverNameSchema,
      versions: z.array(z.string().max(16)).max(16),
      features: z.array(z.string().max(64)).max(64),
      mode: z.enum(['open', 'allow_list', 'isolated']),
      signing_keys: z.array(serverKeySchema).max(64),
    }),
    maxBytes: 0,
    maxAnswer: 32 * KIB,
  }),
  keys: endpoint({
    method: 'GET',
    path: p('/keys'),
    signed: false,
    params: none,
    query: none,
    body: noBody,
    response: serverKeysSchema,
    maxBytes: 0,
    maxAnswer: 32 * KIB,
  }),
  /** Items are judged one by one: a bad one never holds up the others. */
  transaction: endpoint({
    method: 'PUT',
    path: p('/transactions/{txnId}'),
    signed: true,
    params: z.object({ txnId: itemId }),
    query: none,
    body: z.object({
      items: z.array(z.looseObject({ kind: z.string().max(32), id: itemId })).max(MAX_ITEMS),
      /** Fills the request up to one of few sizes. */
      pad: z.string().optional(),
    }),
    response: z.object({ results: z.array(itemOutcomeSchema).max(MAX_ITEMS) }),
    maxBytes: 4 * MIB,
    maxAnswer: 64 * KIB,
  }),
  /**
   * Events that `wanted` rest on and `known` don't, themselves included, in an order in which none comes
   * before what it rests on. Without `wanted`: up to everything there is.
   */
  missing: endpoint({
    method: 'POST',
    path: p('/rooms/{roomId}/missing'),
    signed: true,
    params: z.object({ roomId: roomIdSchema }),
    query: none,
    body: z.object({
      wanted: z.array(eventIdSchema).max(64),
      known: z.array(eventIdSchema).max(64),
      limit: z.int().min(1).max(MAX_EVENTS),
      /** `next` of the answer before: goes on there. */
      after: z.string().max(64).optional(),
    }),
    response: z.object({
      events: z.array(z.unknown()).max(MAX_EVENTS),
      /** There are more: ask again, knowing these, and with `next` where there is one. */
      more: z.boolean(),
      next: z.string().max(64).nullable(),
    }),
    maxBytes: 16 * KIB,
    maxAnswer: 4 * MIB,
  }),
  /** Key documents of servers with events in the room, as far as the asked one has them. */
  roomKeys: endpoint({
    method: 'POST',
    path: p('/rooms/{roomId}/keys'),
    signed: true,
    params: z.object({ roomId: roomIdSchema }),
    query: none,
    body: z.object({ servers: z.array(serverNameSchema).min(1).max(MAX_ASKED_KEYS) }),
    response: z.object({
      documents: z.array(keyWitnessSchema).max(MAX_ASKED_KEYS),
    }),
    maxBytes: 8 * KIB,
    maxAnswer: MIB,
  }),
  manifest: endpoint({
    method: 'GET',
    path: p('/manifests/{userId}'),
    signed: true,
    params: z.object({ userId: userIdSchema }),
    query: z.object({ from: z.coerce.number().int().nonnegative().optional() }),
    body: noBody,
    response: manifestAnswerSchema,
    maxBytes: 0,
    maxAnswer: 4 * MIB,
  }),
  profile: endpoint({
    method: 'GET',
    path: p('/profiles/{userId}'),
    signed: true,
    params: z.object({ userId: userIdSchema }),
    query: none,
    body: noBody,
    response: z.object({ user_id: userIdSchema, display_name: z.string().max(128) }),
    maxBytes: 0,
    maxAnswer: 8 * KIB,
  }),
  claimKeys: endpoint({
    method: 'POST',
    path: p('/keys/claim'),
    signed: true,
    params: none,
    query: none,
    body: z.object({
      /** The account whose device asks; claims are counted by it. */
      claimer: fingerprintSchema,
      devices: z
        .array(
          z.object({ user_id: userIdSchema, member: fingerprintSchema, device: deviceIdSchema }),
        )
        .min(1)
        .max(256),
    }),
    response: z.object({
      bundles: z
        .array(
          z.object({
            member: fingerprintSchema,
            device: deviceIdSchema,
            bundle: prekeyBundleSchema,
          }),
        )
        .max(256),
      missing: z.array(z.object({ member: fingerprintSchema, device: deviceIdSchema })).max(256),
    }),
    maxBytes: 64 * KIB,
    maxAnswer: 2 * MIB,
  }),
  /**
   * The asking server's data was set back: which rooms is somebody of it in, as far as the asked one is in them?
   * By room id. Invitations that are open for it are sent to it again.
   */
  returned: endpoint({
    method: 'POST',
    path: p('/returned'),
    signed: true,
    params: none,
    query: none,
    body: z.object({
      /** `next` of the answer before. */
      after: roomIdSchema.optional(),
    }),
    response: z.object({
      rooms: z.array(roomIdSchema).max(MAX_RETURNED),
      /** Null where these were the last. */
      next: roomIdSchema.nullable(),
    }),
    maxBytes: KIB,
    maxAnswer: 128 * KIB,
  }),
} as const

export type ServerApi = typeof serverApi
export type ServerEndpointName = keyof ServerApi
export type ServerParams<N extends ServerEndpointName> = z.input<ServerApi[N]['params']>
export type ServerQuery<N extends ServerEndpointName> = z.input<ServerApi[N]['query']>
export type ServerBody<N extends ServerEndpointName> = z.input<ServerApi[N]['body']>
export type ServerAnswer<N extends ServerEndpointName> = z.output<ServerApi[N]['response']>
