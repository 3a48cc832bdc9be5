/**
 * A room's state as known here and as the node tells it anew, brought together (Room state §8.13). Pure: both were
 * verified before.
 */
import { checkAuth } from './auth.ts'
import { STATE_TYPES } from './content.ts'
import type { RoomEvent } from './event.ts'
import { applyEvent, stateEvent, stateEvents, withoutEvent } from './state.ts'
import type { RoomState } from './state.ts'

/**
 * What a bundle leaves out: nothing (`all`, as far as its receiver is joined in it), most members (`part`), or
 * anything (`some`).
 */
export type Given = 'all' | 'part' | 'some'

/** What auth rules and senders go by: of this a node can't take back what still holds. */
const RULING: ReadonlySet<string> = new Set([
  STATE_TYPES.create,
  STATE_TYPES.member,
  STATE_TYPES.roster,
  STATE_TYPES.power,
  STATE_TYPES.joinRules,
  STATE_TYPES.historyVisibility,
  STATE_TYPES.grant,
])
const OF_MEMBERS: ReadonlySet<string> = new Set([STATE_TYPES.member, STATE_TYPES.roster])

/**
 * The newer of two under each key first. Then what the node says is older, or not there: it is taken where nobody
 * else's standing hangs on it, and otherwise only where the rest of the state no longer allows what is known, as
 * after resolution took back what an overruled event had made possible (Room state §8.13). So a node can't bring
 * back who was removed by showing what was before, as long as whoever removed them could still do so.
 *
 * `lapsed`: under whose keys nothing is current any more, whatever else `told` leaves out (`OpenedState`).
 */
export function reconcile(
  known: RoomState,
  told: RoomState,
  given: Given,
  lapsed: readonly RoomEvent[] = [],
): RoomState {
  const gone = new Set(lapsed.map(keyOf))
  let merged = known
  for (const event of stateEvents(told)) {
    const before = current(merged, event)
    if (before === undefined || !isOlder(event, before)) merged = applyEvent(merged, event)
  }
  // One that is taken back may have allowed another.
  for (let changed = true; changed;) {
    changed = false
    for (const event of stateEvents(merged)) {
      const { type } = event.header
      const said = current(told, event)
      if (
        said === undefined
          ? !gone.has(keyOf(event)) && !isMissing(event, given)
          : said.id === event.id
      )
        continue
      const otherwise = said === undefined ? withoutEvent(merged, event) : applyEvent(merged, said)
      // The strictest rule is the one that holds where there is none.
      const asked = said !== undefined || type !== STATE_TYPES.joinRules
      if (asked && RULING.has(type) && checkAuth(event, otherwise).ok) continue
      merged = otherwise
      changed = true
    }
  }
  return merged
}

function current(state: RoomState, { header }: RoomEvent): RoomEvent | undefined {
  return stateEvent(state, header.type, header.state_key ?? '')
}

function keyOf({ header }: RoomEvent): string {
  return `${header.type} ${header.state_key ?? ''}`
}

/**
 * Whether a key that a bundle does not have is one that the room does not have. Power levels fall with the first of
 * them only; whether those still hold can't be asked where they are not shown.
 */
function isMissing({ header: { type, replaces } }: RoomEvent, given: Given): boolean {
  if (type === STATE_TYPES.power && replaces !== null) return false
  return given === 'all' || (given === 'part' && !OF_MEMBERS.has(type))
}

/** Whether an event that comes once more may take its place again: only what rules nobody, or is the latest. */
export function mayReturn(event: RoomEvent, state: RoomState): boolean {
  const now = current(state, event)
  return !RULING.has(event.header.type) || now === undefined || !isOlder(event, now)
}

/** Of two events under one key (Room state §8.13, 1). */
export function isOlder(event: RoomEvent, than: RoomEvent): boolean {
  if (than.header.replaces === event.envelopeId) return true
  return event.pdu.event.origin_ts < than.pdu.event.origin_ts
}
