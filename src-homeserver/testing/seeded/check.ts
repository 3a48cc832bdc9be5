/**
 * What must hold when a seeded run is over, worked out anew from the events alone with the protocol's functions:
 * acceptance, resolution from the empty state, what is shown and to whom. Nothing a node has concluded is believed.
 */
import {
  applyEvent,
  checkAuth,
  checkEvent,
  createRoomGraph,
  creation,
  decodePdu,
  emptyState,
  fromBase64Url,
  joinedMembers,
  homeServerOf,
  isState,
  membershipOf,
  readContent,
  replayOrder,
  sameState,
  stateEvent,
  stateEvents,
  STATE_TYPES,
} from '../../../src-shared/protocol/index.ts'
import type {
  AcceptContext,
  Json,
  RoomEvent,
  RoomState,
} from '../../../src-shared/protocol/index.ts'
import { crypto } from '../../../conformance/device.ts'
import { toPdu } from '../../rooms/stored-event.ts'
import type { EventRow, Storage } from '../../storage/index.ts'
import type { Listener } from './listener.ts'
import type { Acknowledged, People } from './people.ts'

/** What a node has of the room, as it lies in its database. */
export interface Picture {
  readonly name: string
  /** In the order in which they came. */
  readonly rows: readonly EventRow[]
  /** Event ids, ascending. */
  readonly state: readonly string[]
  readonly ends: readonly string[]
  /** Public keys of other servers, by `server keyId`. */
  readonly keys: ReadonlyMap<string, Uint8Array>
}

export async function pictureOf(
  name: string,
  storage: Storage,
  room: string,
  servers: readonly string[],
): Promise<Picture> {
  return storage.read(async (tx) => {
    const rows = await tx.events.before(room, Number.MAX_SAFE_INTEGER, 100_000)
    const keys = new Map<string, Uint8Array>()
    for (const server of servers)
      for (const { key_id: id, ed25519 } of await tx.federation.keys(server))
        keys.set(`${server} ${id}`, fromBase64Url(ed25519))
    return {
      name,
      rows: rows.reverse(),
      state: [...(await tx.rooms.currentState(room))].sort(),
      ends: [...(await tx.events.extremities(room))].sort(),
      keys,
    }
  })
}

/** An event as it comes to be known at a node, and who there is told of it. */
interface Arrival {
  readonly event: RoomEvent
  readonly shown: boolean
  /** Members of the node. */
  readonly audience: readonly string[]
}

/** What an event and its ancestors alone decide, and is worked out once for all nodes. */
export class Verdicts {
  readonly #events = new Map<string, RoomEvent>()
  readonly #codes = new Map<string, string | null>()

  /** Throws where the row is damaged. */
  event(row: EventRow): RoomEvent {
    const key = `${row.event_id} ${row.body === null}`
    const known = this.#events.get(key)
    if (known !== undefined) return known
    const decoded = decodePdu(crypto, toPdu(row) as unknown as Json)
    if (!decoded.ok || decoded.event.id !== row.event_id) throw new Error('a damaged event')
    this.#events.set(key, decoded.event)
    return decoded.event
  }

  /** Why it must not be accepted; null: it must be. */
  refusal(event: RoomEvent, context: AcceptContext): string | null {
    const known = this.#codes.get(event.id)
    if (known !== undefined) return known
    const checked = checkEvent(crypto, event, context)
    const code = checked.ok ? null : checked.code
    this.#codes.set(event.id, code)
    return code
  }
}

export interface Run {
  readonly verdicts: Verdicts
  readonly people: People
  readonly pictures: readonly Picture[]
  /** Ids of events that break the rules, sent as if they did not. */
  readonly forged: ReadonlySet<string>
}

/** One line for each thing that is wrong. */
export function faultsOf(run: Run): string[] {
  const { people, pictures, verdicts } = run
  const faults: string[] = []
  const keys = new Map(pictures.flatMap((one) => [...one.keys]))
  const arrivals = new Map(
    pictures.map((one) => [one.name, replay(one, keys, run, (fault) => faults.push(fault))]),
  )
  const [first] = pictures
  if (first === undefined) return ['no nodes']
  const final = fromNothing(verdicts, first)
  const there = new Set(joinedMembers(final).map((member) => homeServerOf(final, member)))
  for (const picture of pictures) {
    // Who has no member in the room is told nothing of it any more.
    if (there.has(picture.name)) faults.push(...unlike(first, picture))
    else if (joinedHere(verdicts, picture).length > 0)
      faults.push(
        `${picture.name}: thinks that ${joinedHere(verdicts, picture).join(' ')} are in the room`,
      )
    const events = new Set(
      picture.rows.filter((row) => row.rejected === 0).map((row) => row.event_id),
    )
    for (const { eventId, by } of people.acknowledged.values())
      if (there.has(picture.name) && !events.has(eventId))
        faults.push(`${picture.name}: lacks ${eventId}, acknowledged to ${by.name}`)
  }
  for (const { node, device, state } of people.listeners)
    if (membershipOf(final, device.member) === 'join' && !sameState(state, final))
      faults.push(`${device.name} at ${node} was led to another state: ${differing(state, final)}`)
  for (const listener of people.listeners)
    faults.push(...misheard(listener, arrivals.get(listener.node) ?? [], people.acknowledged))
  faults.push(...unheard(run, arrivals, final))
  return faults
}

