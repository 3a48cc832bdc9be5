/**
 * The client-server API, version 1 (Sync §8, Identity §2, Handshake §3, Envelopes §5 of the spec).
 *
 * One value describes every endpoint: the engine calls through it, the node serves and validates with
 * it, the OpenAPI document is made from it. Schemas of protocol objects come from `protocol`; what is
 * hashed or signed is verified there, over the bytes that arrived.
 */
import * as z from 'zod'
import {
  deviceIdSchema,
  deviceKeysSchema,
  envelopeIdSchema,
  eventIdSchema,
  fingerprintSchema,
  pduSchema,
  prekeyBundleSchema,
  prekeyUploadSchema,
  receiptSchema,
  roomIdSchema,
  serverNameSchema,
  signedEntrySchema,
  toDeviceEnvelopeSchema,
  userIdSchema,
  wrapSchema,
} from '../protocol/index.ts'
import { endpoint } from './endpoint.ts'
import {
  listNewsSchema,
  lookSchema,
  MAX_TYPING_MS,
  roomLineSchema,
  typingSchema,
} from './sync-windows.ts'

export const clientPrefix = '/_eccp/client/v1'

const none = z.object({})
const noBody = z.undefined()
const time = z.int().nonnegative()
const token = z.string().min(1).max(128)
const txn = z.string().regex(/^[A-Za-z0-9_-]{1,64}$/)
const deviceName = z.string().max(128)
const small = 16 * 1024

/** A device proves that it holds its keys whenever it asks for a token (label `eccp/login/1`). */
export const loginProofSchema = z.object({ ts: time, sig: z.string().max(128) })

const nodeKeySchema = z.object({ key_id: z.string().max(64), ed25519: z.string().max(64) })

export const limitsSchema = z.object({
  envelope_bytes: z.int(),
  request_bytes: z.int(),
  pairwise_devices: z.int(),
  active_devices: z.int(),
  sync_timeout_ms: z.int(),
})

export const capabilitiesSchema = z.looseObject({
  server_name: serverNameSchema,
  software: z.object({ name: z.string().max(64), version: z.string().max(64) }),
  /** Spec versions spoken. */
  versions: z.array(z.string().max(16)),
  suites: z.array(z.int()),
  transports: z.array(z.enum(['long_poll', 'websocket'])),
  features: z.array(z.string().max(64)),
  registration: z.enum(['open', 'closed', 'token']),
  federation: z.enum(['open', 'allow_list', 'isolated']),
  limits: limitsSchema,
  /** Base64url Ed25519 key by which clients recognise the node wherever it listens. */
  signing_key: nodeKeySchema,
  /** Keys it signed with before; events under them stay valid. */
  retired_keys: z.array(nodeKeySchema).optional(),
  server_time: time,
})
export type Capabilities = z.infer<typeof capabilitiesSchema>

export const sessionSchema = z.object({
  user_id: userIdSchema,
  member: fingerprintSchema,
  device: deviceIdSchema,
  access_token: token,
  scope: z.enum(['full', 'pending']),
})
export type Session = z.infer<typeof sessionSchema>

/** What a device hands in: one envelope, its signature, its detached body, and its wraps. */
export const submissionSchema = z.object({
  envelope: pduSchema.shape.envelope,
  envelope_sig: z.string().max(128),
  body: z
    .string()
    .max(96 * 1024)
    .nullable(),
  wraps: z.array(wrapSchema).max(1024).optional(),
})
export type Submission = z.infer<typeof submissionSchema>

export const accountDeviceSchema = z.object({
  device: deviceKeysSchema,
  name: deviceName.nullable(),
  status: z.enum(['active', 'pending', 'removed']),
  last_seen: time.nullable(),
  requested_at: time.nullable(),
})
export type AccountDevice = z.infer<typeof accountDeviceSchema>

/** Relayed between a pending device and its approver; the node understands none of it (Pairing §2). */
export const pairingRelaySchema = z.object({
  device: deviceIdSchema,
  messages: z.object({
    start: z.string().max(4096).optional(),
    answer: z.string().max(4096).optional(),
    reveal: z.string().max(4096).optional(),
    verdict: z.string().max(4096).optional(),
  }),
})
export type PairingRelay = z.infer<typeof pairingRelaySchema>

export const timelineEntrySchema = z.object({
  pdu: pduSchema,
  /** This device's own wrap, if there is one. */
  wrap: wrapSchema.optional(),
})
export type TimelineEntry = z.infer<typeof timelineEntrySchema>

