/**
 * View models: what a person sees, as plain data. The engine produces them, the IPC contract carries
 * them, the renderer draws them. No key, no token and no ciphertext ever appears here.
 *
 * Times are integer milliseconds since the epoch. `account` is the local account id (the fingerprint).
 */
import * as z from 'zod'

const text = z.string().max(20_000)
const shortText = z.string().max(512)
const id = z.string().max(512)
const time = z.int().nonnegative()

export const protectionSchema = z.discriminatedUnion('state', [
  /** Decrypted, sender's device known and on their list. */
  z.object({ state: z.literal('protected') }),
  /** Part of the room's public record (name changes and the like), signed but not encrypted. */
  z.object({ state: z.literal('not_encrypted') }),
  /** The key has not arrived; asked for. */
  z.object({ state: z.literal('waiting_for_key'), since: time }),
  /** Cannot be read, and why. Reasons are closed so that the renderer can explain each in words. */
  z.object({
    state: z.literal('unreadable'),
    reason: z.enum([
      'sent_before_this_device',
      'key_exchange_failed',
      'damaged_on_the_way',
      'not_meant_for_this_device',
      'commitment_mismatch',
      'withheld_by_server',
      'unsupported_format',
      'unauthorized_sender',
    ]),
  }),
])
export type Protection = z.infer<typeof protectionSchema>

export const messageWarningSchema = z.enum([
  'sender_device_removed',
  'replayed_sequence',
  'sent_time_implausible',
  'key_changed',
])

export const deliverySchema = z.enum(['queued', 'sending', 'sent', 'delivered', 'read', 'failed'])
export type Delivery = z.infer<typeof deliverySchema>

export const reactionSchema = z.object({
  emoji: z.string().max(32),
  members: z.array(id),
  mine: z.boolean(),
})

export const quoteSchema = z.object({
  envelope: id,
  sender: id,
  senderName: shortText,
  text,
  missing: z.boolean(),
})

export const messageItemSchema = z.object({
  kind: z.literal('message'),
  /** Stable for the life of the item: the outbox id for own messages, else the envelope id. */
  key: id,
  /** Null until sealed. */
  envelope: id.nullable(),
  sender: id,
  senderName: shortText,
  senderUserId: id,
  mine: z.boolean(),
  time,
  text,
  edited: z.boolean(),
  deleted: z.boolean(),
  protection: protectionSchema,
  warnings: z.array(messageWarningSchema),
  /** Own messages only. */
  delivery: deliverySchema.nullable(),
  /** Names of those whose device said it has the message; own messages only. */
  deliveredTo: z.array(shortText),
  /** Why sending failed, in a closed set; null otherwise. */
  failure: z
    .enum([
      'offline',
      'refused',
      'too_large',
      'not_a_member',
      'no_permission',
      'recipient_unreachable',
      'server_error',
    ])
    .nullable(),
  quote: quoteSchema.nullable(),
  reactions: z.array(reactionSchema),
  bot: z.boolean(),
  bridge: z.object({ network: shortText, sender: shortText }).nullable(),
  expiresAt: time.nullable(),
})
export type MessageItem = z.infer<typeof messageItemSchema>

export const joinRuleSchema = z.enum(['invite', 'knock', 'public'])
export type JoinRule = z.infer<typeof joinRuleSchema>

/** What somebody may be made; who has started a room stays its creator. */
export const roleSchema = z.enum(['admin', 'moderator', 'member'])
export type Role = z.infer<typeof roleSchema>

/** What the one who did it has said about it; absent or empty: nothing. */
const reason = shortText.optional()