function unlike(first: Picture, other: Picture): string[] {
  const accepted = ({ rows }: Picture): string[] =>
    rows
      .filter((row) => row.rejected === 0)
      .map((row) => row.event_id)
      .sort()
  const compare = (what: string, a: readonly string[], b: readonly string[]): string[] => {
    const [mine, theirs] = [new Set(a), new Set(b)]
    const differing = [...a.filter((id) => !theirs.has(id)), ...b.filter((id) => !mine.has(id))]
    return differing.length === 0
      ? []
      : [`${first.name} and ${other.name} differ in their ${what}: ${differing.join(' ')}`]
  }
  return [
    ...compare('events', accepted(first), accepted(other)),
    ...compare('state', first.state, other.state),
    ...compare('ends', first.ends, other.ends),
  ]
}

/** Goes through a node's events in its order, judging each, and compares what the node says of it. */
function replay(
  { name, rows, state, ends }: Picture,
  keys: ReadonlyMap<string, Uint8Array>,
  { forged, verdicts }: Run,
  wrong: (fault: string) => void,
): Arrival[] {
  const events = new Map<string, RoomEvent>()
  const envelopes = new Set<string>()
  const graph = createRoomGraph({ getEvent: (id) => events.get(id) })
  const open = new Set<string>()
  const arrivals: Arrival[] = []
  let before: RoomState = emptyState
  for (const row of rows) {
    const event = verdicts.event(row)
    const { id, pdu, header } = event
    const { prev_events: prev, auth_events: auth, origin } = pdu.event
    if (row.rejected === 1) {
      if (!forged.has(id)) wrong(`${name}: rejected ${header.type} ${id}, which was honest`)
      continue
    }
    const known = (ids: readonly string[]): RoomEvent[] =>
      ids.flatMap((one) => events.get(one) ?? [])
    if (known([...prev, ...auth]).length < prev.length + auth.length) {
      wrong(`${name}: ${id} stands before what it rests on`)
      continue
    }
    const stateBefore = graph.resolve(prev)
    const code = verdicts.refusal(event, {
      authEvents: known(auth),
      parents: known(prev),
      stateBefore,
      originKey: keys.get(`${origin} ${pdu.event_sig.key_id}`) ?? new Uint8Array(32),
    })
    if (code !== null) wrong(`${name}: accepted ${header.type} ${id} in spite of ${code}`)
    events.set(id, event)
    for (const one of prev) open.delete(one)
    open.add(id)
    const after = open.size === 1 ? applyEvent(stateBefore, event) : graph.resolve([...open])
    const repeated = !isState(event) && envelopes.has(event.envelopeId)
    envelopes.add(event.envelopeId)
    const { type, state_key: stateKey } = header
    const inForce =
      stateKey === undefined
        ? checkAuth(event, before).ok
        : stateEvent(after, type, stateKey)?.id === id
    const shown = inForce && !repeated
    if ((row.soft_failed === 0) !== shown)
      wrong(`${name}: ${type} ${id} is ${shown ? 'hidden' : 'shown'} and should not be`)
    if ((row.sole === 1) !== (open.size === 1)) wrong(`${name}: ${id} is wrongly marked as an end`)
    arrivals.push({ event, shown, audience: shown ? audienceOf(name, event, after) : [] })
    before = after
  }
  const resolved = stateEvents(fromNothing(verdicts, { rows })).map(({ id }) => id)
  if (resolved.sort().join() !== state.join()) wrong(`${name}: its state is not that of its events`)
  if ([...open].sort().join() !== ends.join())
    wrong(`${name}: its ends are not those of its events`)
  return arrivals
}

/** Everyone there who is in the room; whom a membership is about; and who has just made the room. */
function audienceOf(server: string, event: RoomEvent, after: RoomState): string[] {
  const here = joinedMembers(after).filter((member) => homeServerOf(after, member) === server)
  const audience = new Set(here)
  const about = readContent(event, STATE_TYPES.member)
  const target = event.header.state_key
  if (about !== null && target !== undefined && about.user_id.endsWith(`:${server}`)) {
    audience.add(target)
    // An invitation is the state that comes with it, and no event of the timeline.
    if (about.membership === 'invite') audience.delete(target)
  }
  const made = creation(after)
  if (made?.content.server === server && membershipOf(after, made.creator) === undefined)
    audience.add(made.creator)
  return [...audience]
}

