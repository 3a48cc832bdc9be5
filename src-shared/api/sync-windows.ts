/** Windows on the room list (Sync §8): what a device looks at, and what an answer says of it. */
import * as z from 'zod'
import { fingerprintSchema, roomIdSchema } from '../protocol/index.ts'

const membership = z.enum(['invite', 'join', 'leave', 'ban', 'knock'])

/** Rooms in all ranges of one request. */
export const MAX_WINDOW_ROOMS = 200

const index = z.int().min(0).max(1_000_000)

/** Events wanted of a room on its first sight. */
const timeline = z.int().min(0).max(50)

export const windowListSchema = z.object({
  /** Indexes into the list, both ends included. */
  ranges: z
    .array(z.tuple([index, index]))
    .min(1)
    .max(4),
  timeline,
  /** Filters that the node does not know are named in its answer. */
  filter: z.looseObject({ membership: z.array(membership).min(1).max(5).optional() }).optional(),
})
export type WindowList = z.infer<typeof windowListSchema>

const listName = z.string().regex(/^[a-z0-9_-]{1,32}$/)

export const lookSchema = z.object({
  lists: z
    .record(listName, windowListSchema)
    .refine((lists) => Object.keys(lists).length <= 8)
    .refine((lists) => Object.values(lists).every(({ ranges }) => areApart(ranges)))
    .refine((lists) => roomsIn(lists) <= MAX_WINDOW_ROOMS)
    .optional(),
  /** Followed whatever their place in the list. */
  rooms: z
    .record(roomIdSchema, z.object({ timeline }))
    .refine((rooms) => Object.keys(rooms).length <= 50)
    .optional(),
  /** Rooms of which it is told who writes. */
  typing: z.array(roomIdSchema).max(8).optional(),
})
/** What is said of somebody who writes holds for so long at most. */
export const MAX_TYPING_MS = 30_000

/** Members who write, by room. */
export const typingSchema = z.record(roomIdSchema, z.array(fingerprintSchema).max(32))
export type TypingNews = z.infer<typeof typingSchema>

export type Look = z.infer<typeof lookSchema>

/** What is looked at, without what came along with it. */
export function toLook({ lists, rooms, typing }: Look): Look {
  return {
    ...(lists === undefined ? {} : { lists }),
    ...(rooms === undefined ? {} : { rooms }),
    ...(typing === undefined ? {} : { typing }),
  }
}

function areApart(ranges: readonly (readonly [number, number])[]): boolean {
  const sorted = [...ranges].sort(([a], [b]) => a - b)
  return sorted.every(([first, last], at) => {
    const before = sorted[at - 1]?.[1]
    return first <= last && (before === undefined || before < first)
  })
}

function roomsIn(lists: Readonly<Record<string, WindowList>>): number {
  return Object.values(lists)
    .flatMap(({ ranges }) => ranges)
    .reduce((sum, [first, last]) => sum + last - first + 1, 0)
}

export const listNewsSchema = z.object({
  /** How many rooms the list has; absent: as told before. */
  count: z.int().nonnegative().optional(),
  ops: z.array(
    z.discriminatedUnion('op', [
      z.object({
        op: z.literal('range'),
        first: z.int().nonnegative(),
        /** These stand from `first` on; fewer than asked for at the end of the list. */
        rooms: z.array(roomIdSchema).max(MAX_WINDOW_ROOMS),
      }),
      z.object({ op: z.literal('unchanged') }),
    ]),
  ),
  ignored: z.array(z.string().max(64)).optional(),
})
export type ListNews = z.infer<typeof listNewsSchema>

export const roomLineSchema = z.object({
  membership,
  /** Messages of others that this answer passes over. */
  unseen: z.int().nonnegative(),
  /** They are inside the ciphertext. */
  mentions: z.null(),
  /** The node's time of the latest of them; null where there is none. */
  latest: z.int().nonnegative().nullable(),
})
export type RoomLine = z.infer<typeof roomLineSchema>
