/**
 * Fetching what is missing (Federation §15): from the last common point up, page by page, each page checked and
 * stored before the next is asked for. So a node that is cut off in the middle goes on where it was, and a
 * long history needs no more memory than one page.
 */
import { isJsonObject } from '../../src-shared/protocol/index.ts'
import type { Json, JsonObject, RoomEvent } from '../../src-shared/protocol/index.ts'
import { MAX_EVENTS } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { takeHistory } from './judge.ts'
import { PeerError } from './peer-calls.ts'
import type { Source } from './vouching.ts'

export type CaughtUp =
  | 'done'
  /** Nobody answers now. */
  | 'unreachable'
  /** The other server does not know the room, or does not let this one have it. */
  | 'not_given'
  /** What came does not lead to what was asked for. */
  | 'missing_events'

const NOT_GIVEN: ReadonlySet<string> = new Set(['M_NOT_FOUND', 'M_FORBIDDEN', 'M_UNRECOGNIZED'])
const MAX_PAGES = 5000
const MAX_KNOWN = 64

const running = new WeakMap<Context, Map<string, Promise<unknown>>>()

/**
 * `wanted`: event ids; none for everything. `others`: servers that are said to be in the room. One at a time for each
 * room.
 */
export async function catchUp(
  context: Context,
  room: string,
  from: string,
  wanted: readonly string[],
  others: readonly string[] = [],
): Promise<CaughtUp> {
  const rooms = running.get(context) ?? new Map<string, Promise<unknown>>()
  running.set(context, rooms)
  const before = rooms.get(room) ?? Promise.resolve()
  const mine = before
    .catch(() => undefined)
    .then(() => fetchAll(context, { room, from, others }, wanted))
  rooms.set(room, mine)
  try {
    return await mine
  } finally {
    if (rooms.get(room) === mine) rooms.delete(room)
  }
}

async function fetchAll(
  context: Context,
  source: Source,
  wanted: readonly string[],
): Promise<CaughtUp> {
  const { room, from } = source
  let after: string | null = null
  for (let page = 0; page < MAX_PAGES; page++) {
    const { known, still } = await context.storage.read(async (tx) => {
      const have = await tx.events.known(wanted)
      return {
        known: (await tx.events.extremities(room)).slice(-MAX_KNOWN),
        still: wanted.filter((id) => !have.has(id)).slice(0, MAX_KNOWN),
      }
    })
    if (wanted.length > 0 && still.length === 0) return 'done'
    const answer = await ask(context, room, from, { known, wanted: still, after })
    if (typeof answer === 'string') return answer
    let fresh: number
    try {
      fresh = await takeHistory(context, answer.events, source)
    } catch (error) {
      // A third server's key can't be had now.
      if (error instanceof PeerError) return 'unreachable'
      throw error
    }
    if (!answer.more) {
      const have = await context.storage.read((tx) => tx.events.known(wanted))
      return wanted.every((id) => have.has(id)) ? 'done' : 'missing_events'
    }
    after = answer.next
    if (fresh === 0 && after === null) return 'missing_events'
  }
  return 'missing_events'
}

interface Page {
  readonly events: readonly RoomEvent[]
  readonly more: boolean
  readonly next: string | null
}

async function ask(
  context: Context,
  room: string,
  from: string,
  {
    known,
    wanted,
    after,
  }: {
    readonly known: readonly string[]
    readonly wanted: readonly string[]
    readonly after: string | null
  },
): Promise<Page | 'unreachable' | 'not_given'> {
  try {
    const answer = await context.peers.call(from, 'missing', {
      params: { roomId: room },
      body: {
        wanted: [...wanted],
        known: [...known],
        limit: MAX_EVENTS,
        ...(after === null ? {} : { after }),
      },
    })
    // Anything else (its clock, our key that it can't have now, a limit) says nothing about the room.
    if (!answer.ok) {
      const { errcode = '' } = answer.refusal
      return NOT_GIVEN.has(errcode) ? 'not_given' : 'unreachable'
    }
    const events = eventsOf(answer.raw).flatMap((json) => {
      const decoded = context.guards.decode(context.crypto, json)
      return decoded.ok && decoded.event.roomId === room ? [decoded.event] : []
    })
    return { events, more: answer.value.more, next: answer.value.next }
  } catch (error) {
    if (error instanceof PeerError) return 'unreachable'
    throw error
  }
}

/** As they came off the wire: ids and signatures are over exactly that. */
function eventsOf(raw: JsonObject): Json[] {
  const events = raw['events']
  return Array.isArray(events) ? (events as Json[]).filter((json) => isJsonObject(json)) : []
}
