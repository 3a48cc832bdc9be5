/**
 * The clear bodies of state events (Room state §7): one schema per type, unknown fields kept.
 *
 * It knows shapes and bounds only; whether a sender may set such a body is the business of `auth.ts`.
 * Shadow Rooms (§12), spaces and bot grants (§11) have their place reserved here.
 */
import * as z from 'zod'
import {
  base64UrlSchema,
  deviceIdSchema,
  envelopeIdSchema,
  fingerprintSchema,
  serverNameSchema,
  timestampSchema,
  userIdSchema,
} from '../encoding/ids.ts'

export const ROOM_VERSION = '1'

export const STATE_TYPES = {
  create: 'e.room.create',
  member: 'e.room.member',
  roster: 'e.room.roster',
  power: 'e.room.power',
  joinRules: 'e.room.join_rules',
  historyVisibility: 'e.room.history_visibility',
  name: 'e.room.name',
  topic: 'e.room.topic',
  avatar: 'e.room.avatar',
  grant: 'e.room.grant',
  spaceChild: 'e.space.child',
  spaceParent: 'e.space.parent',
} as const

export const MESSAGE_TYPES = {
  /** Opaque: what it is lies inside the ciphertext. */
  message: 'e.message',
  redaction: 'e.redaction',
} as const

/** Power levels run from 0 to this; the creator stands above it, unlisted. */
export const MAX_POWER = 100
/** Active devices of an account (Identity §2). */
export const MAX_ROSTER_DEVICES = 16

const power = z.int().min(0).max(MAX_POWER)
const text = (max: number): z.ZodString => z.string().max(max)
/** Sealed under a Shadow Room's metadata key (§12); reserved. */
const sealed = base64UrlSchema().max(16 * 1024)
/** Ed25519 public key. Whether it is admissible is checked with crypto, in `auth.ts`. */
const ed25519 = base64UrlSchema(32)
const height = z.int().nonnegative()
const type = z.string().regex(/^[a-z0-9][a-z0-9._-]{0,63}$/)

/** Until the creator's first roster event this is what device signatures are checked against. */
export const founderSchema = z.looseObject({
  /** Head and height of the creator's manifest. */
  head: fingerprintSchema,
  height,
  /** Signing key of the device that sealed the create envelope. */
  ed25519,
})

export const createContentSchema = z.looseObject({
  version: text(16),
  kind: z.enum(['direct', 'group', 'space']),
  visibility: z.enum(['private', 'invite_only', 'shadow']),
  creator: userIdSchema,
  /** The creator's homeserver, and the hint in the room id. */
  server: serverNameSchema,
  /** 16 random bytes: two rooms made in the same millisecond have different ids. */
  nonce: base64UrlSchema(16),
  founder: founderSchema,
})

export const membershipSchema = z.enum(['invite', 'join', 'leave', 'ban', 'knock'])

export const memberContentSchema = z.looseObject({
  membership: membershipSchema,
  user_id: userIdSchema,
  reason: text(512).exactOptional(),
  /** Display data sealed under a Shadow Room's metadata key; reserved. */
  sealed: sealed.exactOptional(),
})

export const rosterDeviceSchema = z.looseObject({ id: deviceIdSchema, ed25519 })

export const rosterContentSchema = z
  .looseObject({
    /** Whose home node speaks. */
    user_id: userIdSchema,
    /** Head and height of the member's manifest. */
    head: fingerprintSchema,
    height,
    /** The active devices at that head. */
    devices: z.array(rosterDeviceSchema).max(MAX_ROSTER_DEVICES),
  })
  .refine((roster) => allDistinct(roster.devices.map((device) => device.id)), 'repeated device id')
  .refine((roster) => allDistinct(roster.devices.map((device) => device.ed25519)), 'repeated key')

export const powerContentSchema = z.looseObject({
  /** The creator is never listed. */
  members: z.record(fingerprintSchema, power),
  /** Of a member not listed. */
  default: power,
  /** Needed to send a type; other types need 0, other state types `state_default`. */
  events: z.record(type, power),
  invite: power,
  kick: power,
  ban: power,
  redact: power,
  state_default: power,
})

export const joinRulesContentSchema = z.looseObject({
  join_rule: z.enum(['invite', 'public', 'knock']),
})

