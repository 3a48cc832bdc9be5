/**
 * Putting an accepted event into the room (Room state §7): graph, resolved state, memberships, wraps of own
 * devices, the news of accounts here and what goes to other servers; all in one transaction.
 */
import {
  applyEvent,
  checkAuth,
  creation,
  emptyState,
  isState,
  membershipOf,
  MESSAGE_TYPES,
  parseUserId,
  readContent,
  redactionApplies,
  stateEvent,
  STATE_TYPES,
} from '../../src-shared/protocol/index.ts'
import type { RoomEvent, RoomState } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { announceEvent } from '../federation/announce.ts'
import type { EventRow, StateChange, Tx } from '../storage/index.ts'
import type { CurrentRoom } from './room-states.ts'
import { toEvent, toRow } from './stored-event.ts'
import type { WrapText } from './stored-event.ts'

export interface ToStore {
  /** The state at the event's own parents. */
  readonly stateBefore: RoomState
  readonly wraps: readonly WrapText[]
}

export interface Stored {
  readonly event: RoomEvent
  readonly current: CurrentRoom
}

export async function storeEvent(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  { stateBefore, wraps }: ToStore,
): Promise<Stored> {
  const { roomId: room, header } = event
  const now = context.now()
  const before = (await context.roomStates.current(tx, room))?.state ?? emptyState
  const repeats = await earlierEvent(context, tx, event)
  const pos = await tx.streams.take('event', event.id, room, now)
  if (header.type === STATE_TYPES.create) await insertRoom(tx, event, now)
  const { prev_events: prev, auth_events: auth } = event.pdu.event
  await tx.events.insert(toRow(event, pos), { prev, auth })
  const extremities = await tx.events.extremities(room)
  const sole = extremities.length === 1
  const after = sole
    ? applyEvent(stateBefore, event)
    : context.guards.holds('resolution', false)
      ? applyEvent(before, event)
      : await context.roomStates.resolve(tx, room, extremities)
  const shown = repeats === undefined && isShown(context, event, before, after)
  await tx.events.mark(event.id, { sole: sole ? 1 : 0, soft_failed: shown ? 0 : 1 })
  const changes = await storeState(context, tx, room, pos, before, after)
  await applyRedaction(context, tx, event, stateBefore)
  const own = wraps.filter(({ member }) => isLocal(context, after, member))
  await tx.wraps.put(
    own.map(({ member, device, text }) => ({
      member,
      device,
      event_id: event.id,
      pos,
      wrap: text,
    })),
  )
  const audience = shown ? await listeners(context, tx, event, after) : []
  if (shown) {
    if (header.type === MESSAGE_TYPES.message) await tx.rooms.moveUp(room, pos)
    await tx.streams.tell(
      pos,
      audience.map((member) => ({ member })),
    )
  }
  await restate(context, tx, event, { changes, shown, audience })
  await announceEvent(context, tx, event, { before, after, wraps })
  context.metrics.event(isState(event) ? 'state' : 'message')
  const current = await nextRoom(context, tx, event, { extremities, after })
  return { event, current }
}

/** Kept, so that what rests on it can be judged; in no state and shown to nobody. */
export async function storeRejected(context: Context, tx: Tx, event: RoomEvent): Promise<void> {
  const pos = await tx.streams.take('event', event.id, event.roomId, context.now())
  const { prev_events: prev, auth_events: auth } = event.pdu.event
  await tx.events.insert({ ...toRow(event, pos), rejected: 1 }, { prev, auth })
}

async function nextRoom(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  { extremities, after }: { readonly extremities: readonly string[]; readonly after: RoomState },
): Promise<CurrentRoom> {
  const { roomStates } = context
  if (extremities.length === 1) {
    const current = { extremities: [event.id], parents: [event], state: after }
    roomStates.remember(event.roomId, current)
    return current
  }
  const current = await roomStates.current(tx, event.roomId)
  if (current === undefined) throw new Error('a room without ends')
  return current
}

/**
 * A server can put one envelope into two events. No node can refuse the second, since others may know it as the
 * first; it is kept like any other and shown to nobody.
 */
async function earlierEvent(
  { guards }: Context,
  tx: Tx,
  { roomId, envelopeId, header }: RoomEvent,
): Promise<EventRow | undefined> {
  if (header.state_key !== undefined) return undefined
  const earlier = await tx.events.byEnvelope(roomId, envelopeId)
  return guards.holds('envelope_repeated', earlier === undefined) ? undefined : earlier
}

/**
 * Soft failure: what the state here does not allow (its sender was removed meanwhile, say), or what another
 * branch has overruled, is shown to nobody. It stays in the graph, so that all nodes resolve the same.
 */