/** Something that happened to the room, told in words by the renderer. */
export const noticeItemSchema = z.object({
  kind: z.literal('notice'),
  key: id,
  time,
  notice: z.discriminatedUnion('what', [
    z.object({ what: z.literal('created'), by: shortText }),
    z.object({ what: z.literal('joined'), who: shortText }),
    z.object({ what: z.literal('invited'), who: shortText, by: shortText }),
    z.object({ what: z.literal('left'), who: shortText }),
    z.object({ what: z.literal('declined'), who: shortText }),
    z.object({ what: z.literal('removed'), who: shortText, by: shortText, reason }),
    z.object({ what: z.literal('banned'), who: shortText, by: shortText, reason }),
    z.object({ what: z.literal('unbanned'), who: shortText, by: shortText }),
    z.object({ what: z.literal('knocked'), who: shortText }),
    z.object({ what: z.literal('knock_declined'), who: shortText, by: shortText }),
    z.object({ what: z.literal('knock_withdrawn'), who: shortText }),
    z.object({ what: z.literal('join_rule'), by: shortText, rule: joinRuleSchema }),
    z.object({ what: z.literal('renamed'), by: shortText, name: shortText }),
    z.object({ what: z.literal('topic'), by: shortText, topic: text }),
    z.object({ what: z.literal('power'), by: shortText }),
    z.object({ what: z.literal('role'), who: shortText, by: shortText, role: roleSchema }),
    // The own node says that having removed them did not hold.
    z.object({ what: z.literal('returned'), who: shortText }),
    z.object({ what: z.literal('device_added'), who: shortText, device: shortText }),
    z.object({ what: z.literal('device_removed'), who: shortText, device: shortText }),
    z.object({ what: z.literal('identity_reset'), who: shortText }),
    z.object({ what: z.literal('fork'), who: shortText }),
    z.object({
      what: z.literal('refused'),
      reason: z.enum(['forged', 'unauthorized', 'malformed', 'replayed', 'reattributed']),
    }),
    z.object({ what: z.literal('gap') }),
  ]),
})
export type NoticeItem = z.infer<typeof noticeItemSchema>

export const timelineItemSchema = z.discriminatedUnion('kind', [
  messageItemSchema,
  noticeItemSchema,
])
export type TimelineItem = z.infer<typeof timelineItemSchema>

/** A contiguous piece of a room's timeline, oldest first. Page numbers are the engine's own. */
export const timelinePageSchema = z.object({
  room: id,
  items: z.array(timelineItemSchema).max(400),
  /** Pass back to `timeline` to get what is older; null at the beginning of what this device has. */
  older: z.string().max(64).nullable(),
})
export type TimelinePage = z.infer<typeof timelinePageSchema>

export const roomKindSchema = z.enum(['direct', 'group'])
export const visibilitySchema = z.enum(['private', 'invite_only', 'shadow'])
export const historyVisibilitySchema = z.enum(['invited', 'joined', 'shared', 'world_readable'])

/** How a room ended for somebody who did not end it; `allowed`: a ban that was lifted since. */
export const roomEndingSchema = z.object({
  how: z.enum(['removed', 'banned', 'declined', 'allowed']),
  by: shortText.nullable(),
  reason: shortText.nullable(),
})
export type RoomEnding = z.infer<typeof roomEndingSchema>

export const roomSummarySchema = z.object({
  id,
  kind: roomKindSchema,
  visibility: visibilitySchema,
  /** Own membership. */
  membership: z.enum(['invite', 'join', 'leave', 'knock']),
  name: shortText,
  topic: text,
  preview: z
    .object({
      sender: shortText,
      text: shortText,
      mine: z.boolean(),
      kind: z.enum(['text', 'notice', 'waiting', 'unreadable', 'deleted']),
    })
    .nullable(),
  lastActivity: time,
  unread: z.int().nonnegative(),
  mentions: z.int().nonnegative(),
  memberCount: z.int().nonnegative(),
  /** Member id of the other person in a direct room, so that both bear the same colour. */
  peer: id.nullable().optional(),
  /** Set on invitations. */
  inviter: z.object({ userId: id, name: shortText, server: shortText }).nullable(),
  hasDraft: z.boolean(),
  /** The user asked to leave; undo is possible until this time. */
  leavingAt: time.nullable(),
  /** Of a room that is over and not of one's own will. */
  ended: roomEndingSchema.nullable().optional(),
  /** People who ask to come in, where it is for this account to let them. */
  asking: z.int().nonnegative().optional(),
})
export type RoomSummary = z.infer<typeof roomSummarySchema>

export const memberDeviceSchema = z.object({
  id,
  name: shortText.nullable(),
  addedAtHeight: z.int(),
  status: z.enum(['active', 'pending', 'removed']),
  verified: z.boolean(),
  /** Human-comparable digest of the device's signing key, in groups. */
  keyDigest: shortText,
})
export type MemberDevice = z.infer<typeof memberDeviceSchema>

