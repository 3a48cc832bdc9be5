/**
 * Every content key from the first message on, in the order they became known: segments of a lane, as
 * the archive will carry them (Archive §10). Keys of messages that disappear are never kept.
 */
import * as z from 'zod'
import { contentKeyRecordSchema, toBase64Url } from '../../protocol/index.ts'
import type { ContentKeyRecord } from '../../protocol/index.ts'
import { recordType } from '../store/record-type.ts'
import type { Reader, Step } from '../store/database.ts'
import { tables } from '../store/tables.ts'
import type { Timeline } from './timeline.ts'

const SEGMENT_SIZE = 50

const segmentRecord = recordType(
  tables.contentKeys,
  z.object({
    v: z.literal(1),
    keys: z.array(
      contentKeyRecordSchema.extend({
        /** Own envelopes: the recorded set of recipients. */
        to: z.string().optional(),
      }),
    ),
  }),
  16,
)
const laneRecord = recordType(
  tables.contentKeys,
  z.object({ v: z.literal(1), segment: z.int(), length: z.int() }),
)
const LANE = 'lane'
const segmentKey = (segment: number): string => `lane/${String(segment)}`

/** Key: `to/` and the set's name. `member/device` of everyone an envelope was wrapped for. */
const recipientsRecord = recordType(
  tables.contentKeys,
  z.object({ v: z.literal(1), devices: z.array(z.string()) }),
)

export interface KeptKey extends ContentKeyRecord {
  readonly to?: string | undefined
}

export async function keepContentKey(
  step: Step,
  timeline: Timeline,
  key: { readonly room: string; readonly envelope: string; readonly contentKey: Uint8Array },
  recipients?: { readonly name: string; readonly devices: readonly string[] },
): Promise<void> {
  const { room, envelope } = key
  if ((await timeline.indexed(step, room, envelope))?.k !== undefined) return
  const lane = (await step.get(laneRecord, LANE)) ?? { v: 1, segment: 0, length: 0 }
  const full = lane.length >= SEGMENT_SIZE
  const segment = full ? lane.segment + 1 : lane.segment
  const keys = full ? [] : ((await step.get(segmentRecord, segmentKey(segment)))?.keys ?? [])
  const record = { room, envelope, K: toBase64Url(key.contentKey) }
  const kept = recipients === undefined ? record : { ...record, to: recipients.name }
  step.put(segmentRecord, segmentKey(segment), { v: 1, keys: [...keys, kept] })
  step.put(laneRecord, LANE, { v: 1, segment, length: keys.length + 1 })
  if (recipients !== undefined)
    step.put(recipientsRecord, `to/${recipients.name}`, { v: 1, devices: [...recipients.devices] })
  await timeline.note(step, room, envelope, { k: segment })
}

export async function findContentKey(
  reader: Reader,
  timeline: Timeline,
  room: string,
  envelope: string,
): Promise<KeptKey | null> {
  const segment = (await timeline.indexed(reader, room, envelope))?.k
  if (segment === undefined) return null
  const kept = await reader.get(segmentRecord, segmentKey(segment))
  return kept?.keys.find((key) => key.envelope === envelope) ?? null
}

/** Whether a device was among those an own envelope was wrapped for. */
export async function wasRecipient(reader: Reader, key: KeptKey, device: string): Promise<boolean> {
  if (key.to === undefined) return false
  const recorded = await reader.get(recipientsRecord, `to/${key.to}`)
  return recorded?.devices.includes(device) ?? false
}
