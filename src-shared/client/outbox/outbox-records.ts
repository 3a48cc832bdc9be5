/** What waits to be sent, per room and in order; each entry in a record of its own. */
import * as z from 'zod'
import { messageItemSchema } from '../../view-model/index.ts'
import type { JsonObject } from '../../protocol/index.ts'
import { recordType } from '../store/record-type.ts'
import type { RecordOf } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'

const json = z.custom<JsonObject>((value) => typeof value === 'object' && value !== null)

const jobSchema = z.discriminatedUnion('kind', [
  /** Encrypted: a text, an edit, a reaction, a deletion. `shown`: it is an item of the timeline. */
  z.object({ kind: z.literal('message'), content: json, shown: z.boolean() }),
  z.object({ kind: z.literal('redact'), target: z.string() }),
  z.object({ kind: z.literal('state'), type: z.string(), stateKey: z.string(), content: json }),
  /** Sealed from the start: the room's id comes from it. */
  z.object({ kind: z.literal('create') }),
])
export type OutboxJob = z.infer<typeof jobSchema>

export const outboxEntryRecord = recordType(
  tables.outbox,
  z.object({
    v: z.literal(1),
    key: z.string(),
    room: z.string(),
    /** When the user asked for it; milliseconds. */
    at: z.int(),
    job: jobSchema,
    /** The very bytes that are repeated until the node decides. */
    sealed: z
      .object({ txn: z.string(), envelope: z.string(), type: z.string(), bytes: z.string() })
      .nullable(),
    /** The node has taken it; it has not come back through the timeline yet. */
    sent: z.boolean(),
    failure: messageItemSchema.shape.failure,
    /** Definite refusals so far. */
    refusals: z.int(),
  }),
  256,
)
export type OutboxEntry = RecordOf<typeof outboxEntryRecord>
export const entryKey = (key: string): string => `entry/${key}`

export const outboxLaneRecord = recordType(
  tables.outbox,
  z.object({ v: z.literal(1), keys: z.array(z.string()) }),
  256,
)
export const laneKey = (room: string): string => `room/${room}`

/** Rooms whose lane is not empty. */
export const outboxRoomsRecord = recordType(
  tables.outbox,
  z.object({ v: z.literal(1), rooms: z.array(z.string()) }),
)
export const OUTBOX_ROOMS = 'rooms'