export const roomDeltaSchema = z.object({
  membership: z.enum(['invite', 'join', 'leave', 'ban', 'knock']),
  /** On first sight of a room, after a gap, and for invitations: state before the timeline begins. */
  state: z.array(pduSchema).optional(),
  /** Ids of those events of `state` and `senders` under whose keys nothing is current any more. */
  lapsed: z.array(eventIdSchema).optional(),
  /** In the node's order; state events among them take effect in place. */
  timeline: z.array(timelineEntrySchema),
  /** Older events were left out; fetch them with `prev`. */
  limited: z.boolean(),
  prev: z.string().max(128).nullable(),
  receipts: z.array(receiptSchema),
  /** On first sight in a window. Where not `whole`, `state` speaks of a part of the members. */
  members: z
    .object({
      joined: z.int().nonnegative(),
      invited: z.int().nonnegative(),
      whole: z.boolean(),
    })
    .optional(),
  /**
   * In a window on a room whose state came in part: what is to be known of those who occur in `timeline`
   * for the first time, as it was before.
   */
  senders: z.array(pduSchema).optional(),
})
export type RoomDelta = z.infer<typeof roomDeltaSchema>

export const manifestNewsSchema = z.object({
  user_id: userIdSchema,
  member: fingerprintSchema,
  head: z.string().max(64),
  height: z.int().nonnegative(),
})

export const syncResponseSchema = z.object({
  /** Position token. Sending it as `since` says that everything up to it is safely stored. */
  next: z.string().max(128),
  rooms: z.record(roomIdSchema, roomDeltaSchema),
  to_device: z.array(
    z.object({
      id: z.string().max(64),
      user_id: userIdSchema,
      member: fingerprintSchema,
      message: toDeviceEnvelopeSchema,
    }),
  ),
  /** Manifests that changed, of this account and of everyone it shares a room with. */
  manifests: z.array(manifestNewsSchema),
  account: z.object({
    scope: z.enum(['full', 'pending']),
    /** One-time prekeys left in stock. */
    one_time_prekeys: z.int().nonnegative(),
    pending_devices: z.array(accountDeviceSchema),
    pairings: z.array(pairingRelaySchema),
  }),
  profiles: z.array(z.object({ user_id: userIdSchema, display_name: z.string().max(128) })),
  /** By the names that the device gave its windows. */
  lists: z.record(z.string(), listNewsSchema).optional(),
  /** Rooms outside of all windows in which something happened. */
  summaries: z.record(roomIdSchema, roomLineSchema).optional(),
  /** Who writes in rooms that were asked about; a passing thing that no position covers. */
  typing: typingSchema.optional(),
})
export type SyncResponse = z.infer<typeof syncResponseSchema>

const p = (rest: string): string => `${clientPrefix}${rest}`
const inRoom = z.object({ roomId: roomIdSchema })

