/**
 * Taking in an event that another server pushes (Federation §15): what it rests on is fetched first; what comes a
 * second time may bring what the first copy lacked.
 */
import { isRedactable, wrapSchema } from '../../src-shared/protocol/index.ts'
import type { Json, RoomEvent } from '../../src-shared/protocol/index.ts'
import { limits } from '../config.ts'
import type { Context } from '../context.ts'
import type { WrapText } from '../rooms/stored-event.ts'
import type { EventRow, Tx } from '../storage/index.ts'
import { membershipAt, membershipChanges } from '../sync/visible-spans.ts'
import { catchUp, isForNow } from './catch-up.ts'
import { judge, later, localWraps, originKey, refused, taken } from './judge.ts'
import type { Verdict } from './judge.ts'
import { PeerError } from './peer-calls.ts'
import { learnKeys } from './vouching.ts'

/** An event that `from` pushes. `pdu` and `wraps` as they came off the wire. */
export async function takeEvent(
  context: Context,
  from: string,
  pdu: Json,
  wraps: readonly Json[],
): Promise<Verdict> {
  const decoded = context.guards.decode(context.crypto, pdu)
  if (!decoded.ok) return refused(decoded.code)
  const { event } = decoded
  // Who ordered an event has its wraps; from anyone else they would be put in another's name.
  const own = context.guards.holds('wrap_origin', event.pdu.event.origin === from)
    ? readWraps(wraps)
    : []
  const { known, resident, missing } = await context.storage.read(async (tx) => ({
    known: (await tx.events.known([event.id])).size > 0,
    resident: await isConcerned(context, tx, event.roomId),
    missing: await missingOf(tx, event),
  }))
  if (!known && !context.guards.holds('unknown_room', resident)) return refused('unknown_room')
  if (!known && !context.guards.holds('missing_events', missing.length === 0)) {
    const reached = await catchUp(context, event.roomId, from, missing)
    if (reached !== 'done') return isForNow(reached) ? later(reached) : refused(reached)
  }
  return admit(context, event, own, from)
}

async function admit(
  context: Context,
  event: RoomEvent,
  wraps: readonly WrapText[],
  from: string,
): Promise<Verdict> {
  let key: Uint8Array | null
  try {
    await learnKeys(context, [event], { room: event.roomId, from })
    key = await originKey(context, event)
  } catch (error) {
    if (error instanceof PeerError) return later('unknown_origin_key')
    throw error
  }
  return context.storage.write(async (tx) => {
    const [row] = await tx.events.byIds([event.id])
    if (row !== undefined) return complete(context, tx, row, event, wraps)
    return judge(context, tx, event, key, wraps)
  })
}

/** A known event comes again: with wraps or a body that were not there before, perhaps. */
async function complete(
  context: Context,
  tx: Tx,
  row: EventRow,
  event: RoomEvent,
  wraps: readonly WrapText[],
): Promise<Verdict> {
  if (row.rejected === 1) return refused('rejected')
  const { origin } = row
  const good = await localWraps(context, tx, wraps)
  // Once: a device that has had its wrap is not given it again.
  const late =
    good.length > 0 && (await tx.federation.takeItem(origin, row.event_id, context.now()))
  const { expires_at: expires = Infinity } = event.header
  const gone = row.redacted_by !== null || expires <= context.now()
  const withheld = row.body === null && !gone && isRedactable(event)
  const brought = withheld && event.pdu.body !== null
  if (brought) await tx.events.fill(row.event_id, event.pdu.body ?? '')
  if (!late || row.soft_failed === 1) return taken
  const told = await toldOf(tx, row, new Set(good.map(({ member }) => member)))
  const { event_id: id, room_id: room } = row
  for (const { member, device, text: wrap } of good) {
    // Only this device is told once more: another of the same account may have nothing coming.
    const pos = told.has(member)
      ? await tx.streams.append('event', id, room, [{ member, device }], context.now())
      : row.pos
    await tx.wraps.putNew([{ member, device, event_id: id, pos, wrap }])
  }
  return taken
}

/** Those of `members` who were in the room as the event came: nobody else was told of it. */
async function toldOf(
  tx: Tx,
  row: EventRow,
  members: ReadonlySet<string>,
): Promise<ReadonlySet<string>> {
  const told = new Set<string>()
  for (const member of members) {
    const changes = await membershipChanges(tx, row.room_id, member)
    if (membershipAt(changes, row.pos) === 'join') told.add(member)
  }
  return told
}

function readWraps(wraps: readonly Json[]): WrapText[] {
  return wraps.slice(0, limits.pairwise_devices).flatMap((wrap) => {
    const parsed = wrapSchema.safeParse(wrap)
    if (!parsed.success) return []
    const { member, device } = parsed.data
    return [{ member, device, text: JSON.stringify(wrap) }]
  })
}

/**
 * Somebody here is in the room; or was, and has not gone by themselves: what has removed them may yet turn out to be
 * out of force, and what comes may be what shows it.
 */
async function isConcerned({ config }: Context, tx: Tx, room: string): Promise<boolean> {
  if ((await tx.rooms.localMembers(room, ['join'])).length > 0) return true
  if ((await tx.rooms.get(room)) === undefined) return false
  const here = await tx.rooms.membersOf(room, config.serverName)
  const changes = await tx.events.byIds(here.map((row) => row.event_id))
  const own = new Set(
    changes.filter((row) => row.member === row.state_key).map((row) => row.event_id),
  )
  return here.some((row) => !own.has(row.event_id))
}

/** What the event names and this node has never had. */
async function missingOf(tx: Tx, event: RoomEvent): Promise<string[]> {
  const { prev_events: prev, auth_events: auth } = event.pdu.event
  const named = [...new Set([...prev, ...auth])]
  const known = await tx.events.known(named)
  return named.filter((id) => !known.has(id))
}
