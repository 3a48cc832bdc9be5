/**
 * What lies further back (Sync §8): closing the gap between what is known and what a sync begins with, and
 * older pages when somebody scrolls up to them.
 */
import { openState } from '../../protocol/index.ts'
import type { Pdu, RoomEvent } from '../../protocol/index.ts'
import type { TimelineEntry } from '../../api/index.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import type { Answer } from '../http/api-client.ts'
import { salvageMessages } from '../http/salvage.ts'
import type { Receipts } from '../receipts/receipts.ts'
import type { Step } from '../store/database.ts'
import type { StoredItem } from '../timeline/stored-item.ts'
import type { TimelineGap } from '../timeline/timeline.ts'
import type { Acquaintance } from './acquaintance.ts'
import type { RoomIntake, RoomIntakeParts } from './room-intake.ts'

/** Events fetched to close one gap; what lies further back is marked as a gap. */
const MAX_GAP = 20_000
const GAP_PAGE = 200
const BACKFILL_PAGE = 50

export interface HistoryParts extends RoomIntakeParts {
  readonly receipts: Receipts
}

export class History {
  readonly #ctx: Context
  readonly #parts: HistoryParts
  readonly #intake: RoomIntake
  readonly #people: Acquaintance

  constructor(ctx: Context, parts: HistoryParts, intake: RoomIntake, people: Acquaintance) {
    this.#ctx = ctx
    this.#parts = parts
    this.#intake = intake
    this.#people = people
  }

  /** Goes back to what is known. Wraps are still there: the position has not moved on yet. */
  async closeGap(
    room: string,
    prev: string,
  ): Promise<{ missing: readonly TimelineEntry[]; closed: boolean }> {
    const { api, db, life } = this.#ctx
    const newestFirst: TimelineEntry[] = []
    let before: string | null = prev
    while (before !== null && newestFirst.length < MAX_GAP) {
      const answer: Answer<'messages'> = await api.call('messages', {
        params: { roomId: room },
        query: { before, limit: GAP_PAGE },
        salvage: salvageMessages,
        cancel: life,
      })
      if (!answer.ok) break
      for (const entry of answer.value.events) {
        const { envelope_id: envelope } = entry.pdu.event
        if (await this.#parts.timeline.knows(db, room, envelope))
          return { missing: newestFirst.reverse(), closed: true }
        newestFirst.push(entry)
      }
      before = answer.value.prev
    }
    return { missing: newestFirst.reverse(), closed: before === null }
  }

  /** One page of what is older than anything stored here. Throws `Unanswered`. */
  async backfill(room: string): Promise<void> {
    const { db } = this.#ctx
    const { rooms, timeline } = this.#parts
    const before = (await rooms.get(db, room))?.older ?? null
    if (before === null) return
    const page = await this.#fetch(room, before)
    await db.step('backfill', async (step) => {
      if ((await rooms.get(step, room))?.older !== before) return
      const { items } = await this.#open(step, room, page)
      await timeline.prepend(step, room, items)
      await rooms.update(step, room, (entry) => ({ ...entry, older: page.prev }))
    })
  }

  /** One page of what lies in a gap, from its newer end; closed where it meets what is known. Throws `Unanswered`. */
  async fillGap(room: string, gap: TimelineGap): Promise<void> {
    const { db } = this.#ctx
    const { rooms, timeline } = this.#parts
    if (gap.prev === null) return
    const page = await this.#fetch(room, gap.prev)
    await db.step('gap', async (step) => {
      const now = (await rooms.get(step, room))?.gaps.find(({ high }) => high === gap.high)
      if (now?.prev !== gap.prev) return
      const { items, met } = await this.#open(step, room, page)
      await timeline.fillGap(step, room, now, items, met ? null : page.prev)
    })
  }

  async #fetch(room: string, before: string): Promise<Older> {
    const { api, life } = this.#ctx
    const answer = await api.call('messages', {
      params: { roomId: room },
      query: { before, limit: BACKFILL_PAGE },
      salvage: salvageMessages,
      cancel: life,
    })
    if (!answer.ok) throw new EngineError('not_allowed')
    const { events, auth = [], prev } = answer.value
    const pdus = [...auth, ...events.map((entry) => entry.pdu)]
    await this.#people.meet(pdus)
    return { events, pdus, prev }
  }

  /** Each held against what it rests on. `met`: one of them was known before. */
  async #open(
    step: Step,
    room: string,
    { events, pdus }: Older,
  ): Promise<{ items: StoredItem[]; met: boolean }> {
    const { states, timeline, originKeys } = this.#parts
    const keys = await originKeys.lookup(step)
    const decoded = pdus.flatMap((pdu): RoomEvent[] => {
      const event = states.decode(pdu)
      return event === null ? [] : [event]
    })
    const { refused } = openState(this.#ctx.crypto, room, decoded, keys)
    const verdicts = new Map(refused.map(({ event, code }) => [event.id, code]))
    const items: StoredItem[] = []
    const arrived: string[] = []
    let met = false
    for (const entry of [...events].reverse()) {
      met ||= await timeline.knows(step, room, entry.pdu.event.envelope_id)
      const taken = await this.#intake.take(step, room, entry, { verdicts })
      items.push(...taken.items)
      // Sealed for this device, which has it only now.
      if (taken.received && entry.wrap !== undefined) arrived.push(entry.pdu.event.envelope_id)
    }
    await this.#parts.receipts.queue(step, room, arrived, 'delivered')
    return { items, met }
  }
}

interface Older {
  readonly events: readonly TimelineEntry[]
  readonly pdus: readonly Pdu[]
  readonly prev: string | null
}
