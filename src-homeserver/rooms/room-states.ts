/**
 * The resolved state of rooms, as the protocol's value. What is current is stored; what it was at other
 * places of the graph is resolved anew, from the last place where the graph had a single end. Small caches
 * hold the rooms in use.
 */
import { createRoomGraph, MAX_PREV_EVENTS, stateOf } from '../../src-shared/protocol/index.ts'
import type { Crypto, RoomEvent, RoomGraph, RoomState } from '../../src-shared/protocol/index.ts'
import type { EventRow, Tx } from '../storage/index.ts'
import { toEvent } from './stored-event.ts'

const CACHED_ROOMS = 500
const CACHED_GRAPHS = 50
const BATCH = 500
/** Events read around one that is needed. */
const AROUND = 100
/** Events of one room's graph in memory; above that it is read anew. */
const MAX_LOADED = 4000

export interface CurrentRoom {
  /** Event ids: what the next event follows. */
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
  resolve(tx: Tx, room: string, events: readonly string[]): Promise<RoomState>
}

/** `undone` counts writes that left nothing: what was read during one of them may not be there. */
export function createRoomStates(crypto: Crypto, undone: () => number): RoomStates {
  const cache = new Map<string, CurrentRoom>()
  const graphs = new Map<string, LoadedGraph>()

  function remember(room: string, current: CurrentRoom): void {
    touch(cache, room, current, CACHED_ROOMS)
  }

  async function load(tx: Tx, ids: readonly string[]): Promise<RoomEvent[]> {
    const events: RoomEvent[] = []
    for (let start = 0; start < ids.length; start += BATCH)
      for (const row of await tx.events.byIds(ids.slice(start, start + BATCH)))
        events.push(toEvent(crypto, row))
    return events
  }

  async function resolve(tx: Tx, room: string, events: readonly string[]): Promise<RoomState> {
    const known = graphs.get(room)
    const usable = known !== undefined && known.undone === undone() && known.size <= MAX_LOADED
    const graph = usable ? known : new LoadedGraph(undone())
    touch(graphs, room, graph, CACHED_GRAPHS)
    for (;;)
      try {
        return graph.graph.resolve(events)
      } catch (error) {
        if (!(error instanceof NotLoaded)) throw error
        if (error.what === 'event') await graph.loadAround(crypto, tx, room, error.id)
        else {
          const ids = await tx.rooms.stateAt(room, graph.order(error.id))
          graph.anchors.set(error.id, stateOf(await load(tx, ids)))
        }
      }
  }

  return {
    remember,
    resolve,
    async current(tx, room) {
      const all = await tx.events.extremities(room)
      if (all.length === 0) return undefined
      // A flood of ends is joined step by step, the oldest first.
      const extremities = all.slice(0, MAX_PREV_EVENTS)
      const known = cache.get(room)
      // A transaction that was undone may have left its state here; the graph's ends tell.
      if (known !== undefined && known.extremities.join() === extremities.join()) return known
      const state =
        all.length === extremities.length
          ? stateOf(await load(tx, await tx.rooms.currentState(room)))
          : await resolve(tx, room, extremities)
      const current = { extremities, state, parents: await load(tx, extremities) }
      remember(room, current)
      return current
    },
  }
}

/** What the graph asked for and is not in memory yet. */
class NotLoaded extends Error {
  override readonly name = 'NotLoaded'
  readonly what: 'event' | 'anchor'
  readonly id: string
  constructor(what: 'event' | 'anchor', id: string) {
    super(what)
    this.what = what
    this.id = id
  }
}

/** A room's graph over the part of it that was needed so far. */
class LoadedGraph {
  readonly undone: number
  readonly anchors = new Map<string, RoomState>()
  readonly graph: RoomGraph
  readonly #events = new Map<string, { readonly event: RoomEvent; readonly row: EventRow }>()

  constructor(undone: number) {
    this.undone = undone
    this.graph = createRoomGraph({
      getEvent: (id) => this.#get(id).event,
      order: (id) => this.order(id),
      anchor: (id) => {
        if (this.#get(id).row.sole === 0) return undefined
        const state = this.anchors.get(id)
        if (state === undefined) throw new NotLoaded('anchor', id)
        return state
      },
    })
  }

  get size(): number {
    return this.#events.size
  }

  /** Positions grow from parents to children. */
  order(id: string): number {
    return this.#get(id).row.pos
  }

  async loadAround(crypto: Crypto, tx: Tx, room: string, id: string): Promise<void> {
    const [row] = await tx.events.byIds([id])
    if (row === undefined) throw new Error('an event that others rest on is gone')
    for (const near of [row, ...(await tx.events.before(room, row.pos, AROUND))])
      if (!this.#events.has(near.event_id))
        this.#events.set(near.event_id, { event: toEvent(crypto, near), row: near })
  }

  #get(id: string): { readonly event: RoomEvent; readonly row: EventRow } {
    const known = this.#events.get(id)
    if (known === undefined) throw new NotLoaded('event', id)
    return known
  }
}

function touch<T>(cache: Map<string, T>, key: string, value: T, most: number): void {
  cache.delete(key)
  cache.set(key, value)
  const [oldest] = cache.keys()
  if (cache.size > most && oldest !== undefined) cache.delete(oldest)
}
