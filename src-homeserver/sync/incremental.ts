/** What happened after a position: one range of the account's feed, whatever the number of its rooms. */
import { STATE_TYPES } from '../../src-shared/protocol/index.ts'
import type { RoomDelta } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import type { Caller } from '../http/call.ts'
import type { EventRow, StreamItem, Tx } from '../storage/index.ts'
import { Draft } from './answer.ts'
import { doorBundle, inviteBundle, NOTHING, stateBundle } from './state-bundle.ts'
import { membershipAt, membershipChanges, spansOf } from './visible-spans.ts'
import type { Change } from './visible-spans.ts'

export interface Page {
  readonly draft: Draft
  /** Everything up to here is in. */
  readonly upTo: number
}

export type OwnMemberships = Map<string, readonly Change<string>[]>

export async function incrementalPage(
  { config }: Context,
  tx: Tx,
  { member, device }: Caller,
  since: number,
): Promise<Page> {
  const head = await tx.streams.head()
  const items = await tx.streams.after(member, device, since, config.syncItems)
  const loaded = await load(tx, member, device, items)
  const draft = new Draft()
  const own: OwnMemberships = new Map()
  let upTo = since
  let cut = items.length === config.syncItems
  for (const item of items) {
    if (draft.bytes >= config.syncBytes) {
      cut = true
      break
    }
    // What is told anew says nothing of what was before: that is told first, in an answer of its own.
    const anew = await toldAnew(tx, member, item, loaded, own)
    if (beginsAnew(draft, item) || (anew !== null && draft.hasTimeline(anew))) {
      cut = true
      break
    }
    if (item.kind === 'invite') await addInvite(tx, draft, member, item)
    else if (item.kind === 'event') await addEvent(tx, draft, member, item, loaded, own)
    else if (item.kind === 'state') await addState(tx, draft, member, item, own)
    else await addOther(tx, draft, { member, device }, item)
    upTo = item.pos
  }
  if (!cut) upTo = head
  for (const [room, delta] of draft.rooms)
    delta.membership = await ownStanding(tx, own, room, member, upTo)
  return { draft, upTo }
}

export interface Loaded {
  readonly events: ReadonlyMap<string, EventRow>
  /** By the position that the event is told at. */
  readonly wraps: ReadonlyMap<number, string>
}

export async function load(
  tx: Tx,
  member: string,
  device: string,
  items: readonly StreamItem[],
): Promise<Loaded> {
  const ids = items.filter((item) => item.kind === 'event').map((item) => item.ref)
  const rows = await tx.events.byIds(ids)
  const wraps = new Map<number, string>()
  const known = await tx.wraps.placed(member, device, ids)
  for (const { kind, ref, pos } of items) {
    const wrap = kind === 'event' ? known.get(ref) : undefined
    // One that came later is told later, with the event once more.
    if (wrap !== undefined && wrap.pos <= pos) wraps.set(pos, wrap.wrap)
  }
  return { events: new Map(rows.map((row) => [row.event_id, row])), wraps }
}

/** The room, where the item tells it anew: with a state, and no timeline before it. */
async function toldAnew(
  tx: Tx,
  member: string,
  { kind, ref, pos }: StreamItem,
  { events }: Loaded,
  own: OwnMemberships,
): Promise<string | null> {
  if (kind === 'invite') return ref
  const row = kind === 'event' ? events.get(ref) : undefined
  if (row?.type !== STATE_TYPES.member || row.state_key !== member) return null
  const { membership, room_id: room } = row
  if (membership === 'invite' || membership === 'knock') return room
  const before = membershipAt(await ownChanges(tx, own, room, member), pos - 1)
  return before === 'knock' || (membership === 'join' && before !== 'join') ? room : null
}

async function addEvent(
  tx: Tx,
  draft: Draft,
  member: string,
  item: StreamItem,
  loaded: Loaded,
  own: OwnMemberships,
): Promise<void> {
  const row = loaded.events.get(item.ref)
  if (row === undefined) return
  const room = row.room_id
  // Before the first event there is no state.
  if (row.type === STATE_TYPES.create) draft.restart(room, NOTHING, null)
  if (row.type === STATE_TYPES.member && row.state_key === member) {
    const changes = await ownChanges(tx, own, room, member)
    if (row.membership === 'invite') {
      // The roster that the node states for the invited follows at once; `pos` alone would miss it.
      draft.restart(room, await stateBundle(tx, room, item.pos + 1, 'stripped'), null)
      draft.items++
      return
    }
    if (row.membership === 'knock') {
      draft.restart(room, await doorBundle(tx, room, item.pos, [member]), null)
      draft.items++
      return
    }
    if (await endsKnock(tx, draft, own, row, item.pos)) return
    if (row.membership === 'join' && membershipAt(changes, item.pos - 1) !== 'join') {
      const spans = await spansOf(tx, room, changes)
      const older = await tx.events.latest(room, spans, item.pos, 1)
      const state = await stateBundle(tx, room, item.pos - 1, 'whole')
      draft.restart(room, state, older.length === 0 ? null : item.pos)
    }
  }
  draft.addEvent(room, row, loaded.wraps.get(item.pos))
}

