/**
 * The resolved state of rooms, as the protocol's value. What is current is stored; what it was at other
 * places of the graph is resolved anew from the events. A small cache holds the rooms in use.
 */
import { createRoomGraph, stateOf } from '../../src-shared/protocol/index.ts'
import type { Crypto, RoomEvent, RoomState } from '../../src-shared/protocol/index.ts'
import type { Tx } from '../storage/index.ts'
import { toEvent } from './stored-event.ts'

const CACHED_ROOMS = 500
const BATCH = 500

export interface CurrentRoom {
  /** Event ids, ascending: what the next event follows. */
  readonly extremities: readonly string[]
  readonly parents: readonly RoomEvent[]
  readonly state: RoomState
}

export interface RoomStates {
  /** Undefined for an unknown room. */
  current(tx: Tx, room: string): Promise<CurrentRoom | undefined>
  /** Offered after an event was added; wrong offers are found out by their extremities. */
  remember(room: string, current: CurrentRoom): void
  /** The state after these events together. */
  resolve(tx: Tx, events: readonly string[]): Promise<RoomState>
}

export function createRoomStates(crypto: Crypto): RoomStates {
  const cache = new Map<string, CurrentRoom>()

  function remember(room: string, current: CurrentRoom): void {
    cache.delete(room)
    cache.set(room, current)
    const [oldest] = cache.keys()
    if (cache.size > CACHED_ROOMS && oldest !== undefined) cache.delete(oldest)
  }

  async function load(tx: Tx, ids: readonly string[]): Promise<RoomEvent[]> {
    const events: RoomEvent[] = []
    for (let start = 0; start < ids.length; start += BATCH)
      for (const row of await tx.events.byIds(ids.slice(start, start + BATCH)))
        events.push(toEvent(crypto, row))
    return events
  }

  return {
    remember,
    async current(tx, room) {
      const extremities = await tx.events.extremities(room)
      if (extremities.length === 0) return undefined
      const known = cache.get(room)
      // A transaction that was undone may have left its state here; the graph's ends tell.
      if (known !== undefined && known.extremities.join() === extremities.join()) return known
      const state = stateOf(await load(tx, await tx.rooms.currentState(room)))
      const current = { extremities, state, parents: await load(tx, extremities) }
      remember(room, current)
      return current
    },
    async resolve(tx, events) {
      const known = new Map<string, RoomEvent>()
      let missing = [...events]
      while (missing.length > 0) {
        const found = await load(tx, missing)
        for (const event of found) known.set(event.id, event)
        const named = found.flatMap(({ pdu }) => [
          ...pdu.event.prev_events,
          ...pdu.event.auth_events,
        ])
        missing = [...new Set(named)].filter((id) => !known.has(id))
      }
      return createRoomGraph({ getEvent: (id) => known.get(id) }).resolve(events)
    },
  }
}
