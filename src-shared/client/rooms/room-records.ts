/** Room summaries and room state as records. */
import * as z from 'zod'
import { roomEndingSchema, roomSummarySchema } from '../../view-model/index.ts'
import { recordType } from '../store/record-type.ts'
import type { RecordOf } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'

/** Rooms in one summary record: opening a hundred rooms reads four records. */
export const ROOMS_PER_RECORD = 25

const summary = roomSummarySchema.shape

const roomEntrySchema = z.object({
  id: summary.id,
  kind: summary.kind,
  visibility: summary.visibility,
  membership: summary.membership,
  /** Left, declined or never made: not in the list. */
  hidden: z.boolean(),
  /** The room's own name; empty where it has none. */
  name: z.string(),
  topic: z.string(),
  /** The other person of a direct room, and their name as last seen. */
  peer: z.object({ member: z.string(), userId: z.string(), name: z.string() }).nullable(),
  preview: summary.preview,
  lastActivity: summary.lastActivity,
  unread: summary.unread,
  mentions: summary.mentions,
  memberCount: summary.memberCount,
  inviter: z.object({ member: z.string(), userId: z.string(), name: z.string() }).nullable(),
  hasDraft: z.boolean(),
  leavingAt: summary.leavingAt,
  /** How it ended, where somebody else has ended it: by whom and in which envelope, as far as that is known. */
  ended: z
    .object({
      how: roomEndingSchema.shape.how,
      by: z.object({ member: z.string(), userId: z.string() }).nullable(),
      reason: z.string().nullable(),
      envelope: z.string().nullable(),
    })
    .nullable()
    .default(null),
  /** People who ask to come in, where it is for this account to let them. */
  asking: z.int().default(0),
  /** First and last page number; `last < first` before anything is there. */
  first: z.int(),
  last: z.int(),
  /** Position from which the node gives what is older than the first page; null at the beginning. */
  older: z.string().nullable(),
  /** Made here and not yet confirmed by the node. */
  creating: z.boolean(),
  /** Of its members only a part is known. */
  partial: z.boolean().default(false),
  /** Something was passed over since the room was last shown by the node. */
  behind: z.boolean().default(false),
  /** Messages of others among it. */
  unseen: z.int().default(0),
  /**
   * Where page numbers jump, newest last: pages between `low` and `high` lie in a gap that is filled from
   * `prev` downwards; null once it is closed.
   */
  gaps: z.array(z.object({ low: z.int(), high: z.int(), prev: z.string().nullable() })).default([]),
})
export type RoomEntry = z.infer<typeof roomEntrySchema>

export const roomsRecord = recordType(
  tables.rooms,
  z.object({ v: z.literal(1), rooms: z.array(roomEntrySchema) }),
  4096,
)
export const roomsKey = (slot: number): string => `list/${String(slot)}`

/** Which record holds which room. */
export const roomSlotsRecord = recordType(
  tables.rooms,
  z.object({ v: z.literal(1), slots: z.record(z.string(), z.int()), next: z.int() }),
)
export const ROOM_SLOTS = 'slots'

/** Key: the room. Its current state events, verified when they were taken in. */
export const roomStateRecord = recordType(
  tables.roomState,
  z.object({ v: z.literal(1), events: z.array(z.unknown()) }),
  128,
)
export type RoomStateRecord = RecordOf<typeof roomStateRecord>

/** Key: room and `/own`. Where this device's own chain of envelopes stands in the room. */
export const ownChainRecord = recordType(
  tables.roomState,
  z.object({ v: z.literal(1), seq: z.int(), last: z.string().nullable() }),
)
export const ownChainKey = (room: string): string => `${room}/own`

/** Key: room, `/seq/`, device. What of a device's chain has been seen in the room. */
export const sequenceRecord = recordType(
  tables.roomState,
  z.object({
    greatest: z.int(),
    seen: z.array(z.object({ seq: z.int(), id: z.string(), prev: z.string().nullable() })),
    floor: z.int(),
  }),
  256,
)
export const sequenceKey = (room: string, device: string): string => `${room}/seq/${device}`
