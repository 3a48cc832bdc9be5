/** Test bench of the room chapter: people with devices, nodes, and replicas of a room's graph. */
import { crypto as realCrypto } from '../../testing/crypto.ts'
import type { Crypto } from '../../crypto.ts'
import { bytesEqual, concatBytes, toBase64Url, toUtf8 } from '../../encoding/index.ts'
import { sealClearEnvelope, sealEnvelope } from '../../envelope/index.ts'
import type { EnvelopeDraft, NodeEnvelope, SealedClearEnvelope } from '../../envelope/index.ts'
import type { LocalDevice } from '../../prekeys/index.ts'
import { checkEvent } from '../accept.ts'
import type { AcceptResult } from '../accept.ts'
import { selectAuthEvents } from '../auth.ts'
import {
  createBody,
  historyVisibilityBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  nameBody,
  powerBody,
  sealRoster,
  statePosition,
} from '../builders.ts'
import type { StateBody } from '../builders.ts'
import type { PowerContent } from '../content.ts'
import { makeEvent, originTsAfter } from '../event.ts'
import type { NodeKey, RoomEvent } from '../event.ts'
import { createRoomGraph } from '../resolve.ts'
import type { RoomGraph } from '../resolve.ts'
import { emptyState, expectedRosterHash } from '../state.ts'
import type { RoomState } from '../state.ts'

export { realCrypto }

/** Real hashes, toy signatures: for tests of many events, in which nobody forges one. */
export const quickCrypto: Crypto = {
  ...realCrypto,
  ed25519PublicKey: (secret) => realCrypto.sha256(secret),
  ed25519Sign: (secret, message) => quickSignature(realCrypto.sha256(secret), message),
  ed25519Verify: (key, message, sig) => bytesEqual(quickSignature(key, message), sig),
  ed25519IsAdmissible: () => true,
}

function quickSignature(key: Uint8Array, message: Uint8Array): Uint8Array {
  const half = realCrypto.sha256(concatBytes(key, message))
  return concatBytes(half, half)
}

export interface Person {
  readonly member: string
  readonly userId: string
  readonly server: string
  readonly local: LocalDevice
  /** Of the manifest. */
  head: string
  height: number
  seq: number
  prevOwn: string | null
}

export interface Lab {
  readonly crypto: Crypto
  now: number
  nodeKey(server: string): NodeKey
  nodePublicKey(server: string): Uint8Array
  person(name: string, server: string): Person
  random(length: number): Uint8Array
}

export function createLab(crypto: Crypto = realCrypto): Lab {
  let counter = 0
  const draw = (text: string): Uint8Array => realCrypto.sha256(toUtf8(text))
  return {
    crypto,
    now: 1_700_000_000_000,
    nodeKey: (server) => ({ keyId: 'ed25519:1', secret: draw(`node ${server}`) }),
    nodePublicKey: (server) => crypto.ed25519PublicKey(draw(`node ${server}`)),
    person: (name, server) => {
      const id = `${name} ${server}`
      const secret = draw(`ed25519 ${id}`)
      const head = toBase64Url(draw(`head ${id} 0`))
      const member = toBase64Url(draw(`member ${id}`))
      return {
        member,
        userId: `@${name}:${server}`,
        server,
        head,
        height: 0,
        seq: 0,
        prevOwn: null,
        local: {
          member,
          device: toBase64Url(draw(`device ${id}`).subarray(0, 12)),
          head,
          ed25519: crypto.ed25519PublicKey(secret),
          ed25519Secret: secret,
          x25519: draw(`x25519 ${id}`),
          x25519Secret: secret,
          minSuite: 1,
        },
      }
    },
    random: (length) => draw(`random ${counter++}`).subarray(0, length),
  }
}

/** A further device of the same account. */
export function secondDevice(lab: Lab, person: Person, name: string): Person {
  const other = lab.person(`${person.userId.slice(1).split(':')[0] ?? ''}.${name}`, person.server)
  const { member, userId } = person
  return { ...other, member, userId, local: { ...other.local, member } }
}

export function advanceManifest(person: Person): void {
  person.height += 1
  person.head = toBase64Url(realCrypto.sha256(toUtf8(`${person.head} ${person.height}`)))
}

/** One copy of a room's graph. */
export interface Replica {
  readonly lab: Lab
  readonly events: Map<string, RoomEvent>
  extremities: string[]
  graph: RoomGraph
}

export function createReplica(lab: Lab): Replica {
  const events = new Map<string, RoomEvent>()
  return {
    lab,
    events,
    extremities: [],
    graph: createRoomGraph({ getEvent: (id) => events.get(id) }),
  }
}

export function copyOf(replica: Replica): Replica {
  const copy = createReplica(replica.lab)
  for (const event of replica.events.values()) copy.events.set(event.id, event)
  copy.extremities = [...replica.extremities]
  return copy
}

