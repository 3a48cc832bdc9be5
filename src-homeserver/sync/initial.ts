/**
 * Starting from nothing (Sync §8): everything up to a fixed position, in pages: the messages waiting for
 * this device first, then room by room its state and latest events.
 */
import { parseRoomId, STATE_TYPES } from '../../src-shared/protocol/index.ts'
import type { RoomDelta } from '../../src-shared/api/index.ts'
import type { Receipt } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'
import type { EventRow, Tx } from '../storage/index.ts'
import { Draft } from './answer.ts'
import { formatBefore } from './position.ts'
import type { Cursor } from './position.ts'
import { doorBundle, inviteBundle, partialBundle, stateBundle } from './state-bundle.ts'
import type { Bundle } from './state-bundle.ts'
import { membershipAt, membershipChanges, spansOf } from './visible-spans.ts'

const TIMELINE = 20
const ROOMS_AT_A_TIME = 50

export interface InitialPage {
  readonly draft: Draft
  /** Where the next page begins; null after the last one. */
  readonly from: Cursor | null
}

export async function initialPage(
  context: Context,
  tx: Tx,
  caller: Caller,
  upTo: number,
  from: Cursor,
): Promise<InitialPage> {
  const { syncItems, syncBytes } = context.config
  const draft = new Draft()
  const full = (): boolean => draft.items >= syncItems || draft.bytes >= syncBytes
  let after = from.part === 'rooms' ? from.after : ''
  if (from.part === 'to_device') {
    const { member, device } = caller
    const rows = await tx.toDevice.between(member, device, from.after, upTo, syncItems)
    for (const row of rows) {
      draft.addToDevice(row)
      if (full()) return { draft, from: { part: 'to_device', after: row.pos } }
    }
  }
  for (;;) {
    const rooms = await tx.rooms.ofMember(
      caller.member,
      ['join', 'invite', 'knock'],
      after === '' ? '' : afterOpaque(after),
      ROOMS_AT_A_TIME,
    )
    for (const { room_id: room } of rooms) {
      await addRoom(tx, draft, caller, room, upTo)
      after = parseRoomId(room)?.envelopeId ?? after
      if (full()) return { draft, from: { part: 'rooms', after } }
    }
    if (rooms.length < ROOMS_AT_A_TIME) return { draft, from: null }
  }
}

/** Sorts after every room id with this opaque part and before the next: `;` follows `:`. */
function afterOpaque(opaque: string): string {
  return `!${opaque};`
}

export interface FirstSight {
  /** Events at most. */
  readonly timeline: number
  /** From how many members on the state comes in part. */
  readonly wholeUpTo: number
}

const EVERYTHING: FirstSight = { timeline: TIMELINE, wholeUpTo: Infinity }

/** What the room is like at `upTo`, on its first sight. Null where the account is not in it at that point. */
export async function addRoom(
  tx: Tx,
  draft: Draft,
  { member, device }: Pick<Caller, 'member' | 'device'>,
  room: string,
  upTo: number,
  sight: FirstSight = EVERYTHING,
): Promise<{ readonly firstPos: number; readonly whole: boolean } | null> {
  const invite = await tx.federation.invite(room, member)
  if (invite !== undefined) {
    if (invite.pos > upTo) return null
    draft.addInvite(room, inviteBundle(invite))
    return { firstPos: upTo, whole: false }
  }
  const changes = await membershipChanges(tx, room, member)
  const membership = membershipAt(changes, upTo)
  if (membership === 'invite') {
    const state = await stateBundle(tx, room, upTo, 'stripped')
    draft.restart(room, state, null).membership = 'invite'
    draft.items++
    return { firstPos: upTo, whole: false }
  }
  if (membership === 'knock') {
    draft.restart(room, await doorBundle(tx, room, upTo, [member]), null).membership = 'knock'
    draft.items++
    return { firstPos: upTo, whole: false }
  }
  if (membership !== 'join') return null
  // What lies before a gap in what may be seen is fetched, not shown: state would be missing between.
  const spans = await spansOf(tx, room, changes)
  const last = spans.at(-1)
  // And so it does where the state has been told anew: what came before does not lead to it.
  const restated = (await tx.rooms.get(room))?.restated_at ?? 0
  const from = restated > upTo ? 0 : restated
  const rows = await tx.events.latest(
    room,
    last === undefined ? [] : [{ from: Math.max(last.from, from), to: last.to }],
    upTo + 1,
    sight.timeline,
  )
  rows.reverse()
  const first = rows[0]?.pos ?? upTo + 1
  const older = await tx.events.latest(room, spans, first, 1)
  const { state, members } = await stateFor(tx, room, member, first - 1, rows, sight)
  const delta = draft.restart(room, state, null)
  if (members !== null) delta.members = members
  delta.membership = 'join'
  delta.limited = older.length > 0
  delta.prev = older.length > 0 ? formatBefore(first) : null
  draft.items++
  const ids = rows.map((row) => row.event_id)
  const wraps = await tx.wraps.forEvents(member, device, ids)
  for (const row of rows) draft.addEvent(room, row, wraps.get(row.event_id))
  const envelopes = rows.map((row) => row.envelope_id)
  for (const row of await tx.receipts.ofEnvelopes(room, envelopes, upTo))
    delta.receipts.push(JSON.parse(row.receipt) as Receipt)
  return { firstPos: first, whole: members?.whole ?? true }
}

async function stateFor(
  tx: Tx,
  room: string,
  member: string,
  pos: number,
  rows: readonly EventRow[],
  { wholeUpTo }: FirstSight,
): Promise<{ state: Bundle; members: RoomDelta['members'] | null }> {
  if (wholeUpTo === Infinity)
    return { state: await stateBundle(tx, room, pos, 'whole'), members: null }
  const joined = await tx.rooms.countMembers(room, 'join')
  const invited = await tx.rooms.countMembers(room, 'invite')
  const whole = joined + invited <= wholeUpTo
  const of = new Set([member, ...rows.flatMap(occurring)])
  const state = whole
    ? await stateBundle(tx, room, pos, 'whole')
    : await partialBundle(tx, room, pos, [...of])
  return { state, members: { joined, invited, whole } }
}

/** Members of whom one must know to check the event. */
export function occurring(row: Pick<EventRow, 'member' | 'type' | 'state_key'>): string[] {
  const named = row.type === STATE_TYPES.member || row.type === STATE_TYPES.roster
  return named && row.state_key !== null ? [row.member, row.state_key] : [row.member]
}
