import { describe, expect, it } from 'vitest'
import { inviteBody, joinBody, kickBody, memberPowerBody, nameBody, topicBody } from './builders.ts'
import { readContent } from './event.ts'
import { mayReturn, reconcile } from './reconcile.ts'
import { membershipOf, sameState, stateEvent } from './state.ts'
import type { RoomState } from './state.ts'
import {
  act,
  bringIn,
  copyOf,
  createLab,
  foundRoom,
  quickCrypto,
  setRoster,
  stateNow,
  sync,
} from './testing/lab.ts'
import type { Person } from './testing/lab.ts'

/** Alice made the room; Bob may do most things in it, Carol nothing. */
function scene() {
  const lab = createLab(quickCrypto)
  const [alice, bob, carol, dan] = ['alice', 'bob', 'carol', 'dan'].map((name) =>
    lab.person(name, 'a.example'),
  ) as [Person, Person, Person, Person]
  const room = foundRoom(lab, alice)
  for (const one of [bob, carol]) bringIn(room, alice, one)
  act(room, alice, memberPowerBody(stateNow(room), bob.member, 50))
  act(room, alice, nameBody('Before'))
  return { alice, bob, carol, dan, room }
}

const nameIn = (state: RoomState): string | undefined => {
  const event = stateEvent(state, 'e.room.name')
  return event && readContent(event, 'e.room.name')?.name
}

describe('a state that the node tells anew', () => {
  it('is taken where resolution took back what somebody overruled had done', () => {
    const { alice, bob, dan, room } = scene()
    const other = copyOf(room)
    act(room, alice, kickBody(stateNow(room), bob.member))
    act(other, bob, nameBody('By Bob'))
    act(other, bob, topicBody('By Bob'))
    act(other, bob, inviteBody(dan.member, dan.userId))
    setRoster(other, dan)
    act(other, dan, joinBody(dan.member, dan.userId))
    const known = stateNow(other)
    sync(other, room)
    const told = stateNow(other)
    expect([nameIn(told), membershipOf(told, dan.member)]).toEqual(['Before', undefined])
    expect(sameState(reconcile(known, told, 'all'), told)).toBe(true)
  })

  it('brings nobody back, and no power, however old it is', () => {
    const { alice, bob, carol, room } = scene()
    const old = stateNow(room)
    act(room, alice, kickBody(stateNow(room), carol.member))
    act(room, alice, memberPowerBody(stateNow(room), bob.member, 0))
    act(room, alice, nameBody('After'))
    const known = stateNow(room)
    for (const given of ['all', 'part', 'some'] as const) {
      const state = reconcile(known, old, given)
      expect(membershipOf(state, carol.member)).toBe('leave')
      expect(stateEvent(state, 'e.room.power')).toEqual(stateEvent(known, 'e.room.power'))
      // A name rules nobody: here the node's word is enough.
      expect(nameIn(state)).toBe('Before')
    }
  })

  it('says nothing of what it was not to tell', () => {
    const { alice, room } = scene()
    const few = stateNow(copyOf(room))
    act(room, alice, topicBody('New'))
    const known = stateNow(room)
    const members = new Map([...few.events].filter(([type]) => type !== 'e.room.member'))
    expect(sameState(reconcile(known, { events: members }, 'some'), known)).toBe(true)
    const part = reconcile(known, { events: members }, 'part')
    expect(stateEvent(part, 'e.room.topic')).toBeUndefined()
    expect(part.events.get('e.room.member')).toEqual(known.events.get('e.room.member'))
  })
})

describe('an event that comes once more', () => {
  it('takes its place again where it rules nobody or is the latest', () => {
    const { alice, carol, room } = scene()
    const name = act(room, alice, nameBody('Again'))
    act(room, alice, nameBody('Later'))
    const joined = stateEvent(stateNow(room), 'e.room.member', carol.member)
    const kick = act(room, alice, kickBody(stateNow(room), carol.member))
    const state = stateNow(room)
    expect(mayReturn(name, state)).toBe(true)
    expect(mayReturn(kick, state)).toBe(true)
    expect(joined && mayReturn(joined, state)).toBe(false)
  })
})