/** As the draft says it, without any shortcut: everything replayed from the empty state (Room state §8.8). */
function fromNothing(verdicts: Verdicts, { rows }: Pick<Picture, 'rows'>): RoomState {
  const accepted = rows.filter((row) => row.rejected === 0).map((row) => verdicts.event(row))
  const byId = new Map(accepted.map((event) => [event.id, event]))
  return replayOrder(accepted, { getEvent: (id) => byId.get(id) }).reduce(
    (state, event) => (checkAuth(event, state).ok ? applyEvent(state, event) : state),
    emptyState,
  )
}

function joinedHere(verdicts: Verdicts, { name, rows, state }: Picture): string[] {
  const current = new Set(state)
  return rows
    .filter((row) => current.has(row.event_id))
    .flatMap((row) => {
      const event = verdicts.event(row)
      const content = readContent(event, STATE_TYPES.member)
      const here = content?.membership === 'join' && content.user_id.endsWith(`:${name}`)
      return here ? [content.user_id] : []
    })
}

function differing(a: RoomState, b: RoomState): string {
  const of = (one: RoomState) => new Map(stateEvents(one).map((event) => [event.id, event]))
  const [mine, theirs] = [of(a), of(b)]
  const only = [
    ...[...mine.values()].filter(({ id }) => !theirs.has(id)),
    ...[...theirs.values()].filter(({ id }) => !mine.has(id)),
  ]
  return only.map(({ id, header }) => `${header.type} ${id}`).join(', ')
}

/** A device is told what its member is to be told, nothing else; and each of its wraps once. */
function misheard(
  { device, node, told, late }: Listener,
  arrivals: readonly Arrival[],
  acknowledged: ReadonlyMap<string, Acknowledged>,
): string[] {
  const who = `${device.name} at ${node}`
  const faults: string[] = []
  const due = new Set<string>()
  for (const { event, audience } of arrivals) {
    if (!audience.includes(device.member)) continue
    due.add(event.envelopeId)
    const { times = 0, wraps = 0 } = told.get(event.envelopeId) ?? {}
    const own = acknowledged.get(event.id)?.wraps ?? []
    const wrapped = own.some((wrap) => wrap.member === device.member && wrap.device === device.id)
    // A device that came later need not be shown what was before it; nobody has wrapped that for it.
    if (times === 0 && (wrapped || !late))
      faults.push(`${who} was not told of ${event.header.type} ${event.id}`)
    if (wraps !== (wrapped ? 1 : 0)) faults.push(`${who} got ${wraps} wraps of ${event.id}`)
    // Once more where its wrap came after it.
    if (times > (wrapped ? 2 : 1)) faults.push(`${who} was told of ${event.id} ${times} times`)
  }
  const byEnvelope = new Map(arrivals.map((one) => [one.event.envelopeId, one]))
  for (const id of told.keys()) {
    if (due.has(id)) continue
    const { event, shown } = byEnvelope.get(id) ?? {}
    const why =
      event === undefined ? 'is unknown' : shown === true ? 'was not for them' : 'is out of force'
    faults.push(`${who} was told of ${event?.header.type} ${event?.id ?? id}, which ${why}`)
  }
  return faults
}

/** Between people whom nobody has ever touched nothing may be out of force, in whatever order it came. */
function unheard(
  { people, pictures }: Run,
  arrivals: ReadonlyMap<string, readonly Arrival[]>,
  final: RoomState,
): string[] {
  const [first] = pictures
  const changes = new Map<string, number>()
  for (const { type, state_key: member, membership } of first?.rows ?? [])
    if (type === STATE_TYPES.member && member !== null && membership !== 'join')
      changes.set(member, (changes.get(member) ?? 0) + (membership === 'invite' ? 1 : 2))
  // Everyone but the first was invited once.
  const touched = new Set([...changes].filter(([, count]) => count > 1).map(([member]) => member))
  const constant = people.all.filter(
    ({ device: { member } }) => !touched.has(member) && membershipOf(final, member) === 'join',
  )
  const faults: string[] = []
  for (const { eventId, by, wraps } of people.acknowledged.values()) {
    if (wraps.length === 0 || !constant.includes(by)) continue
    for (const { node, device } of constant) {
      if (!wraps.some((wrap) => wrap.member === device.member)) continue
      const arrival = arrivals.get(node)?.find(({ event }) => event.id === eventId)
      if (arrival?.audience.includes(device.member) !== true)
        faults.push(
          `${eventId} of ${by.name} was not for ${device.name}, who was there all the time`,
        )
    }
  }
  return faults
}
