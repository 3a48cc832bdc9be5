/**
 * The queue of what this account wants to send: plaintext until the moment before it leaves, one lane
 * per room, in order. It knows neither how to seal nor how to transmit.
 */
import type { Context } from '../context.ts'
import type { Reader, Step } from '../store/database.ts'
import {
  entryKey,
  laneKey,
  OUTBOX_ROOMS,
  outboxEntryRecord,
  outboxLaneRecord,
  outboxRoomsRecord,
} from './outbox-records.ts'
import type { OutboxEntry, OutboxJob } from './outbox-records.ts'

export class Outbox {
  readonly #ctx: Context

  constructor(ctx: Context) {
    this.#ctx = ctx
  }

  async rooms(reader: Reader): Promise<readonly string[]> {
    return (await reader.get(outboxRoomsRecord, OUTBOX_ROOMS))?.rooms ?? []
  }

  async lane(reader: Reader, room: string): Promise<readonly OutboxEntry[]> {
    const keys = (await reader.get(outboxLaneRecord, laneKey(room)))?.keys ?? []
    const entries = await reader.getMany(outboxEntryRecord, keys.map(entryKey))
    return entries.filter((entry) => entry !== null)
  }

  async entry(reader: Reader, key: string): Promise<OutboxEntry | null> {
    return reader.get(outboxEntryRecord, entryKey(key))
  }

  /** `first`: before everything that is not sealed yet. A key that is there already is left alone. */
  async add(
    step: Step,
    fields: Pick<OutboxEntry, 'key' | 'room'> & {
      readonly job: OutboxJob
      readonly sealed?: OutboxEntry['sealed']
    },
    first = false,
  ): Promise<void> {
    const { key, room, job, sealed = null } = fields
    if ((await this.entry(step, key)) !== null) return
    const lane = await this.lane(step, room)
    const at = this.#ctx.clock.now()
    this.#put(step, { v: 1, key, room, at, job, sealed, sent: false, failure: null, refusals: 0 })
    const keys = lane.map((entry) => entry.key)
    const open = first ? lane.findIndex((entry) => entry.sealed === null && !entry.sent) : -1
    const next = open < 0 ? [...keys, key] : [...keys.slice(0, open), key, ...keys.slice(open)]
    step.put(outboxLaneRecord, laneKey(room), { v: 1, keys: next })
    const rooms = await this.rooms(step)
    if (!rooms.includes(room))
      step.put(outboxRoomsRecord, OUTBOX_ROOMS, { v: 1, rooms: [...rooms, room] })
  }

  async patch(
    step: Step,
    key: string,
    change: (entry: OutboxEntry) => OutboxEntry,
  ): Promise<OutboxEntry | null> {
    const entry = await this.entry(step, key)
    if (entry === null) return null
    const next = change(entry)
    if (next !== entry) this.#put(step, next)
    return next
  }

  /** What the node has taken and not shown since is handed to it once more, in the same words. */
  async again(step: Step): Promise<void> {
    for (const room of await this.rooms(step))
      for (const { key, sent } of await this.lane(step, room))
        if (sent) await this.patch(step, key, (now) => ({ ...now, sent: false }))
  }

  async remove(step: Step, key: string): Promise<void> {
    const entry = await this.entry(step, key)
    if (entry === null) return
    const { room } = entry
    step.delete(outboxEntryRecord, entryKey(key))
    const keys = ((await step.get(outboxLaneRecord, laneKey(room)))?.keys ?? []).filter(
      (other) => other !== key,
    )
    if (keys.length > 0) step.put(outboxLaneRecord, laneKey(room), { v: 1, keys })
    else {
      step.delete(outboxLaneRecord, laneKey(room))
      const rooms = (await this.rooms(step)).filter((other) => other !== room)
      step.put(outboxRoomsRecord, OUTBOX_ROOMS, { v: 1, rooms })
    }
    this.#show(step, entry)
  }

  #put(step: Step, entry: OutboxEntry): void {
    step.put(outboxEntryRecord, entryKey(entry.key), entry)
    this.#show(step, entry)
  }

  #show(step: Step, { room, key, job, sealed }: OutboxEntry): void {
    if (job.kind !== 'message' || !job.shown) return
    step.after(() => {
      this.#ctx.publish.item(room, key, sealed?.envelope)
      this.#ctx.publish.account()
    })
  }
}