export function stateNow(replica: Replica): RoomState {
  return replica.graph.resolve(replica.extremities)
}

/** Accepts an event whose ancestors are there. */
export function receive(replica: Replica, event: RoomEvent): AcceptResult {
  const { events, graph, lab } = replica
  const find = (ids: readonly string[]): RoomEvent[] => ids.flatMap((id) => events.get(id) ?? [])
  const { prev_events, auth_events, origin } = event.pdu.event
  const result = checkEvent(lab.crypto, event, {
    authEvents: find(auth_events),
    parents: find(prev_events),
    stateBefore: graph.stateBefore(event),
    originKey: lab.nodePublicKey(origin),
  })
  if (!result.ok) return result
  events.set(event.id, event)
  replica.extremities = replica.extremities.filter((id) => !prev_events.includes(id))
  replica.extremities.push(event.id)
  return result
}

/** Everything of `from` that `to` lacks, parents first. */
export function sync(to: Replica, from: Replica): void {
  for (const event of from.events.values())
    if (!to.events.has(event.id)) expectOk(receive(to, event))
}

export interface Placement {
  /** Default: the replica's extremities. */
  readonly at?: readonly string[]
  /** Default: the state at `at`. */
  readonly authState?: RoomState
  readonly origin?: string
  readonly originTs?: number
}

export type Draft = Partial<EnvelopeDraft> & {
  readonly state_key?: string
  readonly replaces?: string | null
  readonly basis?: readonly string[]
}

export function sealState(
  lab: Lab,
  person: Person,
  state: RoomState,
  body: StateBody,
  changes: Draft = {},
): SealedClearEnvelope {
  const position = statePosition(lab.crypto, state, person.member, body)
  const { state_key, replaces, basis, ...draft } = {
    ...position.state,
    room: position.room,
    roster: position.roster,
    ...nextOf(lab, person),
    type: body.type,
    ...changes,
  }
  const result = sealClearEnvelope({
    crypto: lab.crypto,
    local: person.local,
    draft,
    state: { state_key, replaces, basis },
    content: body.content,
  })
  if (!result.ok) throw new Error(result.code)
  return advance(person, result.sealed)
}

export function sealMessage(lab: Lab, person: Person, state: RoomState, changes: Draft = {}) {
  const result = sealEnvelope({
    crypto: lab.crypto,
    random: (length) => lab.random(length),
    local: person.local,
    draft: { ...messageDraft(lab, person, state, 'e.message'), ...changes },
    content: { v: 1, kind: 'text', text: 'hello' },
  })
  if (!result.ok) throw new Error(result.code)
  return advance(person, result.sealed)
}

export function sealRedaction(lab: Lab, person: Person, state: RoomState, target: string) {
  const result = sealClearEnvelope({
    crypto: lab.crypto,
    local: person.local,
    draft: messageDraft(lab, person, state, 'e.redaction'),
    content: { target },
  })
  if (!result.ok) throw new Error(result.code)
  return advance(person, result.sealed)
}

function messageDraft(lab: Lab, person: Person, state: RoomState, type: string): EnvelopeDraft {
  const created = state.events.get('e.room.create')?.get('')
  return {
    room: created?.roomId ?? '',
    roster: expectedRosterHash(lab.crypto, state, person.member),
    ...nextOf(lab, person),
    type,
  }
}

function nextOf(lab: Lab, person: Person) {
  return { seq: person.seq, prev_own: person.prevOwn, ts: lab.now }
}

function advance<T extends SealedClearEnvelope>(person: Person, sealed: T): T {
  person.seq += 1
  person.prevOwn = sealed.id
  return sealed
}

/** What the origin node makes of a sealed envelope; nothing is checked yet. */
export function place(
  replica: Replica,
  sealed: Pick<SealedClearEnvelope, 'header' | 'body'> & { readonly sig: string | null },
  origin: string,
  placement: Placement = {},
): RoomEvent {
  const { lab, graph, events } = replica
  const at = placement.at ?? replica.extremities
  const authState = placement.authState ?? (at.length === 0 ? emptyState : graph.resolve(at))
  const parents = at.flatMap((id) => events.get(id) ?? [])
  lab.now += 1
  return makeEvent(lab.crypto, {
    envelope: sealed.header,
    body: sealed.body,
    sig: sealed.sig,
    prevEvents: at,
    authEvents: selectAuthEvents(authState, sealed.header).map((event) => event.id),
    origin: placement.origin ?? origin,
    originTs: placement.originTs ?? originTsAfter(lab.now, parents),
    nodeKey: lab.nodeKey(placement.origin ?? origin),
  })
}

/** Seals, places and receives; throws where refused. */
export function act(replica: Replica, person: Person, body: StateBody, at?: readonly string[]) {
  const event = attempt(replica, person, body, at)
  expectOk(receive(replica, event))
  return event
}

