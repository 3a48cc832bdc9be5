/**
 * The verified state of each room (Room state §7) and where this device's own chain of envelopes stands.
 *
 * What is stored here has passed the protocol's checks; the node's word alone puts nothing in.
 */
import {
  creation,
  decodePdu,
  emptyState,
  membershipOf,
  openState,
  reconcile,
  stateEvents,
  stateOf,
} from '../../protocol/index.ts'
import type { Given, Json, OpenedState, Pdu, RoomEvent, RoomState } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import type { OriginKeyBook } from './origin-keys.ts'
import type { Reader, Step } from '../store/database.ts'
import type { StoredNotice } from '../timeline/stored-item.ts'
import type { Timeline } from '../timeline/timeline.ts'
import { returnedBetween } from './returned.ts'
import { ownChainKey, ownChainRecord, roomStateRecord } from './room-records.ts'
import type { RoomStateRecord } from './room-records.ts'

/** A state as a node tells it (Sync §9.3). */
export interface Told {
  readonly events: readonly Pdu[]
  /** Ids of those of `events` under whose keys nothing is current any more. */
  readonly lapsed?: readonly string[] | undefined
}

export class RoomStates {
  readonly #ctx: Context
  readonly #keys: OriginKeyBook
  readonly #timeline: Timeline
  readonly #states = new WeakMap<RoomStateRecord, RoomState>()

  constructor(ctx: Context, keys: OriginKeyBook, timeline: Timeline) {
    this.#ctx = ctx
    this.#keys = keys
    this.#timeline = timeline
  }

  /** The empty state for a room that is not known. */
  async get(reader: Reader, room: string): Promise<RoomState> {
    const record = await reader.get(roomStateRecord, room)
    return record === null ? emptyState : this.#load(record)
  }

  put(step: Step, room: string, state: RoomState): void {
    const record: RoomStateRecord = { v: 1, events: stateEvents(state).map((event) => event.pdu) }
    this.#states.set(record, state)
    step.put(roomStateRecord, room, record)
    step.after(() => {
      this.#ctx.publish.details(room)
    })
  }

  /**
   * Verifies a bundle of state events and brings what is known into line with it. Whom that brings back on the node's
   * word alone is told, whatever the bundle was asked for.
   */
  async adopt(step: Step, room: string, bundle: Told, given: Given): Promise<RoomState> {
    const opened = await this.verify(step, room, bundle)
    const known = await this.get(step, room)
    // What was damaged on the way is not what the node has left out.
    const told =
      creation(opened.state) === null || opened.refused.length + opened.doubted.length > 0
        ? 'some'
        : given === 'all' && membershipOf(opened.state, this.#ctx.me.member) !== 'join'
          ? 'some'
          : given
    const merged = reconcile(known, opened.state, told, opened.lapsed)
    this.put(step, room, merged)
    const { clock, newId } = this.#ctx
    const back = returnedBetween(known, merged).map((who): StoredNotice => {
      return { kind: 'notice', key: newId(), ts: clock.now(), notice: { what: 'returned', who } }
    })
    await this.#timeline.append(step, room, back)
    return merged
  }

  /** What of a bundle of state events passes the protocol's checks; nothing is kept. */
  async verify(reader: Reader, room: string, { events, lapsed }: Told): Promise<OpenedState> {
    const { crypto, log } = this.#ctx
    const decoded = events.flatMap((pdu) => this.decode(pdu) ?? [])
    const keys = await this.#keys.lookup(reader)
    const opened = openState(crypto, room, decoded, keys, lapsed)
    for (const { code } of opened.refused) log('state.refused', { code })
    for (const { header } of opened.doubted) log('state.lapse_doubted', { type: header.type })
    return opened
  }

  /** Null for what does not fit together. */
  decode(pdu: Pdu | Json): RoomEvent | null {
    const decoded = decodePdu(this.#ctx.crypto, pdu as unknown as Json)
    return decoded.ok ? decoded.event : null
  }

  /** The next place in this device's own chain, taken by the caller's step. */
  async takePlace(
    step: Step,
    room: string,
  ): Promise<{ seq: number; prev_own: string | null; sealed: (envelope: string) => void }> {
    const chain = (await step.get(ownChainRecord, ownChainKey(room))) ?? { seq: 0, last: null }
    return {
      seq: chain.seq,
      prev_own: chain.last,
      sealed: (envelope) => {
        step.put(ownChainRecord, ownChainKey(room), { v: 1, seq: chain.seq + 1, last: envelope })
      },
    }
  }

  /** The node knows of envelopes that this store has forgotten: go on after them. */
  async skipTo(step: Step, room: string, seq: number): Promise<void> {
    const chain = await step.get(ownChainRecord, ownChainKey(room))
    if ((chain?.seq ?? 0) < seq)
      step.put(ownChainRecord, ownChainKey(room), { v: 1, seq, last: chain?.last ?? null })
  }

  #load(record: RoomStateRecord): RoomState {
    const known = this.#states.get(record)
    if (known !== undefined) return known
    const events = record.events.map((pdu) => {
      const event = this.decode(pdu as Pdu)
      if (event === null) throw new EngineError('vault_damaged')
      return event
    })
    const state = stateOf(events)
    this.#states.set(record, state)
    return state
  }
}
