/**
 * Which server is told what (Federation §15): own events to every server in the room, each with the wraps for
 * its own devices and no others; invitations with what it takes to check them; receipts, manifests, names.
 * What is said here waits in the database until it is delivered.
 */
import {
  homeServerOf,
  joinedMembers,
  lapsedIn,
  parseUserId,
  readContent,
  selectAuthEvents,
  stateEvent,
  STATE_TYPES,
  stateEvents,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { JsonObject, RoomEvent, RoomState } from '../../src-shared/protocol/index.ts'
import { MAX_INVITE_STATE } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { toEvent, toPdu } from '../rooms/stored-event.ts'
import type { WrapText } from '../rooms/stored-event.ts'
import type { Tx } from '../storage/index.ts'
import { isAdmitted } from './admission.ts'
import type { WaitingEvent, WaitingInvite } from './waiting.ts'

interface Around {
  readonly before: RoomState
  readonly after: RoomState
  readonly wraps: readonly WrapText[]
}

export async function announceEvent(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  around: Around,
): Promise<void> {
  const { config } = context
  if (config.federation.mode === 'isolated') return
  if (event.pdu.event.origin === config.serverName) await spread(context, tx, event, around)
  await welcome(context, tx, event, around)
}

/** An event of this server's, to all others that are or just were in the room. */
async function spread(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  { before, after, wraps }: Around,
): Promise<void> {
  const resident = new Set([...residents(before), ...residents(after)])
  const affected = affectedServer(event)
  for (const server of resident) {
    if (!isOther(context, server)) continue
    const own = wraps.filter(({ member }) =>
      context.guards.holds('wrap_home', homeServerOf(after, member) === server),
    )
    const item: WaitingEvent = { event: event.id, wraps: own.map(({ text }) => text) }
    await wait(context, tx, server, 'event', item, event.id)
  }
  if (affected === null || resident.has(affected) || !isOther(context, affected)) return
  const item = await invitationOf(context, tx, event, after)
  await wait(context, tx, affected, 'invite', item, event.id)
}

/**
 * Servers have come into the room: by a join, or because what had removed their members is out of force. What was
 * sent meanwhile went past them; so they are told of the ends of the graph, and fetch what those rest on.
 */
async function welcome(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  { before, after }: Around,
): Promise<void> {
  const there = residents(before)
  const { serverName } = context.config
  const now = residents(after)
  const come = [...now].filter((server) => !there.has(server) && isOther(context, server))
  if (come.length === 0 || !now.has(serverName)) return
  const { origin } = event.pdu.event
  for (const id of await tx.events.extremities(event.roomId))
    for (const server of come) {
      // Its maker has it, and everybody in the room gets it from there.
      if (id === event.id && (server === origin || origin === serverName)) continue
      await wait(context, tx, server, 'event', { event: id, wraps: [] } satisfies WaitingEvent, id)
    }
}

/** Open invitations of a server that may have lost them. */
export async function inviteAgain(
  context: Context,
  tx: Tx,
  room: string,
  members: readonly { readonly event_id: string; readonly server: string }[],
): Promise<void> {
  const current = await context.roomStates.current(tx, room)
  if (current === undefined) return
  for (const { event_id: id, server } of members) {
    const [row] = await tx.events.byIds([id])
    // Who did not make it does not send it.
    if (row?.membership !== 'invite' || row.origin !== context.config.serverName) continue
    const event = toEvent(context.crypto, row)
    const item = await invitationOf(context, tx, event, current.state)
    await wait(context, tx, server, 'invite', item, id)
  }
}

/** Something that is no room event, to every server that shares a room with the member. */
export async function tellServersAround(
  context: Context,
  tx: Tx,
  member: string,
  kind: 'manifest' | 'profile',
  item: JsonObject,
): Promise<void> {
  for (const server of await tx.rooms.serversAround(member))
    if (isOther(context, server)) await wait(context, tx, server, kind, item)
}

export async function tellResidents(
  context: Context,
  tx: Tx,
  room: string,
  kind: 'receipt',
  item: JsonObject,
): Promise<void> {
  for (const server of await tx.rooms.servers(room, ['join']))
    if (isOther(context, server)) await wait(context, tx, server, kind, item)
}

/** Said once, to those that answer now; never kept, never tried again. */
export function whisperToServers(
  context: Context,
  servers: readonly string[],
  said: { readonly room: string; readonly member: string; readonly timeout: number },
): void {
  for (const server of servers)
    if (isOther(context, server)) {
      const id = toBase64Url(context.random(16))
      context.outbound.whisper(server, { kind: 'typing', id, ...said })
    }
}

export async function tellServer(
  context: Context,
  tx: Tx,
  server: string,
  kind: 'to_device',
  item: JsonObject,
): Promise<void> {
  await wait(context, tx, server, kind, item)
}

async function wait(
  context: Context,
  tx: Tx,
  server: string,
  kind: string,
  item: object,
  id: string = toBase64Url(context.random(16)),
): Promise<void> {
  await tx.federation.enqueue(server, { id, kind, item: JSON.stringify(item) }, context.now())
}

function isOther({ config }: Context, server: string): boolean {
  return server !== config.serverName && isAdmitted(config.federation, server)
}

const known = new WeakMap<RoomState, ReadonlySet<string>>()

/** Servers of the joined. */
function residents(state: RoomState): ReadonlySet<string> {
  const before = known.get(state)
  if (before !== undefined) return before
  const servers = new Set(
    joinedMembers(state).flatMap((member) => homeServerOf(state, member) ?? []),
  )
  known.set(state, servers)
  return servers
}

/** Home of the member that a membership event is about. */
function affectedServer(event: RoomEvent): string | null {
  const content = readContent(event, STATE_TYPES.member)
  return content === null ? null : (parseUserId(content.user_id)?.server ?? null)
}

/** Shown to the invited: the room's own facts, and who invites; the rest of the members is not for them yet. */
const SHOWN: ReadonlySet<string> = new Set([
  STATE_TYPES.create,
  STATE_TYPES.power,
  STATE_TYPES.joinRules,
  STATE_TYPES.historyVisibility,
  STATE_TYPES.name,
  STATE_TYPES.topic,
  STATE_TYPES.avatar,
])

/** With what the event rests on, led by what that rests on. */
async function invitationOf(
  context: Context,
  tx: Tx,
  event: RoomEvent,
  state: RoomState,
): Promise<WaitingInvite> {
  const wanted = stateEvents(state).filter(({ header }) => SHOWN.has(header.type))
  const { member } = event.header
  for (const type of [STATE_TYPES.member, STATE_TYPES.roster]) {
    const sender = stateEvent(state, type, member)
    if (sender !== undefined) wanted.push(sender)
  }
  wanted.push(...selectAuthEvents(state, event.header))
  const found = new Map<string, RoomEvent>()
  let next = wanted.map(({ id }) => id)
  next.push(...event.pdu.event.auth_events)
  while (next.length > 0 && found.size < MAX_INVITE_STATE) {
    const rows = await tx.events.byIds(next.filter((id) => id !== event.id))
    for (const row of rows) found.set(row.event_id, toEvent(context.crypto, row))
    next = rows
      .flatMap((row) => toPdu(row).event.auth_events)
      .filter((id, index, all) => !found.has(id) && all.indexOf(id) === index)
  }
  // Later under one key is the current one; those that are not current come first.
  const current = new Set(wanted.map(({ id }) => id))
  const all = [...found.values()]
  const ordered = [
    ...all.filter(({ id }) => !current.has(id)),
    ...all.filter(({ id }) => current.has(id)),
  ]
  const shown = ordered.slice(0, MAX_INVITE_STATE)
  return {
    event: event.id,
    state: shown.map(({ pdu }) => JSON.stringify(pdu)),
    lapsed: lapsedIn(state, shown),
  }
}
