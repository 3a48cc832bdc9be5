/**
 * A device that follows its account by position and nothing else: no gap is filled, so whatever an answer leaves
 * out counts as missed. An answer that is lost on its way is asked for again from where it was.
 */
import { applyEvent, decodePdu, emptyState } from '../../../src-shared/protocol/index.ts'
import type { Json, Pdu, RoomEvent, RoomState } from '../../../src-shared/protocol/index.ts'
import { crypto, stateFrom } from '../../../conformance/device.ts'
import type { TestDevice } from '../../../conformance/device.ts'

export interface Told {
  /** How often the event was in a timeline, and how often with a wrap. */
  times: number
  wraps: number
}

export class Listener {
  readonly node: string
  readonly device: TestDevice
  /** Let in after the room had begun. */
  readonly late: boolean
  /** By envelope id. */
  readonly told = new Map<string, Told>()
  /** As what it was told leads to, event by event. */
  state: RoomState = emptyState
  #next: string | undefined

  constructor(node: string, device: TestDevice, late: boolean) {
    this.node = node
    this.device = device
    this.late = late
  }

  /** What was there before it listens is not counted. */
  async begin(room: string): Promise<void> {
    await this.catchUp(room)
    this.told.clear()
  }

  /** One answer; false where there was nothing new, or none. */
  async ask(room: string, lost = false): Promise<boolean> {
    const since = this.#next === undefined ? {} : { since: this.#next }
    const answer = await this.device
      .call('sync', { query: { timeout: 0, ...since } })
      .catch(() => null)
    if (answer === null || answer.status >= 500 || lost) return false
    if (answer.status !== 200)
      throw new Error(`sync of ${this.device.name}: ${answer.status} ${answer.body.errcode}`)
    const { state, lapsed = [], timeline = [] } = answer.body.rooms[room] ?? {}
    if (state !== undefined) this.state = stateFrom(state, lapsed)
    for (const { pdu, wrap } of timeline) {
      this.state = applyEvent(this.state, eventOf(pdu))
      const { envelope_id: id } = pdu.event
      const told = this.told.get(id) ?? { times: 0, wraps: 0 }
      this.told.set(id, told)
      told.times++
      if (wrap !== undefined) told.wraps++
    }
    const moved = answer.body.next !== this.#next
    this.#next = answer.body.next
    return moved
  }

  async catchUp(room: string): Promise<void> {
    while (await this.ask(room));
  }
}

function eventOf(pdu: Pdu): RoomEvent {
  const decoded = decodePdu(crypto, pdu as unknown as Json)
  if (!decoded.ok) throw new Error(`told of an event with ${decoded.code}`)
  return decoded.event
}