function isShown(
  { guards }: Context,
  event: RoomEvent,
  before: RoomState,
  after: RoomState,
): boolean {
  const { type, state_key: stateKey } = event.header
  const allowed =
    stateKey === undefined
      ? checkAuth(event, before).ok
      : stateEvent(after, type, stateKey)?.id === event.id
  return guards.holds('soft_failure', allowed)
}

async function storeState(
  context: Context,
  tx: Tx,
  room: string,
  pos: number,
  before: RoomState,
  after: RoomState,
): Promise<readonly StateChange[]> {
  const changes: StateChange[] = []
  for (const type of new Set([...before.events.keys(), ...after.events.keys()])) {
    const old = before.events.get(type)
    const now = after.events.get(type)
    if (old === now) continue
    for (const stateKey of new Set([...(old?.keys() ?? []), ...(now?.keys() ?? [])])) {
      const event = now?.get(stateKey)
      if (old?.get(stateKey)?.id === event?.id) continue
      changes.push({ type, state_key: stateKey, event_id: event?.id ?? '' })
      if (type === STATE_TYPES.member)
        await storeMembership(context, tx, {
          room,
          member: stateKey,
          pos,
          event,
          old: old?.get(stateKey),
        })
    }
  }
  await tx.rooms.changeState(room, pos, changes)
  return changes
}

/**
 * Who applies events in the order they come in gets to another state where resolution takes back what an
 * overruled event did: from here on they go by the state itself (Room state §8.13).
 */
async function restate(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  said: {
    readonly changes: readonly StateChange[]
    readonly shown: boolean
    readonly audience: readonly string[]
  },
): Promise<void> {
  const silent = said.changes.filter(({ event_id: id }) => !(said.shown && id === event.id))
  if (silent.length === 0) return
  const { roomId: room } = event
  const concerned = new Set([
    ...said.audience,
    ...(await tx.rooms.localMembers(room, ['join', 'invite'])),
  ])
  for (const { type, state_key: member } of silent)
    if (type === STATE_TYPES.member)
      if ((await tx.rooms.membership(room, member))?.local === 1) concerned.add(member)
  const pos = await tx.streams.take('state', event.id, room, context.now())
  await tx.rooms.restate(room, pos)
  await tx.streams.tell(
    pos,
    [...concerned].map((member) => ({ member })),
  )
}

interface MembershipChange {
  readonly room: string
  readonly member: string
  readonly pos: number
  readonly event: RoomEvent | undefined
  readonly old: RoomEvent | undefined
}

async function storeMembership(
  context: Context,
  tx: Tx,
  { room, member, pos, event, old }: MembershipChange,
): Promise<void> {
  const stated = event === undefined ? null : readContent(event, STATE_TYPES.member)
  const userId =
    stated?.user_id ??
    (old === undefined ? undefined : readContent(old, STATE_TYPES.member)?.user_id)
  if (userId === undefined) return
  const server = parseUserId(userId)?.server ?? ''
  const local = server === context.config.serverName
  await tx.rooms.setMembership({
    room_id: room,
    member,
    membership: stated?.membership ?? 'leave',
    user_id: userId,
    local: local ? 1 : 0,
    server,
    event_id: event?.id ?? '',
    pos,
  })
  // From here on the room itself says how the member stands.
  if (local) await tx.federation.dropInvite(room, member)
}

/** Members here whom the event concerns. */
async function listeners(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  after: RoomState,
): Promise<string[]> {
  const audience = new Set(await tx.rooms.localMembers(event.roomId, ['join']))
  const member = event.header.state_key
  const content = readContent(event, STATE_TYPES.member)
  if (content !== null && member !== undefined)
    if (parseUserId(content.user_id)?.server === context.config.serverName) audience.add(member)
  // Between making the room and joining it, its maker is the only one there.
  const made = creation(after)
  if (made?.content.server === context.config.serverName)
    if (membershipOf(after, made.creator) === undefined) audience.add(made.creator)
  return [...audience]
}

function isLocal(context: Context, state: RoomState, member: string): boolean {
  const event = stateEvent(state, STATE_TYPES.member, member)
  const content = event === undefined ? null : readContent(event, STATE_TYPES.member)
  return content !== null && parseUserId(content.user_id)?.server === context.config.serverName
}

/** Its target is among its ancestors, so it is here. */
async function applyRedaction(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  stateBefore: RoomState,
): Promise<void> {
  const content = readContent(event, 'e.redaction')
  if (content === null) return
  const row = await tx.events.byEnvelope(event.roomId, content.target)
  if (row === undefined) return
  if (redactionApplies(event, toEvent(context.crypto, row), stateBefore))
    await tx.events.redact(row.event_id, event.id)
}

async function insertRoom(tx: Tx, event: RoomEvent, now: number): Promise<void> {
  await tx.rooms.insert({
    room_id: event.roomId,
    opaque: event.envelopeId,
    visibility: readContent(event, STATE_TYPES.create)?.visibility ?? 'private',
    created_at: now,
  })
}
