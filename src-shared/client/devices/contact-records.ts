/** What the store holds about people: verified manifest logs, pins by user id, display names. */
import * as z from 'zod'
import { fingerprintSchema, signedEntrySchema, userIdSchema } from '../../protocol/index.ts'
import { recordType } from '../store/record-type.ts'
import type { RecordOf } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'

const time = z.int().nonnegative()

const changeSchema = z.enum(['device_added', 'device_removed', 'identity_reset', 'fork'])
export type ContactChange = z.infer<typeof changeSchema>

/** Key: the fingerprint. */
export const manifestRecord = recordType(
  tables.manifests,
  z.object({
    v: z.literal(1),
    userId: userIdSchema,
    entries: z.array(signedEntrySchema).min(1),
    /** When entries that came after the pin were first seen, by entry hash. */
    seen: z.record(z.string(), time),
    /** The other branch of a fork, from the genesis on. */
    other: z.array(signedEntrySchema).nullable(),
  }),
  512,
)
export type ManifestRecord = RecordOf<typeof manifestRecord>

/** Key: `person/` and the fingerprint. Small, because a timeline reads one for each of its senders. */
export const personRecord = recordType(
  tables.manifests,
  z.object({
    v: z.literal(1),
    userId: userIdSchema,
    /** As the server tells it: a name to show, never an identity. Empty where unknown. */
    name: z.string(),
    bot: z.boolean(),
    /** What changed about their keys and has not been looked at. */
    changed: changeSchema.nullable(),
    /** Devices that this user has looked at, by id. */
    seenDevices: z.array(z.string()),
  }),
  2048,
)
export type PersonRecord = RecordOf<typeof personRecord>
export const personKey = (member: string): string => `person/${member}`

/** Key: `pin/` and the user id. The account that answered to this user id first. */
export const pinRecord = recordType(
  tables.manifests,
  z.object({
    v: z.literal(1),
    member: fingerprintSchema,
    /** Fingerprints that this user id stood for before. */
    former: z.array(fingerprintSchema),
  }),
  2048,
)
export const pinKey = (userId: string): string => `pin/${userId}`
