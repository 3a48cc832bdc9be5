/**
 * The graph of a room's accepted events and the state they resolve to (Room state §7).
 *
 * Resolution replays state events from the empty state. Their order: strongest sender first (ties by
 * origin time, then event id), but never an event before its ancestors. So what the strong have done
 * stands before anything the weak did beside it, and a lone line of events is simply replayed. It knows
 * where events come from as little as it knows whether they were soft-failed.
 */
import { checkAuth } from './auth.ts'
import { STATE_TYPES } from './content.ts'
import { isState } from './event.ts'
import type { RoomEvent } from './event.ts'
import { RoomError } from './room-error.ts'
import { applyEvent, CREATOR_POWER, emptyState, powerOf, stateOf } from './state.ts'
import type { RoomState } from './state.ts'

/** Accepted events of one room; whatever one of them names is there as well. */
export interface EventSource {
  getEvent(id: string): RoomEvent | undefined
  /** A number greater than that of any ancestor, where the keeper of the events has one at hand. */
  order?(id: string): number
  /** The state after an event, where it is stored: nothing before it is read then. */
  anchor?(id: string): RoomState | undefined
}

export interface RoomGraph {
  /** The state after all of these events together. Throws `RoomError('unknown_event')`. */
  resolve(extremities: readonly string[]): RoomState
  stateAfter(id: string): RoomState
  /** The state that the event meets: at its parents. */
  stateBefore(event: RoomEvent): RoomState
}

/** `cached`: states kept, most recently used. */
export function createRoomGraph(source: EventSource, cached = 512): RoomGraph {
  const states = new RecentStates(cached)
  const depths = new Map<string, number>()

  const get = (id: string): RoomEvent => {
    const event = source.getEvent(id)
    if (event === undefined) throw new RoomError('unknown_event')
    return event
  }

  /** Longest way down to the create event, or the source's order: greater than that of any ancestor. */
  function depthOf(id: string): number {
    if (source.order !== undefined) return source.order(id)
    const pending = [id]
    for (let next = pending.at(-1); next !== undefined; next = pending.at(-1)) {
      const parents = get(next).pdu.event.prev_events
      const missing = depths.has(next) ? [] : parents.filter((parent) => !depths.has(parent))
      if (missing.length === 0) {
        const below = parents.map((parent) => depths.get(parent) ?? 0)
        depths.set(next, below.length === 0 ? 0 : Math.max(...below) + 1)
        pending.pop()
      } else pending.push(...missing)
    }
    return depths.get(id) ?? 0
  }

  /**
   * Splits the ancestors of `ids` at the last event that all later ones descend from: replaying the
   * rest upon the state after that event gives the same as replaying everything.
   */
  function split(ids: readonly string[]): { base: string | null; rest: RoomEvent[] } {
    const open = new Set(ids)
    const rest: RoomEvent[] = []
    while (open.size > 1) {
      // Deepest first: when one is left, everything taken so far lies above it.
      let deepest = ''
      for (const id of open) if (deepest === '' || depthOf(id) > depthOf(deepest)) deepest = id
      open.delete(deepest)
      const event = get(deepest)
      rest.push(event)
      for (const parent of event.pdu.event.prev_events) open.add(parent)
    }
    return { base: [...open][0] ?? null, rest }
  }

  function replay(state: RoomState, events: readonly RoomEvent[]): RoomState {
    return replayOrder(events, source).reduce(
      (reached, event) => (checkAuth(event, reached).ok ? applyEvent(reached, event) : reached),
      state,
    )
  }

  function stateAfter(id: string): RoomState {
    // A list instead of recursion: histories are longer than stacks are deep.
    const path: { event: RoomEvent; rest: RoomEvent[] }[] = []
    let from: string | null = id
    let state: RoomState | undefined
    while (from !== null && (state = states.get(from) ?? source.anchor?.(from)) === undefined) {
      const event = get(from)
      const { base, rest } = split(event.pdu.event.prev_events)
      path.push({ event, rest })
      from = base
    }
    state ??= emptyState
    for (const { event, rest } of path.reverse()) {
      state = applyEvent(replay(state, rest), event)
      states.set(event.id, state)
    }
    return state
  }

  function resolve(extremities: readonly string[]): RoomState {
    const { base, rest } = split(extremities)
    return base === null ? emptyState : replay(stateAfter(base), rest)
  }

  return { resolve, stateAfter, stateBefore: (event) => resolve(event.pdu.event.prev_events) }
}

/**
 * The state events among `events`, in the order of replay: go through them by rank (power, time, id); before
 * each place those of its ancestors that have no place yet, in the same manner. Other events only connect.
 */
export function replayOrder(events: readonly RoomEvent[], source: EventSource): RoomEvent[] {
  const byId = new Map(events.map((event) => [event.id, event]))
  const ranked = events
    .filter(isState)
    .map((event) => ({ event, power: senderPower(event, source) }))
    .sort(byRank)
  const rank = new Map(ranked.map(({ event }, index) => [event.id, index]))
  const done = new Set<string>()

  function unplacedAncestors(event: RoomEvent): RoomEvent[] {
    const found = new Map<string, RoomEvent>()
    const pending = [event]
    for (let next = pending.pop(); next !== undefined; next = pending.pop())
      for (const id of next.pdu.event.prev_events) {
        const parent = byId.get(id)
        if (parent === undefined || done.has(id) || found.has(id)) continue
        found.set(id, parent)
        pending.push(parent)
      }
    return [...found.values()]
      .filter(isState)
      .sort((a, b) => (rank.get(a.id) ?? 0) - (rank.get(b.id) ?? 0))
  }

  const out: RoomEvent[] = []
  // Frames instead of recursion: `list` is to be placed in order, then `then`.
  const frames: { list: RoomEvent[]; at: number; then: RoomEvent | null }[] = [
    { list: ranked.map(({ event }) => event), at: 0, then: null },
  ]
  for (let frame = frames.at(-1); frame !== undefined; frame = frames.at(-1)) {
    const next = frame.list[frame.at++]
    if (next === undefined) {
      frames.pop()
      if (frame.then === null) continue
      done.add(frame.then.id)
      out.push(frame.then)
    } else if (!done.has(next.id)) frames.push({ list: unplacedAncestors(next), at: 0, then: next })
  }
  return out
}

interface Ranked {
  readonly event: RoomEvent
  readonly power: number
}

function byRank(a: Ranked, b: Ranked): number {
  return (
    b.power - a.power ||
    a.event.pdu.event.origin_ts - b.event.pdu.event.origin_ts ||
    (a.event.id < b.event.id ? -1 : 1)
  )
}

/** The sender's power by the event's own auth events, which were the state it met. */
function senderPower(event: RoomEvent, source: EventSource): number {
  if (event.header.type === STATE_TYPES.create) return CREATOR_POWER
  const auth = event.pdu.event.auth_events.flatMap((id) => {
    const known = source.getEvent(id)
    if (known === undefined) throw new RoomError('unknown_event')
    return [known]
  })
  return powerOf(stateOf(auth), event.header.member)
}

class RecentStates {
  readonly #limit: number
  readonly #states = new Map<string, RoomState>()

  constructor(limit: number) {
    this.#limit = limit
  }

  get(id: string): RoomState | undefined {
    const state = this.#states.get(id)
    if (state === undefined) return undefined
    this.#states.delete(id)
    this.#states.set(id, state)
    return state
  }

  set(id: string, state: RoomState): void {
    this.#states.set(id, state)
    if (this.#states.size <= this.#limit) return
    const [oldest] = this.#states.keys()
    if (oldest !== undefined) this.#states.delete(oldest)
  }
}