export const clientApi = {
  health: endpoint({
    method: 'GET',
    path: p('/health'),
    auth: 'none',
    summary: 'Liveness',
    params: none,
    query: none,
    body: noBody,
    response: z.object({ status: z.literal('ok') }),
    maxBytes: 0,
    errors: [],
  }),
  capabilities: endpoint({
    method: 'GET',
    path: p('/capabilities'),
    auth: 'none',
    summary: 'What this node speaks and allows',
    params: none,
    query: none,
    body: noBody,
    response: capabilitiesSchema,
    maxBytes: 0,
    errors: [],
  }),

  register: endpoint({
    method: 'POST',
    path: p('/register'),
    auth: 'none',
    summary: 'Make an account and its first device',
    params: none,
    query: none,
    body: z.object({
      username: z.string().min(1).max(64),
      /** Shorter than 8 characters is `M_WEAK_PASSWORD`. */
      password: z.string().min(1).max(1024),
      display_name: z.string().max(128).optional(),
      device_name: deviceName.optional(),
      genesis: signedEntrySchema,
      proof: loginProofSchema,
      registration_token: z.string().max(256).optional(),
    }),
    response: sessionSchema,
    maxBytes: small,
    errors: [
      'M_USER_IN_USE',
      'M_INVALID_USERNAME',
      'M_WEAK_PASSWORD',
      'M_REGISTRATION_CLOSED',
      'E_BAD_ENTRY',
      'E_CLOCK_SKEW',
      'M_FORBIDDEN',
      'M_LIMIT_EXCEEDED',
    ],
  }),
  login: endpoint({
    method: 'POST',
    path: p('/login'),
    auth: 'none',
    summary: 'Password and device keys for a token; a new device stays pending',
    params: none,
    query: none,
    body: z.object({
      user: z.string().min(1).max(320),
      password: z.string().min(1).max(1024),
      device: deviceKeysSchema,
      device_name: deviceName.optional(),
      proof: loginProofSchema,
    }),
    response: sessionSchema,
    maxBytes: small,
    errors: ['M_FORBIDDEN', 'E_DEVICE_REMOVED', 'E_CLOCK_SKEW', 'M_LIMIT_EXCEEDED'],
  }),
  logout: endpoint({
    method: 'POST',
    path: p('/logout'),
    auth: 'any_device',
    summary: 'Ends this token',
    params: none,
    query: none,
    body: z.object({}),
    response: none,
    maxBytes: small,
    errors: [],
  }),
  whoami: endpoint({
    method: 'GET',
    path: p('/account/whoami'),
    auth: 'any_device',
    summary: 'Whose token this is',
    params: none,
    query: none,
    body: noBody,
    response: sessionSchema.omit({ access_token: true }),
    maxBytes: 0,
    errors: [],
  }),

  /** With a pending token: the two entries by which the recovery key lets this very device in. */
  appendManifest: endpoint({
    method: 'POST',
    path: p('/account/manifest'),
    auth: 'any_device',
    summary: 'Append an entry to the own manifest (compare-and-swap on the head)',
    params: none,
    query: none,
    body: z.object({ entry: signedEntrySchema }),
    response: z.object({ head: z.string(), height: z.int() }),
    maxBytes: small,
    errors: ['E_HEAD_CONFLICT', 'E_BAD_ENTRY'],
  }),
  /** With a pending token only the own manifest can be read. */
  manifest: endpoint({
    method: 'GET',
    path: p('/manifests/{userId}'),
    auth: 'any_device',
    summary: 'A manifest log from a height on',
    params: z.object({ userId: userIdSchema }),
    query: z.object({ from: z.coerce.number().int().nonnegative().optional() }),
    body: noBody,
    response: z.object({
      user_id: userIdSchema,
      member: fingerprintSchema,
      head: z.string(),
      height: z.int(),
      entries: z.array(signedEntrySchema).max(1024),
    }),
    maxBytes: 0,
    errors: ['M_NOT_FOUND', 'E_FEDERATION_UNAVAILABLE', 'E_PEER_UNREACHABLE'],
  }),
  devices: endpoint({
    method: 'GET',
    path: p('/account/devices'),
    auth: 'any_device',
    summary: 'Own devices with their private names',
    params: none,
    query: none,
    body: noBody,
    response: z.object({ devices: z.array(accountDeviceSchema) }),
    maxBytes: 0,
    errors: [],
  }),
  nameDevice: endpoint({
    method: 'PUT',
    path: p('/account/devices/{device}'),
    auth: 'active_device',
    summary: 'Name an own device',
    params: z.object({ device: deviceIdSchema }),
    query: none,
    body: z.object({ name: deviceName }),
    response: none,
    maxBytes: small,
    errors: ['M_NOT_FOUND'],
  }),
  dismissDevice: endpoint({
    method: 'DELETE',
    path: p('/account/devices/{device}'),
    auth: 'any_device',
    summary: 'Dismiss a pending device',
    params: z.object({ device: deviceIdSchema }),
    query: none,
    body: noBody,
    response: none,
    maxBytes: 0,
    errors: ['M_NOT_FOUND'],
  }),
  pairing: endpoint({
    method: 'PUT',
    path: p('/account/pairing/{device}/{step}'),
    auth: 'any_device',
    summary: 'Relay one step of a pairing',
    params: z.object({
      device: deviceIdSchema,
      step: z.enum(['start', 'answer', 'reveal', 'verdict']),
    }),
    query: none,
    body: z.object({ message: z.string().max(4096) }),
    response: none,
    maxBytes: small,
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  }),

  profile: endpoint({
    method: 'GET',
    path: p('/profiles/{userId}'),
    auth: 'active_device',
    summary: 'Display name of a user',
    params: z.object({ userId: userIdSchema }),
    query: none,
    body: noBody,
    response: z.object({ user_id: userIdSchema, display_name: z.string() }),
    maxBytes: 0,
    errors: ['M_NOT_FOUND'],
  }),
  setProfile: endpoint({
    method: 'PUT',
    path: p('/account/profile'),
    auth: 'active_device',
    summary: 'Set the own display name',
    params: none,
    query: none,
    body: z.object({ display_name: z.string().max(128) }),
    response: none,
    maxBytes: small,
    errors: [],
  }),

  uploadKeys: endpoint({
    method: 'POST',
    path: p('/keys/upload'),
    auth: 'active_device',
    summary: 'Publish prekeys',
    params: none,
    query: none,
    body: prekeyUploadSchema,
    response: z.object({ one_time_prekeys: z.int() }),
    maxBytes: 64 * 1024,
    errors: ['M_INVALID_PARAM'],
  }),
  claimKeys: endpoint({
    method: 'POST',
    path: p('/keys/claim'),
    auth: 'active_device',
    summary: 'Claim a prekey of each of some devices',
    params: none,
    query: none,
    body: z.object({
      devices: z
        .array(
          z.object({ user_id: userIdSchema, member: fingerprintSchema, device: deviceIdSchema }),
        )
        .min(1)
        .max(256),
    }),
    response: z.object({
      bundles: z.array(
        z.object({ member: fingerprintSchema, device: deviceIdSchema, bundle: prekeyBundleSchema }),
      ),
      missing: z.array(z.object({ member: fingerprintSchema, device: deviceIdSchema })),
    }),
    maxBytes: 64 * 1024,
    errors: ['M_LIMIT_EXCEEDED'],
  }),

  /** Keys under which events of a server are signed, this one or another. */
  serverKeys: endpoint({
    method: 'GET',
    path: p('/servers/{serverName}/keys'),
    auth: 'active_device',
    summary: 'Signing keys of a server, old ones included',
    params: z.object({ serverName: serverNameSchema }),
    query: none,
    body: noBody,
    response: z.object({
      server_name: serverNameSchema,
      keys: z.array(nodeKeySchema).max(1024),
    }),
    maxBytes: 0,
    errors: ['M_NOT_FOUND', 'E_FEDERATION_UNAVAILABLE', 'E_PEER_UNREACHABLE'],
  }),

  /** The submissions are the room's first state events, `e.room.create` first, in order. */
  createRoom: endpoint({
    method: 'POST',
    path: p('/rooms'),
    auth: 'active_device',
    summary: 'Create a direct, group or Shadow room',
    params: none,
    query: none,
    body: z.object({
      txn,
      visibility: z.enum(['private', 'invite_only', 'shadow']),
      submissions: z.array(submissionSchema).min(2).max(32),
    }),
    response: z.object({ room_id: roomIdSchema, event_ids: z.array(eventIdSchema) }),
    maxBytes: 512 * 1024,
    errors: ['E_BAD_ENVELOPE', 'E_UNAUTHORIZED_EVENT', 'E_TXN_REUSED'],
  }),
  /** Messages, state (invite, join, leave are `e.room.member`), redactions: anything a device seals. */
  send: endpoint({
    method: 'PUT',
    path: p('/rooms/{roomId}/send/{eventType}/{txnId}'),
    auth: 'active_device',
    summary: 'Send an event; the transaction id makes it idempotent',
    params: z.object({ roomId: roomIdSchema, eventType: z.string().max(64), txnId: txn }),
    query: none,
    body: submissionSchema,
    response: z.object({ event_id: eventIdSchema, envelope_id: envelopeIdSchema, origin_ts: time }),
    maxBytes: 1024 * 1024,
    errors: [
      'E_BAD_ENVELOPE',
      'E_UNAUTHORIZED_EVENT',
      'E_ROSTER_MISMATCH',
      'E_STATE_CONFLICT',
      'E_TXN_REUSED',
      'M_NOT_FOUND',
      'M_FORBIDDEN',
      'M_TOO_LARGE',
      'E_FEDERATION_UNAVAILABLE',
      'E_PEER_UNREACHABLE',
    ],
  }),
  state: endpoint({
    method: 'GET',
    path: p('/rooms/{roomId}/state'),
    auth: 'active_device',
    summary: 'Current state events',
    params: inRoom,
    /** Up to three server names, separated by commas, that are said to be in the room. */
    query: z.object({ via: z.string().max(800).optional() }),
    body: noBody,
    /** `lapsed`: ids of those events under whose keys nothing is current any more. */
    response: z.object({
      events: z.array(pduSchema),
      lapsed: z.array(eventIdSchema).optional(),
    }),
    maxBytes: 0,
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN', 'E_FEDERATION_UNAVAILABLE', 'E_PEER_UNREACHABLE'],
  }),
  messages: endpoint({
    method: 'GET',
    path: p('/rooms/{roomId}/messages'),
    auth: 'active_device',
    summary: 'Events before a place in the order, newest first, or after it, oldest first',
    params: inRoom,
    /** One of `before` and `after`. */
    query: z.object({
      before: z.string().max(128).optional(),
      after: z.string().max(128).optional(),
      limit: z.coerce.number().int().min(1).max(200).optional(),
    }),
    body: noBody,
    response: z.object({
      events: z.array(timelineEntrySchema),
      /** What these events rest on (their auth events, and those of them), for checking them. */
      auth: z.array(pduSchema).optional(),
      /** Where what is older begins; null at the beginning of what may be seen. */
      prev: z.string().nullable(),
      /** With `after`: where what is newer begins; null where there is none as yet. */
      next: z.string().nullable().optional(),
    }),
    maxBytes: 0,
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  }),
  roomServers: endpoint({
    method: 'GET',
    path: p('/rooms/{roomId}/servers'),
    auth: 'active_device',
    summary: 'Other servers of the room, and since when each has not answered',
    params: inRoom,
    query: none,
    body: noBody,
    response: z.object({
      servers: z.array(z.object({ server: serverNameSchema, silent_since: time.nullable() })),
    }),
    maxBytes: 0,
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  }),
  receipts: endpoint({
    method: 'POST',
    path: p('/rooms/{roomId}/receipts'),
    auth: 'active_device',
    summary: 'Signed receipts',
    params: inRoom,
    query: none,
    body: z.object({ receipts: z.array(receiptSchema).min(1).max(256) }),
    response: none,
    maxBytes: 128 * 1024,
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN'],
  }),

  /** Says that the user writes, for so many milliseconds; 0 that they no longer do. */
  typing: endpoint({
    method: 'PUT',
    path: p('/rooms/{roomId}/typing'),
    auth: 'active_device',
    summary: 'Somebody is writing',
    params: inRoom,
    query: none,
    body: z.object({ timeout: z.int().min(0).max(MAX_TYPING_MS) }),
    response: none,
    maxBytes: 1024,
    errors: ['M_NOT_FOUND', 'M_FORBIDDEN', 'M_LIMIT_EXCEEDED'],
  }),

  toDevice: endpoint({
    method: 'PUT',
    path: p('/to-device/{txnId}'),
    auth: 'active_device',
    summary: 'Messages to single devices',
    params: z.object({ txnId: txn }),
    query: none,
    body: z.object({
      messages: z
        .array(
          z.object({
            user_id: userIdSchema,
            member: fingerprintSchema,
            device: deviceIdSchema,
            message: toDeviceEnvelopeSchema,
          }),
        )
        .min(1)
        .max(256),
    }),
    response: none,
    maxBytes: 512 * 1024,
    errors: ['E_TXN_REUSED', 'M_TOO_LARGE'],
  }),
  sync: endpoint({
    method: 'GET',
    path: p('/sync'),
    auth: 'any_device',
    summary: 'What is new since a position; waits up to `timeout` ms',
    params: none,
    query: z.object({
      since: z.string().max(128).optional(),
      timeout: z.coerce.number().int().min(0).max(60_000).optional(),
    }),
    body: noBody,
    response: syncResponseSchema,
    maxBytes: 0,
    errors: ['E_SYNC_RESET'],
  }),
  syncWindows: endpoint({
    method: 'POST',
    path: p('/sync'),
    auth: 'any_device',
    summary: 'As sync, of the rooms that are looked at',
    params: none,
    query: none,
    body: lookSchema.extend({
      since: z.string().max(128).optional(),
      timeout: z.int().min(0).max(60_000).optional(),
    }),
    response: syncResponseSchema,
    maxBytes: small,
    errors: ['E_SYNC_RESET', 'M_LIMIT_EXCEEDED'],
  }),
} as const

export type ClientApi = typeof clientApi
export type EndpointName = keyof ClientApi
export type Params<N extends EndpointName> = z.input<ClientApi[N]['params']>
export type Query<N extends EndpointName> = z.input<ClientApi[N]['query']>
export type Body<N extends EndpointName> = z.input<ClientApi[N]['body']>
export type Response<N extends EndpointName> = z.output<ClientApi[N]['response']>