/** State is told before a timeline: where there is one already, it waits for the next answer. */
export function beginsAnew(draft: Draft, { kind, room_id: room }: StreamItem): boolean {
  return kind === 'state' && room !== null && draft.hasTimeline(room)
}

/** What the room's state is, whatever its events have made of it for those who follow. */
async function addState(
  tx: Tx,
  draft: Draft,
  member: string,
  { room_id: room, pos }: StreamItem,
  own: OwnMemberships,
): Promise<void> {
  if (room === null) return
  draft.items++
  const membership = membershipAt(await ownChanges(tx, own, room, member), pos)
  if (membership === 'join') draft.restart(room, await stateBundle(tx, room, pos, 'whole'), null)
  else if (membership === 'invite')
    draft.restart(room, await stateBundle(tx, room, pos, 'stripped'), null)
  else if (membership === 'knock')
    draft.restart(room, await doorBundle(tx, room, pos, [member]), null)
  else draft.room(room)
}

/** Into a room that nobody here is in; or taken back, which the membership alone says. */
export async function addInvite(
  tx: Tx,
  draft: Draft,
  member: string,
  item: StreamItem,
): Promise<void> {
  const invite = await tx.federation.invite(item.ref, member)
  if (invite !== undefined) draft.addInvite(item.ref, inviteBundle(invite))
  else draft.room(item.ref)
  draft.items++
}

export async function addOther(
  tx: Tx,
  draft: Draft,
  { member, device }: Pick<Caller, 'member' | 'device'>,
  item: StreamItem,
): Promise<void> {
  switch (item.kind) {
    case 'receipt':
      for (const row of await tx.receipts.at([item.pos])) draft.addReceipt(row.room_id, row.receipt)
      break
    case 'to_device':
      for (const row of await tx.toDevice.at(member, device, [item.pos])) draft.addToDevice(row)
      break
    case 'manifest':
      draft.manifests.add(item.ref)
      break
    case 'profile':
      draft.profiles.add(item.ref)
      break
    default:
      draft.accountNews = true
  }
}

export async function ownChanges(
  tx: Tx,
  own: OwnMemberships,
  room: string,
  member: string,
): Promise<readonly Change<string>[]> {
  const known = own.get(room) ?? (await membershipChanges(tx, room, member))
  own.set(room, known)
  return known
}

/**
 * Whoever asked to come in knows nothing of the room but its door: how the asking ended is told with what it
 * takes to check it. False where it is another ending.
 */
export async function endsKnock(
  tx: Tx,
  draft: Draft,
  own: OwnMemberships,
  row: EventRow,
  pos: number,
): Promise<boolean> {
  const { room_id: room, state_key: member } = row
  if (member === null || (row.membership !== 'leave' && row.membership !== 'ban')) return false
  const changes = await ownChanges(tx, own, room, member)
  if (membershipAt(changes, pos - 1) !== 'knock') return false
  draft.restart(room, await doorBundle(tx, room, pos, [member, row.member]), null)
  draft.items++
  return true
}

/** How the account stands in a room after position `upTo`. */
export async function ownStanding(
  tx: Tx,
  own: OwnMemberships,
  room: string,
  member: string,
  upTo: number,
): Promise<RoomDelta['membership']> {
  if ((await tx.federation.invite(room, member)) !== undefined) return 'invite'
  const changes = await ownChanges(tx, own, room, member)
  // Said from afar of a room that nobody here is in any more: the events of it are not here.
  const said = await tx.rooms.membership(room, member)
  if (said !== undefined && said.pos <= upTo && said.pos > (changes.at(-1)?.pos ?? -1))
    return said.membership
  return standing(membershipAt(changes, upTo))
}

function standing(membership: string | undefined): RoomDelta['membership'] {
  switch (membership) {
    case 'invite':
    case 'join':
    case 'ban':
    case 'knock':
      return membership
    default:
      return 'leave'
  }
}
