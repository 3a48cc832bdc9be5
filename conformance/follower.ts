/** What a device is told by its node, gathered: it syncs on from one position and never starts anew. */
import { strict as assert } from 'node:assert'
import type { Pdu, Receipt, Wrap } from '../src-shared/protocol/index.ts'
import type {
  Query,
  Response as Answer,
  SyncResponse,
  TimelineEntry,
} from '../src-shared/api/index.ts'
import type { TestDevice } from './device.ts'
import { until } from './until.ts'

const MAX_PAGES = 2000

export interface Seen {
  readonly room: string
  readonly pdu: Pdu
  readonly wraps: readonly Wrap[]
  /** How often it was told. */
  readonly times: number
}

export class Follower {
  readonly device: TestDevice
  position: string | undefined
  readonly #seen = new Map<string, Seen>()
  /** The own membership as last told, by room. */
  readonly memberships = new Map<string, string>()
  /** Where what was left out before the first events told of a room begins, going back. */
  readonly gaps = new Map<string, string>()
  readonly receipts: Receipt[] = []
  readonly toDevice: SyncResponse['to_device'] = []
  readonly manifests: SyncResponse['manifests'] = []
  readonly profiles: SyncResponse['profiles'] = []

  constructor(device: TestDevice) {
    this.device = device
  }

  /** Envelope ids of a room in the order in which they were told. */
  order(room: string): string[] {
    return [...this.#seen.entries()].filter(([, one]) => one.room === room).map(([id]) => id)
  }

  seen(envelope: string): Seen | undefined {
    return this.#seen.get(envelope)
  }

  async catchUp(): Promise<this> {
    for (let page = 0; page < MAX_PAGES; page++) {
      const answer = await this.device.sync(this.position)
      const over = answer.next === this.position
      this.take(answer)
      if (over) return this
    }
    assert.fail('sync never comes to an end')
  }

  /** Takes what a sync has said, and goes on from there. */
  take(answer: SyncResponse): void {
    this.position = answer.next
    for (const [room, delta] of Object.entries(answer.rooms)) {
      this.memberships.set(room, delta.membership)
      if (delta.limited && delta.prev !== null) this.gaps.set(room, delta.prev)
      for (const { pdu, wrap } of delta.timeline) {
        const id = pdu.event.envelope_id
        const before = this.#seen.get(id)
        this.#seen.set(id, {
          room,
          pdu,
          wraps: [...(before?.wraps ?? []), ...(wrap === undefined ? [] : [wrap])],
          times: (before?.times ?? 0) + 1,
        })
      }
      this.receipts.push(...delta.receipts)
    }
    this.toDevice.push(...answer.to_device)
    this.manifests.push(...answer.manifests)
    this.profiles.push(...answer.profiles)
  }

  /** What was left out before the first events told of a room, newest first; fetched in pages of `limit`. */
  async older(room: string, limit = 200): Promise<TimelineEntry[]> {
    const found: TimelineEntry[] = []
    let before = this.gaps.get(room) ?? null
    while (before !== null) {
      const query: Query<'messages'> = { before, limit }
      const page: Answer<'messages'> = await this.device.ok('messages', {
        params: { roomId: room },
        query,
      })
      assert.ok(page.events.length > 0 || page.prev === null, 'an empty page that leads on (9.7)')
      found.push(...page.events)
      before = page.prev
    }
    return found
  }

  /** Waits for an envelope. */
  async sees(envelope: string): Promise<Seen> {
    await until(
      async () => (await this.catchUp()).#seen.has(envelope),
      () => 'an event that the node has accepted is never shown to its user',
    )
    const seen = this.#seen.get(envelope)
    assert.ok(seen !== undefined)
    return seen
  }
}
