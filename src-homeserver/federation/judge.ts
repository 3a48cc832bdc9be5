/**
 * Judging events of other servers (Room state §7, Federation §15): every hash, signature and rule is checked at the
 * event's own place in the graph, whoever brought it. What breaks a rule is kept aside, so that whatever rests
 * on it falls with it on every node.
 */
import { checkEvent } from '../../src-shared/protocol/index.ts'
import type { AcceptCode, RoomEvent } from '../../src-shared/protocol/index.ts'
import type { ItemOutcome } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { storeEvent, storeRejected } from '../rooms/store-event.ts'
import { toEvent } from '../rooms/stored-event.ts'
import type { WrapText } from '../rooms/stored-event.ts'
import type { Tx } from '../storage/index.ts'
import { learnKeys } from './vouching.ts'
import type { Source } from './vouching.ts'

export type Verdict = Pick<ItemOutcome, 'outcome' | 'code'>

export const taken: Verdict = { outcome: 'taken' }
export const refused = (code: string): Verdict => ({ outcome: 'refused', code })
export const later = (code: string): Verdict => ({ outcome: 'later', code })

/** Events in one transaction of the storage: others write in between. */
const AT_A_TIME = 20

/** Ends of a room's graph above which nobody may add another beside them: resolving has to stay cheap. */
const MAX_ENDS = 60

/**
 * What no id covers: a copy with another signature or without its body may still be good, so a bad one must
 * not stand for it.
 */
const OF_THIS_COPY: ReadonlySet<AcceptCode> = new Set<AcceptCode>([
  'bad_event_signature',
  'bad_envelope_signature',
  'bad_content',
])

/** How many events of a page are new here, and how many were here before. */
export interface Told {
  readonly fresh: number
  readonly again: number
}

/** Events in an order in which none comes before what it rests on. */
export async function takeHistory(
  context: Context,
  events: readonly RoomEvent[],
  source: Source,
): Promise<Told> {
  const known = await context.storage.read((tx) => tx.events.known(events.map(({ id }) => id)))
  // What is here costs nobody a key.
  const unknown = events.filter(({ id }) => !known.has(id))
  await learnKeys(context, unknown, source)
  let fresh = 0
  for (let start = 0; start < unknown.length; start += AT_A_TIME) {
    const ready: { event: RoomEvent; key: Uint8Array | null }[] = []
    for (const event of unknown.slice(start, start + AT_A_TIME))
      ready.push({ event, key: await originKey(context, event) })
    fresh += await context.storage.write((tx) => takeNew(context, tx, ready))
  }
  return { fresh, again: known.size }
}

async function takeNew(
  context: Context,
  tx: Tx,
  ready: readonly { event: RoomEvent; key: Uint8Array | null }[],
): Promise<number> {
  let fresh = 0
  for (const { event, key } of ready) {
    // Told twice, or by somebody else meanwhile.
    if ((await tx.events.known([event.id])).size > 0) continue
    const verdict = await judge(context, tx, event, key, [])
    if (verdict.outcome === 'taken' || (await tx.events.known([event.id])).size > 0) fresh++
  }
  return fresh
}

/** Throws `PeerError` where it can't be had now. */
export async function originKey(context: Context, event: RoomEvent): Promise<Uint8Array | null> {
  const { origin } = event.pdu.event
  const found = await context.serverKeys.find(origin, event.pdu.event_sig.key_id)
  return found === null ? null : found.key
}

/** In the event's own place; stores it, or that it breaks the rules. `key`: the origin's, null where it has no such. */
export async function judge(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  key: Uint8Array | null,
  wraps: readonly WrapText[],
): Promise<Verdict> {
  const { crypto, guards, roomStates } = context
  const { prev_events: prev, auth_events: auth, origin } = event.pdu.event
  if (!guards.holds('unknown_origin_key', key !== null)) return refused('unknown_origin_key')
  const rows = new Map(
    (await tx.events.byIds([...prev, ...auth])).map((row) => [row.event_id, row]),
  )
  const named = [...new Set([...prev, ...auth])].map((id) => rows.get(id))
  if (!guards.holds('missing_events', !named.includes(undefined))) return refused('missing_events')
  const sound = named.every((row) => row?.rejected !== 1)
  if (!guards.holds('rests_on_rejected', sound)) {
    await storeRejected(context, tx, event)
    return refused('rests_on_rejected')
  }
  const load = (ids: readonly string[]): RoomEvent[] =>
    ids.flatMap((id) => {
      const row = rows.get(id)
      return row === undefined ? [] : [toEvent(crypto, row)]
    })
  const parents = load(prev)
  if (parents.some((parent) => parent.roomId !== event.roomId)) return refused('wrong_room')
  const ends = await tx.events.extremities(event.roomId)
  const room = ends.length < MAX_ENDS || prev.some((id) => ends.includes(id))
  if (!guards.holds('too_many_ends', room)) return later('too_many_ends')
  const current = await roomStates.current(tx, event.roomId)
  const inLine = current !== undefined && [...current.extremities].sort().join() === prev.join()
  const stateBefore = inLine ? current.state : await roomStates.resolve(tx, event.roomId, prev)
  const checked = checkEvent(crypto, event, {
    authEvents: load(auth),
    parents,
    stateBefore,
    originKey: key ?? new Uint8Array(32),
  })
  if (!checked.ok && !guards.holds(checked.code, false)) {
    context.log.warn({ origin, event: event.id, code: checked.code }, 'event refused')
    if (!OF_THIS_COPY.has(checked.code)) await storeRejected(context, tx, event)
    return refused(checked.code)
  }
  // Nobody else can have signed it.
  if (checked.ok && origin === context.config.serverName) context.comeback.foundOwnEvent()
  const good = await localWraps(context, tx, wraps)
  // A second copy of the item brings nothing new then.
  if (good.length > 0) await tx.federation.takeItem(origin, event.id, context.now())
  await storeEvent(context, tx, event, { stateBefore, wraps: good })
  return taken
}

/** One for each device here that may read now. */
export async function localWraps(
  context: Context,
  tx: Tx,
  wraps: readonly WrapText[],
): Promise<WrapText[]> {
  const good = new Map<string, WrapText>()
  for (const wrap of wraps) {
    const { member, device } = wrap
    const row = await tx.devices.get(member, device)
    if (row?.status === 'active') good.set(`${member}/${device}`, wrap)
  }
  if (good.size < wraps.length) context.metrics.peerItem('wrap', 'not_ours')
  return [...good.values()]
}
