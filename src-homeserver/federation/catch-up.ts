/**
 * Fetching what is missing (Federation §15): from the last common point up, page by page, each page checked and
 * stored before the next is asked for. So a node that is cut off in the middle goes on where it was, and a
 * long history needs no more memory than one page. What a giver may make it cost is bounded (`fetch-budget.ts`).
 */
import { isJsonObject } from '../../src-shared/protocol/index.ts'
import type { Json, JsonObject, RoomEvent } from '../../src-shared/protocol/index.ts'
import { MAX_EVENTS } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { mayGoOn } from './fetch-budget.ts'
import { takeHistory } from './judge.ts'
import type { Told } from './judge.ts'
import { PeerError } from './peer-calls.ts'
import type { Source } from './vouching.ts'

export type CaughtUp =
  | 'done'
  /** Nobody answers now. */
  | 'unreachable'
  /** The other server is not spoken with: there is no version that both know. */
  | 'no_common_version'
  /** Something new came, and more than may be fetched at one go. */
  | 'unfinished'
  /** The other server does not know the room, or does not let this one have it. */
  | 'not_given'
  /** What came does not lead to what was asked for. */
  | 'missing_events'

/** Whether asking again may help. */
export function isForNow(reached: CaughtUp): boolean {
  return reached === 'unreachable' || reached === 'no_common_version' || reached === 'unfinished'
}

const NOT_GIVEN: ReadonlySet<string> = new Set(['M_NOT_FOUND', 'M_FORBIDDEN'])
const MAX_KNOWN = 64
/** Pages that are read and judged at once, whoever gives them: each is some MiB. */
const PAGES_AT_ONCE = 16

/** What a node has under way. */
class Fetching {
  /** By server and room: who is slow holds nobody else up. */
  readonly lines = new Map<string, Promise<unknown>>()
  readonly #waiting: (() => void)[] = []
  #pages = 0

  async page<T>(work: () => Promise<T>): Promise<T> {
    if (this.#pages < PAGES_AT_ONCE) this.#pages++
    // Whoever ends hands its place on.
    else await new Promise<void>((resolve) => this.#waiting.push(resolve))
    try {
      return await work()
    } finally {
      const next = this.#waiting.shift()
      if (next === undefined) this.#pages--
      else next()
    }
  }
}

const fetching = new WeakMap<Context, Fetching>()

/**
 * `wanted`: event ids; none for everything. `others`: servers that are said to be in the room. One at a time for each
 * server and room.
 */
export async function catchUp(
  context: Context,
  room: string,
  from: string,
  wanted: readonly string[],
  others: readonly string[] = [],
): Promise<CaughtUp> {
  const under = fetching.get(context) ?? new Fetching()
  fetching.set(context, under)
  const { lines } = under
  const key = `${from} ${room}`
  const before = lines.get(key) ?? Promise.resolve()
  const mine = before
    .catch(() => undefined)
    .then(() => fetchAll({ context, under, source: { room, from, others }, wanted }))
  lines.set(key, mine)
  try {
    return await mine
  } finally {
    if (lines.get(key) === mine) lines.delete(key)
  }
}

interface Wanted {
  readonly context: Context
  readonly under: Fetching
  readonly source: Source
  readonly wanted: readonly string[]
}

async function fetchAll({ context, under, source, wanted }: Wanted): Promise<CaughtUp> {
  const { storage, guards } = context
  const { room } = source
  const pushed = wanted.length > 0
  const spent = { pages: 0, fresh: 0, again: 0 }
  let held: number | null = null
  let after: string | null = null
  let before: string | null = null
  for (;;) {
    const { known, still } = await storage.read(async (tx) => {
      const have = await tx.events.known(wanted)
      return {
        known: (await tx.events.extremities(room)).slice(-MAX_KNOWN),
        still: wanted.filter((id) => !have.has(id)).slice(0, MAX_KNOWN),
      }
    })
    if (pushed && still.length === 0) return 'done'
    // The same question would be answered alike.
    const question = `${after ?? ''} ${known.join()} ${still.join()}`
    const asking: Asking = { known, wanted: still, after }
    const page = await under.page(() => takePage(context, source, asking))
    if (typeof page === 'string') return page
    spent.pages++
    spent.fresh += page.fresh
    spent.again += page.again
    if (!page.more) {
      const have = await storage.read((tx) => tx.events.known(wanted))
      return wanted.every((id) => have.has(id)) ? 'done' : 'missing_events'
    }
    if (page.again > 0) held ??= await storage.read((tx) => tx.events.count(room))
    const told = page.fresh + page.again > 0 && question !== before
    const may = told && mayGoOn(spent, { held: held ?? 0, pushed })
    if (!guards.holds('fetch_budget', may)) return spent.fresh > 0 ? 'unfinished' : 'missing_events'
    before = question
    after = page.next
  }
}

/** Asks for one page and takes in what it tells. */
async function takePage(
  context: Context,
  source: Source,
  asking: Asking,
): Promise<
  (Told & Pick<Page, 'more' | 'next'>) | 'unreachable' | 'no_common_version' | 'not_given'
> {
  const answer = await ask(context, source.room, source.from, asking)
  if (typeof answer === 'string') return answer
  const { events, more, next } = answer
  try {
    return { ...(await takeHistory(context, events, source)), more, next }
  } catch (error) {
    // A third server's key can't be had now.
    if (error instanceof PeerError) return 'unreachable'
    throw error
  }
}

interface Asking {
  readonly known: readonly string[]
  readonly wanted: readonly string[]
  readonly after: string | null
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
  { known, wanted, after }: Asking,
): Promise<Page | 'unreachable' | 'no_common_version' | 'not_given'> {
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
    if (error instanceof PeerError)
      return error.code === 'no_common_version' ? error.code : 'unreachable'
    throw error
  }
}

/** As they came off the wire: ids and signatures are over exactly that. */
function eventsOf(raw: JsonObject): Json[] {
  const events = raw['events']
  return Array.isArray(events) ? (events as Json[]).filter((json) => isJsonObject(json)) : []
}