/** Seals and places. */
export function attempt(
  replica: Replica,
  person: Person,
  body: StateBody,
  at?: readonly string[],
): RoomEvent {
  const where = at ?? replica.extremities
  const state = where.length === 0 ? emptyState : replica.graph.resolve(where)
  const sealed = sealState(replica.lab, person, state, body)
  return place(replica, sealed, person.server, { at: where })
}

/** What a device of `person` makes of a body at this state, outside any graph. */
export function eventAt(
  lab: Lab,
  person: Person,
  state: RoomState,
  body: StateBody,
  changes: Draft = {},
): RoomEvent {
  return outsideAnyGraph(lab, sealState(lab, person, state, body, changes), person.server)
}

export function messageAt(
  lab: Lab,
  person: Person,
  state: RoomState,
  changes: Draft = {},
): RoomEvent {
  return outsideAnyGraph(lab, sealMessage(lab, person, state, changes), person.server)
}

/** What the home node of `person` states of them at this state, outside any graph. */
export function rosterAt(
  lab: Lab,
  person: Person,
  state: RoomState,
  options: { readonly devices?: readonly Person[]; readonly node?: string } = {},
): RoomEvent {
  const { node = person.server } = options
  return outsideAnyGraph(lab, sealedRoster(lab, person, state, { ...options, node }), node)
}

/** What `origin` makes of a sealed envelope, with no parents and no auth events. */
export function outsideAnyGraph(
  lab: Lab,
  sealed: Pick<SealedClearEnvelope, 'header' | 'body'> & { readonly sig: string | null },
  origin: string,
): RoomEvent {
  return makeEvent(lab.crypto, {
    envelope: sealed.header,
    body: sealed.body,
    sig: sealed.sig,
    prevEvents: [],
    authEvents: [],
    origin,
    originTs: lab.now,
    nodeKey: lab.nodeKey(origin),
  })
}

export function say(replica: Replica, person: Person, at?: readonly string[]): RoomEvent {
  const where = at ?? replica.extremities
  const sealed = sealMessage(replica.lab, person, replica.graph.resolve(where))
  const event = place(replica, sealed, person.server, { at: where })
  expectOk(receive(replica, event))
  return event
}

export function rosterEvent(
  replica: Replica,
  person: Person,
  options: Placement & { readonly devices?: readonly Person[] } = {},
): RoomEvent {
  const { lab } = replica
  const at = options.at ?? replica.extremities
  const node = options.origin ?? person.server
  const state = options.authState ?? replica.graph.resolve(at)
  const sealed = sealedRoster(lab, person, state, { ...options, node })
  return place(replica, sealed, node, { ...options, at })
}

function sealedRoster(
  lab: Lab,
  person: Person,
  state: RoomState,
  { node, devices = [person] }: { readonly node: string; readonly devices?: readonly Person[] },
): NodeEnvelope {
  return sealRoster({
    crypto: lab.crypto,
    state,
    node,
    member: person.member,
    now: lab.now,
    content: {
      user_id: person.userId,
      head: person.head,
      height: person.height,
      devices: devices.map(({ local }) => ({
        id: local.device,
        ed25519: toBase64Url(local.ed25519),
      })),
    },
  })
}

export function setRoster(
  replica: Replica,
  person: Person,
  options: Placement & { readonly devices?: readonly Person[] } = {},
): RoomEvent {
  const event = rosterEvent(replica, person, options)
  expectOk(receive(replica, event))
  return event
}

/** create → member → roster → power → join_rules → history_visibility → name. */
export function foundRoom(
  lab: Lab,
  creator: Person,
  levels: Partial<PowerContent> = {},
  joinRule: 'invite' | 'public' | 'knock' = 'invite',
): Replica {
  const replica = createReplica(lab)
  act(replica, creator, createBodyOf(lab, creator))
  act(replica, creator, joinBody(creator.member, creator.userId))
  setRoster(replica, creator)
  act(replica, creator, powerBody(levels))
  act(replica, creator, joinRulesBody(joinRule))
  act(replica, creator, historyVisibilityBody('joined'))
  act(replica, creator, nameBody('Test'))
  return replica
}

export function createBodyOf(lab: Lab, creator: Person): StateBody {
  return createBody(
    {
      kind: 'group',
      visibility: 'private',
      creator: creator.userId,
      server: creator.server,
      founder: {
        head: creator.head,
        height: creator.height,
        ed25519: toBase64Url(creator.local.ed25519),
      },
    },
    (length) => lab.random(length),
  )
}

/** Invitation, roster, join. */
export function bringIn(replica: Replica, host: Person, guest: Person): void {
  act(replica, host, inviteBody(guest.member, guest.userId))
  enter(replica, guest)
}

/** Roster and join. */
export function enter(replica: Replica, guest: Person): void {
  setRoster(replica, guest)
  act(replica, guest, joinBody(guest.member, guest.userId))
}

export function expectOk(result: AcceptResult): void {
  if (!result.ok) throw new Error(`refused: ${result.code}`)
}