export const memberSchema = z.object({
  id,
  userId: id,
  name: shortText,
  server: shortText,
  membership: z.enum(['invite', 'join', 'leave', 'ban', 'knock']),
  power: z.int(),
  role: z.enum(['creator', ...roleSchema.options]),
  bot: z.boolean(),
  me: z.boolean(),
  devices: z.array(memberDeviceSchema),
  /** True after their key or device list changed in a way that the user has not looked at. */
  changed: z.boolean(),
  /** What this account may do to them. */
  can: z.object({
    remove: z.boolean(),
    ban: z.boolean(),
    unban: z.boolean(),
    letIn: z.boolean(),
    decline: z.boolean(),
    /** Roles that this account may give them, the present one left out. */
    roles: z.array(roleSchema),
  }),
})
export type Member = z.infer<typeof memberSchema>

export const roomDetailsSchema = z.object({
  id,
  summary: roomSummarySchema,
  members: z.array(memberSchema),
  historyVisibility: historyVisibilitySchema,
  joinRule: joinRuleSchema,
  servers: z.array(shortText),
  /** Those of `servers` that do not answer: what is sent waits for them. Known of the watched room. */
  silentServers: z.array(shortText),
  hasBots: z.boolean(),
  hasBridges: z.boolean(),
  can: z.object({
    send: z.boolean(),
    invite: z.boolean(),
    rename: z.boolean(),
    setJoinRule: z.boolean(),
    redactOthers: z.boolean(),
  }),
})
export type RoomDetails = z.infer<typeof roomDetailsSchema>

export const connectionSchema = z.discriminatedUnion('state', [
  z.object({ state: z.literal('connecting') }),
  z.object({ state: z.literal('online') }),
  z.object({
    state: z.literal('offline'),
    since: time,
    retryAt: time.nullable(),
    reason: z.enum(['unreachable', 'slow', 'server_error', 'certificate']),
  }),
  z.object({
    state: z.literal('signed_out'),
    reason: z.enum(['token_expired', 'device_removed', 'signed_out_elsewhere']),
  }),
])
export type Connection = z.infer<typeof connectionSchema>

export const accountViewSchema = z.object({
  account: id,
  userId: id,
  displayName: shortText,
  homeserver: shortText,
  /** The personal node runs on this computer. */
  personalNode: z.boolean(),
  device: id,
  deviceName: shortText,
  state: z.enum(['ready', 'pending_approval', 'locked', 'damaged', 'signed_out']),
  connection: connectionSchema,
  queuedMessages: z.int().nonnegative(),
})
export type AccountView = z.infer<typeof accountViewSchema>

export const ownDeviceSchema = memberDeviceSchema.extend({
  current: z.boolean(),
  lastSeen: time.nullable(),
})
export type OwnDevice = z.infer<typeof ownDeviceSchema>

/** Approval of a further device, on either side (pairing). */
export const pairingSchema = z.object({
  device: id,
  deviceName: shortText,
  side: z.enum(['new_device', 'approver']),
  step: z.enum(['waiting', 'compare', 'approving', 'approved', 'refused', 'expired', 'failed']),
  /** Six digits in two groups of three, once both sides have revealed; null before. */
  code: z.string().max(16).nullable(),
  requestedAt: time,
})
export type Pairing = z.infer<typeof pairingSchema>

/** One queue arbitrates everything that interrupts; the tier decides how loud it is. */
export const alertSchema = z.object({
  id,
  tier: z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3), z.literal(4)]),
  room: id.nullable(),
  time,
  alert: z.discriminatedUnion('what', [
    z.object({ what: z.literal('device_waiting'), device: id, deviceName: shortText }),
    z.object({
      what: z.literal('contact_changed'),
      userId: id,
      name: shortText,
      change: z.enum(['device_added', 'device_removed', 'identity_reset', 'fork']),
    }),
    z.object({ what: z.literal('vault_damaged'), records: z.int() }),
    z.object({ what: z.literal('vault_rolled_back') }),
    z.object({ what: z.literal('storage_full') }),
    z.object({ what: z.literal('personal_node_down') }),
    z.object({ what: z.literal('toast'), text: shortText }),
  ]),
})
export type Alert = z.infer<typeof alertSchema>
