/**
 * A device that follows its account by position and nothing else: no gap is filled, so whatever an answer leaves
 * out counts as missed. An answer that is lost on its way is asked for again from where it was.
 */
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
  #next: string | undefined

  constructor(node: string, device: TestDevice, late: boolean) {
    this.node = node
    this.device = device
    this.late = late
  }

  /** What was there before it listens is not counted. */
  async begin(): Promise<void> {
    await this.catchUp('')
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
    for (const { pdu, wrap } of answer.body.rooms[room]?.timeline ?? []) {
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