export const historyVisibilityContentSchema = z.looseObject({
  history_visibility: z.enum(['invited', 'joined', 'shared', 'world_readable']),
})

export const nameContentSchema = z.looseObject({
  name: text(255).exactOptional(),
  sealed: sealed.exactOptional(),
})

export const topicContentSchema = z.looseObject({
  topic: text(1024).exactOptional(),
  sealed: sealed.exactOptional(),
})

export const avatarContentSchema = z.looseObject({
  /** An attachment descriptor (§9), opaque here; null takes the picture away. */
  avatar: z.looseObject({}).nullable().exactOptional(),
  sealed: sealed.exactOptional(),
})

/** State key: the bot's fingerprint. Members wrap for its devices only what the grant covers. */
export const grantContentSchema = z.looseObject({
  user_id: userIdSchema,
  /** Empty: the grant is withdrawn. */
  devices: z.array(deviceIdSchema).max(MAX_ROSTER_DEVICES),
  read: z.enum(['none', 'commands', 'mentions', 'all']),
  send: z.array(type).max(32),
  /** Milliseconds; null: until withdrawn. */
  until: timestampSchema.nullable(),
})

/** State key: the child's room id. Reserved. */
export const spaceChildContentSchema = z.looseObject({
  via: z.array(serverNameSchema).max(8),
  order: text(64).exactOptional(),
})

/** State key: the space's room id. Reserved. */
export const spaceParentContentSchema = z.looseObject({ via: z.array(serverNameSchema).max(8) })

export const redactionContentSchema = z.looseObject({
  /** An envelope id. */
  target: envelopeIdSchema,
  reason: text(512).exactOptional(),
})

export type Founder = z.infer<typeof founderSchema>
export type CreateContent = z.infer<typeof createContentSchema>
export type Membership = z.infer<typeof membershipSchema>
export type MemberContent = z.infer<typeof memberContentSchema>
export type RosterDevice = z.infer<typeof rosterDeviceSchema>
export type RosterContent = z.infer<typeof rosterContentSchema>
export type PowerContent = z.infer<typeof powerContentSchema>
export type JoinRulesContent = z.infer<typeof joinRulesContentSchema>
export type HistoryVisibilityContent = z.infer<typeof historyVisibilityContentSchema>
export type NameContent = z.infer<typeof nameContentSchema>
export type TopicContent = z.infer<typeof topicContentSchema>
export type AvatarContent = z.infer<typeof avatarContentSchema>
export type GrantContent = z.infer<typeof grantContentSchema>
export type RedactionContent = z.infer<typeof redactionContentSchema>

/** Types whose body these rules read; every other type is opaque. */
export interface ContentByType {
  'e.room.create': CreateContent
  'e.room.member': MemberContent
  'e.room.roster': RosterContent
  'e.room.power': PowerContent
  'e.room.join_rules': JoinRulesContent
  'e.room.history_visibility': HistoryVisibilityContent
  'e.room.name': NameContent
  'e.room.topic': TopicContent
  'e.room.avatar': AvatarContent
  'e.room.grant': GrantContent
  'e.space.child': z.infer<typeof spaceChildContentSchema>
  'e.space.parent': z.infer<typeof spaceParentContentSchema>
  'e.redaction': RedactionContent
}
export type KnownType = keyof ContentByType

export const contentSchemas: { readonly [T in KnownType]: z.ZodType<ContentByType[T]> } = {
  'e.room.create': createContentSchema,
  'e.room.member': memberContentSchema,
  'e.room.roster': rosterContentSchema,
  'e.room.power': powerContentSchema,
  'e.room.join_rules': joinRulesContentSchema,
  'e.room.history_visibility': historyVisibilityContentSchema,
  'e.room.name': nameContentSchema,
  'e.room.topic': topicContentSchema,
  'e.room.avatar': avatarContentSchema,
  'e.room.grant': grantContentSchema,
  'e.space.child': spaceChildContentSchema,
  'e.space.parent': spaceParentContentSchema,
  'e.redaction': redactionContentSchema,
}

export function isKnownType(name: string): name is KnownType {
  return Object.hasOwn(contentSchemas, name)
}

function allDistinct(values: readonly string[]): boolean {
  return new Set(values).size === values.length
}
