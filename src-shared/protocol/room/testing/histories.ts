/** Histories of rooms: three copies of one that drift apart and meet again, as arbitrary moves say. */
import fc from 'fast-check'
import {
  banBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  leaveBody,
  memberPowerBody,
  nameBody,
  powerBody,
  topicBody,
} from '../builders.ts'
import type { StateBody } from '../builders.ts'
import { powerLevels, userIdOf } from '../state.ts'
import type { RoomState } from '../state.ts'
import {
  act,
  advanceManifest,
  attempt,
  bringIn,
  copyOf,
  createBodyOf,
  createReplica,
  foundRoom,
  place,
  receive,
  rosterEvent,
  sealMessage,
  setRoster,
  stateNow,
  sync,
} from './lab.ts'
import type { Lab, Person, Replica } from './lab.ts'

export interface Cast {
  readonly room: Replica
  readonly alice: Person
  readonly admin: Person
  readonly mod: Person
  readonly bob: Person
  /** Not in the room. */
  readonly carol: Person
}

/** Alice made the room; the others are in with the power that their names say. */
export function newRoom(lab: Lab): Cast {
  const alice = lab.person('alice', 'a.example')
  const admin = lab.person('admin', 'b.example')
  const mod = lab.person('mod', 'c.example')
  const bob = lab.person('bob', 'a.example')
  const carol = lab.person('carol', 'c.example')
  const room = foundRoom(lab, alice, { events: { 'e.room.power': 50 } })
  for (const person of [admin, mod, bob]) bringIn(room, alice, person)
  act(room, alice, memberPowerBody(stateNow(room), admin.member, 100))
  act(room, alice, memberPowerBody(stateNow(room), mod.member, 50))
  return { room, alice, admin, mod, bob, carol }
}

/** The same people in a room that has neither power levels nor a join rule yet. */
export function bareRoom(lab: Lab): Cast {
  const [alice, admin, mod, bob, carol] = [
    lab.person('alice', 'a.example'),
    lab.person('admin', 'b.example'),
    lab.person('mod', 'c.example'),
    lab.person('bob', 'a.example'),
    lab.person('carol', 'c.example'),
  ]
  const room = createReplica(lab)
  act(room, alice, createBodyOf(lab, alice))
  act(room, alice, joinBody(alice.member, alice.userId))
  setRoster(room, alice)
  for (const person of [admin, mod, bob]) bringIn(room, alice, person)
  return { room, alice, admin, mod, bob, carol }
}

export const move = fc.record({
  replica: fc.nat(2),
  actor: fc.nat(5),
  target: fc.nat(5),
  what: fc.nat(14),
  level: fc.constantFrom(0, 10, 50, 100),
})
export interface Move {
  readonly replica: number
  readonly actor: number
  readonly target: number
  readonly what: number
  readonly level: number
}

/** After the room was begun. */
const BEGINNING = 1_700_000_100_000

/** Three copies drift apart and meet again as the moves say; the result: everything there is. */
export function play(begun: Cast, moves: readonly Move[]): Replica {
  const { alice, admin, mod, bob, carol } = begun
  const { lab } = begun.room
  lab.now = BEGINNING
  const dave = lab.person('dave', 'd.example')
  const people = [alice, admin, mod, bob, carol, dave].map((person) => ({ ...person }))
  const room = copyOf(begun.room)
  const replicas = [room, copyOf(room), copyOf(room)]
  for (const { replica: at, actor, target, what, level } of moves) {
    const replica = replicas[at]
    const [person, other] = [people[actor], people[target]]
    if (replica === undefined || person === undefined || other === undefined) continue
    const state = stateNow(replica)
    if (what < 2) sync(replica, replicas[level % 3] ?? replica)
    else if (what === 14)
      receive(replica, place(replica, sealMessage(lab, person, state), person.server))
    else if (what === 2) {
      const own = { ...person }
      advanceManifest(own)
      if (receive(replica, rosterEvent(replica, own)).ok) advanceManifest(person)
    } else {
      const body = bodyOf(what, state, person, other, level)
      if (body !== null) receive(replica, attempt(replica, person, body))
      if (what === 4) receive(replica, rosterEvent(replica, other))
    }
  }
  for (const other of replicas) sync(room, other)
  return room
}

function bodyOf(
  what: number,
  state: RoomState,
  person: Person,
  other: Person,
  level: number,
): StateBody | null {
  switch (what) {
    case 3:
      return joinBody(person.member, person.userId)
    case 4:
      return inviteBody(other.member, other.userId)
    case 5:
      return leaveBody(person.member, person.userId)
    case 6:
      return userIdOf(state, other.member) === undefined ? null : kickBody(state, other.member)
    case 7:
      return userIdOf(state, other.member) === undefined ? null : banBody(state, other.member)
    case 8:
    case 9:
      return memberPowerBody(state, other.member, level)
    case 10:
      return powerBody({ ...powerLevels(state), invite: level, events: { 'e.room.power': 50 } })
    case 11:
      return joinRulesBody(level === 0 ? 'public' : 'invite')
    case 12:
      return nameBody(`name ${level}`)
    default:
      return topicBody(`topic ${level}`)
  }
}
