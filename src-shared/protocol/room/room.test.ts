import { describe, expect, it } from 'vitest'
import { redactionApplies } from './auth.ts'
import {
  createBody,
  kickBody,
  leaveBody,
  memberPowerBody,
  nameBody,
  topicBody,
} from './builders.ts'
import { readContent, redact } from './event.ts'
import {
  canInvite,
  canKick,
  canRedact,
  canSend,
  canSetPower,
  CREATOR_POWER,
  currentRosterHash,
  historyVisibilityOf,
  joinedMembers,
  joinRuleOf,
  membershipOf,
  members,
  powerOf,
  rosterOf,
  rosterPairs,
  stateEvent,
} from './state.ts'
import {
  act,
  advanceManifest,
  bringIn,
  createLab,
  foundRoom,
  place,
  receive,
  say,
  sealRedaction,
  secondDevice,
  setRoster,
  stateNow,
} from './testing/lab.ts'

const lab = createLab()
const alice = lab.person('alice', 'a.example')
const bob = lab.person('bob', 'b.example:8449')
const carol = lab.person('carol', '[2001:db8::1]:9000')
const room = foundRoom(lab, alice)
bringIn(room, alice, bob)
bringIn(room, bob, carol)

describe('a group room', () => {
  it('holds its members, whatever servers they live on', () => {
    const state = stateNow(room)
    expect(joinedMembers(state)).toEqual([alice, bob, carol].map((p) => p.member).sort())
    expect(members(state).find(({ member }) => member === carol.member)).toEqual({
      member: carol.member,
      userId: '@carol:[2001:db8::1]:9000',
      server: '[2001:db8::1]:9000',
      membership: 'join',
    })
    expect(joinRuleOf(state)).toBe('invite')
    expect(historyVisibilityOf(state)).toBe('joined')
  })

  it('names its create envelope and its server in its id', () => {
    const created = stateEvent(stateNow(room), 'e.room.create')
    expect(created?.roomId).toBe(`!${created?.envelopeId ?? ''}:a.example`)
    for (const event of room.events.values()) expect(event.roomId).toBe(created?.roomId)
  })

  it('ranks its creator above every listed power', () => {
    const state = stateNow(room)
    expect(powerOf(state, alice.member)).toBe(CREATOR_POWER)
    expect(powerOf(state, bob.member)).toBe(0)
    expect(canKick(state, alice.member, bob.member)).toBe(true)
    expect(canKick(state, bob.member, carol.member)).toBe(false)
    expect(canSend(state, bob.member, 'e.message')).toBe(true)
    expect(canSend(state, bob.member, 'e.room.name', true)).toBe(false)
    expect(canInvite(state, bob.member, 'x'.repeat(42) + 'A')).toBe(true)
    expect(canSetPower(state, alice.member, bob.member, 100)).toBe(true)
    expect(canRedact(state, bob.member, carol.member)).toBe(false)
    expect(canRedact(state, bob.member, bob.member)).toBe(true)
  })

  it('accepts messages of every member', () => {
    for (const person of [alice, bob, carol]) say(room, person)
    expect(room.extremities).toHaveLength(1)
  })

  it('has a roster hash that follows a member’s manifest', () => {
    const before = currentRosterHash(lab.crypto, stateNow(room))
    advanceManifest(bob)
    const laptop = secondDevice(lab, bob, 'laptop')
    setRoster(room, bob, { devices: [bob, laptop] })
    const state = stateNow(room)
    expect(rosterPairs(state)).toContainEqual({ member: bob.member, head: bob.head })
    expect(currentRosterHash(lab.crypto, state)).not.toBe(before)
    expect(rosterOf(state, bob.member)?.devices).toHaveLength(2)
    say(room, laptop)
    say(room, bob)
  })

  it('lets a moderator act within the power it was given', () => {
    act(room, alice, memberPowerBody(stateNow(room), bob.member, 50))
    act(room, bob, nameBody('Renamed'))
    act(room, bob, kickBody(stateNow(room), carol.member, 'noise'))
    const state = stateNow(room)
    expect(membershipOf(state, carol.member)).toBe('leave')
    expect(rosterPairs(state).map(({ member }) => member)).not.toContain(carol.member)
  })

  it('lets someone who was removed come back by a new invitation, on the roster it has', () => {
    bringInAgain()
    expect(membershipOf(stateNow(room), carol.member)).toBe('join')
    act(room, carol, leaveBody(carol.member, carol.userId))
    expect(membershipOf(stateNow(room), carol.member)).toBe('leave')
  })

  function bringInAgain(): void {
    advanceManifest(carol)
    bringIn(room, bob, carol)
  }
})

describe('redaction', () => {
  const message = say(room, bob)

  it('takes the body and keeps every id', () => {
    const left = redact(message)
    expect(left.body).toBeNull()
    expect(left.pdu.body).toBeNull()
    expect(left).toMatchObject({ id: message.id, envelopeId: message.envelopeId })
    expect(left.pdu.envelope).toEqual(message.pdu.envelope)
  })

  it('applies by the author and by those with power, in the same room only', () => {
    const state = stateNow(room)
    const byAuthor = redactionBy(bob)
    expect(redactionApplies(byAuthor, message, state)).toBe(true)
    expect(redactionApplies(redactionBy(alice), message, state)).toBe(true)
    expect(redactionApplies(byAuthor, say(room, bob), state)).toBe(false)
    expect(redactionApplies(byAuthor, { ...message, roomId: '!other' }, state)).toBe(false)
  })

  it('does not apply to a stranger’s message without power', () => {
    const dave = lab.person('dave', 'a.example')
    bringIn(room, alice, dave)
    expect(redactionApplies(redactionBy(dave), message, stateNow(room))).toBe(false)
  })

  it('never takes a body that auth rules read, but does take a topic', () => {
    const topic = act(room, alice, topicBody('rude'))
    expect(readContent(redact(topic), 'e.room.topic')).toBeNull()
    const power = stateEvent(stateNow(room), 'e.room.power')
    if (power === undefined) throw new Error('no power')
    expect(redact(power)).toBe(power)
  })

  function redactionBy(person: typeof bob) {
    const sealed = sealRedaction(lab, person, stateNow(room), message.envelopeId)
    const event = place(room, sealed, person.server)
    expect(receive(room, event)).toEqual({ ok: true })
    return event
  }
})

describe('bodies', () => {
  it('are not built where they do not fit their schema', () => {
    expect(() => nameBody('x'.repeat(256))).toThrow('room: bad_content')
    expect(() =>
      createBody(
        {
          kind: 'group',
          visibility: 'private',
          creator: 'alice',
          server: 'a.example',
          founder: { head: alice.head, height: 0, ed25519: 'short' },
        },
        (length) => new Uint8Array(length),
      ),
    ).toThrow('room: bad_content')
  })
})
