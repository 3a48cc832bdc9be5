/** Pages, the envelope index and sealed leftovers, as records. */
import * as z from 'zod'
import { recordType } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'
import { relationSchema, storedItemSchema } from './stored-item.ts'

/** Items on a full page. */
export const PAGE_SIZE = 50

/** Key: room, `/`, page number. Pages before the first one known have negative numbers. */
export const pageRecord = recordType(
  tables.pages,
  z.object({ v: z.literal(1), items: z.array(storedItemSchema) }),
  96,
)
export const pageKey = (room: string, page: number): string => `${room}/${String(page)}`

/**
 * What is known of an envelope: the page it stands on (`p`), that it was taken in without an item of
 * its own (`s`), the outbox entry that sealed it (`o`), where its content key is (`k`), and relations
 * that came before it (`w`).
 */
const indexEntrySchema = z.object({
  p: z.int().optional(),
  s: z.literal(1).optional(),
  o: z.string().optional(),
  k: z.int().optional(),
  w: z.array(relationSchema).optional(),
})
export type IndexEntry = z.infer<typeof indexEntrySchema>

/** Key: room, `/`, bucket. */
export const indexRecord = recordType(
  tables.index,
  z.object({ v: z.literal(1), e: z.record(z.string(), indexEntrySchema) }),
  1024,
)

/** 512 buckets by the first nine bits of the id: a room of 10,000 messages has some 20 in each. */
export function bucketKey(room: string, envelope: string): string {
  return `${room}/${envelope.slice(0, 1)}${String(sextet(envelope.charCodeAt(1)) >> 3)}`
}

function sextet(code: number): number {
  if (code >= 97) return code - 97 + 26
  if (code >= 65) return code === 95 ? 63 : code - 65
  return code === 45 ? 62 : code - 48 + 52
}

/** Key: `sealed/` and the envelope id. Header and body of what could not be opened yet. */
export const sealedRecord = recordType(
  tables.pages,
  z.object({
    v: z.literal(1),
    room: z.string(),
    header: z.record(z.string(), z.unknown()),
    body: z.string(),
  }),
  32,
)
export const sealedKey = (envelope: string): string => `sealed/${envelope}`
