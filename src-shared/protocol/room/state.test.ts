/** The questions asked of a state (spec 8.2, 8.4, 6.2), at states put together by hand. */
import { describe, expect, it } from 'vitest'
import { rosterHash } from '../envelope/index.ts'
import {
  banBody,
  grantBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  historyVisibilityBody,
  kickBody,
  leaveBody,
  memberPowerBody,
  nameBody,
  needsRoster,
  powerBody,
  sealRoster,
  statePosition,
  topicBody,
} from './builders.ts'
import { readContent } from './event.ts'
import type { RoomEvent } from './event.ts'
import {
  applyEvent,
  canKick,
  canRedact,
  canSend,
  canSetPower,
  creation,
  CREATOR_POWER,
  currentRosterHash,
  deviceKeyOf,
  emptyState,
  expectedRosterHash,
  historyVisibilityOf,
  homeServerOf,
  isJoined,
  joinedMembers,
  joinRuleOf,
  members,
  membershipOf,
  neededPower,
  outranks,
  powerIn,
  powerLevels,
  powerOf,
  roomIdOf,
  rosterOf,
  rosterPairs,
  sameState,
  stateEvent,
  stateEvents,
  stateOf,
  userIdOf,
} from './state.ts'
import type { RoomState } from './state.ts'
import {
  advanceManifest,
  createBodyOf,
  createLab,
  eventAt,
  messageAt,
  quickCrypto,
  rosterAt,
} from './testing/lab.ts'

const lab = createLab(quickCrypto)
const { crypto } = lab
const alice = lab.person('alice', 'a.example')
const bob = lab.person('bob', 'b.example:8449')
const stranger = lab.person('stranger', 's.example')

const create = eventAt(lab, alice, emptyState, createBodyOf(lab, alice))
const created = applyEvent(emptyState, create)
const aliceJoins = eventAt(lab, alice, created, joinBody(alice.member, alice.userId))
const joined = applyEvent(created, aliceJoins)
const invitation = eventAt(lab, alice, joined, inviteBody(bob.member, bob.userId))
const invited = applyEvent(joined, invitation)

function withBody(state: RoomState, ...bodies: Parameters<typeof eventAt>[3][]): RoomState {
  return bodies.reduce(
    (reached, body) => applyEvent(reached, eventAt(lab, alice, reached, body)),
    state,
  )
}

describe('a state', () => {
  it('maps type and state key to the current event, the later in place of the earlier', () => {
    const first = eventAt(lab, alice, joined, nameBody('one'))
    const second = eventAt(lab, alice, applyEvent(joined, first), nameBody('two'))
    const state = stateOf([create, aliceJoins, first, second])
    expect(stateEvent(state, 'e.room.name')).toBe(second)
    expect(stateEvent(state, 'e.room.name', 'x')).toBeUndefined()
    expect(stateEvent(state, 'e.room.topic')).toBeUndefined()
    expect(stateEvents(state)).toHaveLength(3)
    // What was there before stays as it was.
    expect(stateEvent(joined, 'e.room.name')).toBeUndefined()
    expect(stateEvents(joined)).toEqual([create, aliceJoins])
  })

  it('is not changed by messages', () => {
    expect(applyEvent(joined, messageAt(lab, alice, joined))).toBe(joined)
  })

  it('lists its events by type, then state key, whatever order they came in', () => {
    const events = [create, aliceJoins, invitation, nameEvent(invited), topicEvent(invited)]
    const sorted = events.toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    expect(stateEvents(stateOf(events))).toEqual(sorted)
    expect(stateEvents(stateOf(events.toReversed()))).toEqual(sorted)
    expect(members(stateOf(events)).map(({ member }) => member)).toEqual(
      [alice.member, bob.member].sort(),
    )
  })

  it('is the same as another where it holds the same events', () => {
    const [a, b] = [nameEvent(joined), topicEvent(joined)]
    const one = stateOf([create, aliceJoins, a, b])
    const other = stateOf([b, a, aliceJoins, create])
    expect(sameState(one, one)).toBe(true)
    expect(sameState(one, other)).toBe(true)
    expect(sameState(one, joined)).toBe(false)
    expect(sameState(one, stateOf([create, aliceJoins, a, topicEvent(joined)]))).toBe(false)
    expect(sameState(emptyState, stateOf([]))).toBe(true)
  })

  function nameEvent(state: RoomState) {
    return eventAt(lab, alice, state, nameBody('name'))
  }
  function topicEvent(state: RoomState) {
    return eventAt(lab, alice, state, topicBody('topic'))
  }
  function keyOf({ header }: RoomEvent) {
    return `${header.type} ${header.state_key ?? ''}`
  }
})

describe('before anything', () => {
  it('there is no room, nobody in it and nothing allowed', () => {
    expect(creation(emptyState)).toBeNull()
    expect(() => roomIdOf(emptyState)).toThrow(
      expect.objectContaining({ name: 'RoomError', code: 'no_room', message: 'room: no_room' }),
    )
    expect(members(emptyState)).toEqual([])
    expect(joinedMembers(emptyState)).toEqual([])
    expect(rosterPairs(emptyState)).toEqual([])
    expect(userIdOf(emptyState, alice.member)).toBeUndefined()
    expect(rosterOf(emptyState, alice.member)).toBeNull()
    expect(powerOf(emptyState, alice.member)).toBe(0)
    expect(canSend(emptyState, alice.member, 'e.message')).toBe(false)
  })

  it('the join rule is invite and the visibility joined', () => {
    expect([joinRuleOf(joined), historyVisibilityOf(joined)]).toEqual(['invite', 'joined'])
    const state = withBody(joined, joinRulesBody('knock'), historyVisibilityBody('shared'))
    expect([joinRuleOf(state), historyVisibilityOf(state)]).toEqual(['knock', 'shared'])
  })
})

describe('whom a state knows', () => {
  it('its creator, by what the create event states, until the first roster', () => {
    expect(creation(created)).toMatchObject({
      roomId: create.roomId,
      creator: alice.member,
      device: alice.local.device,
    })
    expect(roomIdOf(created)).toBe(create.roomId)
    const founding = rosterOf(created, alice.member)
    expect(founding).toMatchObject({ userId: alice.userId, head: alice.head, height: 0 })
    expect(founding?.devices.map(({ id }) => id)).toEqual([alice.local.device])
    const founder = readContent(create, 'e.room.create')?.founder
    expect(deviceKeyOf(created, alice.member, alice.local.device)).toBe(founder?.ed25519)
    expect(userIdOf(created, alice.member)).toBe(alice.userId)
    expect(homeServerOf(created, alice.member)).toBe(alice.server)
    expect(membershipOf(created, alice.member)).toBeUndefined()
    const newer = { ...alice }
    advanceManifest(newer)
    const state = applyEvent(joined, rosterAt(lab, newer, joined, { devices: [] }))
    expect(rosterOf(state, alice.member)).toMatchObject({ head: newer.head, devices: [] })
    expect(deviceKeyOf(state, alice.member, alice.local.device)).toBeUndefined()
  })

  it('a member by its membership, and by its roster once there is one', () => {
    expect(userIdOf(invited, bob.member)).toBe(bob.userId)
    expect(homeServerOf(invited, bob.member)).toBe('b.example:8449')
    expect(rosterOf(invited, bob.member)).toBeNull()
    const moved = { ...bob, userId: '@bob:c.example', server: 'c.example' }
    const state = applyEvent(invited, rosterAt(lab, moved, invited))
    expect(userIdOf(state, bob.member)).toBe(moved.userId)
    expect(homeServerOf(state, bob.member)).toBe('c.example')
    expect(members(state).find(({ member }) => member === bob.member)).toEqual({
      member: bob.member,
      userId: bob.userId,
      server: bob.server,
      membership: 'invite',
    })
  })

  it('no stranger', () => {
    expect(userIdOf(invited, stranger.member)).toBeUndefined()
    expect(homeServerOf(invited, stranger.member)).toBeUndefined()
    expect(membershipOf(invited, stranger.member)).toBeUndefined()
    expect(deviceKeyOf(invited, stranger.member, alice.local.device)).toBeUndefined()
    expect(deviceKeyOf(invited, alice.member, stranger.local.device)).toBeUndefined()
  })
})

describe('the roster hash of a state', () => {
  it('is of the joined members that have a roster, and of nobody else', () => {
    expect(rosterPairs(created)).toEqual([])
    expect(rosterPairs(joined)).toEqual([{ member: alice.member, head: alice.head }])
    const withRoster = applyEvent(invited, rosterAt(lab, bob, invited))
    expect(rosterPairs(withRoster)).toEqual(rosterPairs(joined))
    const both = withBody(withRoster, joinBody(bob.member, bob.userId))
    const pairs = [alice, bob].map(({ member, head }) => ({ member, head }))
    expect(rosterPairs(both)).toHaveLength(2)
    expect(currentRosterHash(crypto, both)).toBe(rosterHash(crypto, pairs))
    expect(currentRosterHash(crypto, both)).toBe(currentRosterHash(crypto, both))
    // A join without a roster, which no node accepts, adds nobody.
    expect(rosterPairs(withBody(invited, joinBody(bob.member, bob.userId)))).toEqual(
      rosterPairs(joined),
    )
  })

  it('is what a joined member states; anyone else states that of nobody', () => {
    const nobody = rosterHash(crypto, [])
    expect(expectedRosterHash(crypto, invited, alice.member)).toBe(
      currentRosterHash(crypto, invited),
    )
    expect(expectedRosterHash(crypto, invited, alice.member)).not.toBe(nobody)
    expect(expectedRosterHash(crypto, invited, bob.member)).toBe(nobody)
    expect(expectedRosterHash(crypto, created, alice.member)).toBe(nobody)
  })
})

describe('power', () => {
  const levels = { members: { [bob.member]: 50 }, default: 10, events: { 'e.poll': 30 } }
  const state = withBody(invited, powerBody(levels))

  it('is the creator’s above all, then what is listed, then the default', () => {
    expect(powerOf(state, alice.member)).toBe(CREATOR_POWER)
    expect(powerOf(state, bob.member)).toBe(50)
    expect(powerOf(state, stranger.member)).toBe(10)
    expect(powerIn(powerLevels(state), alice.member)).toBe(10)
    // Names that every object has are nobody's power.
    expect(powerIn(powerLevels(state), 'constructor')).toBe(10)
  })

  it('outranks strictly, and never oneself', () => {
    expect(outranks(state, alice.member, bob.member)).toBe(true)
    expect(outranks(state, bob.member, stranger.member)).toBe(true)
    expect(outranks(state, bob.member, alice.member)).toBe(false)
    expect(outranks(state, bob.member, bob.member)).toBe(false)
    expect(outranks(state, stranger.member, lab.person('x', 'x').member)).toBe(false)
  })

  it('needed is what is listed for the type, or the default of state, or none', () => {
    const read = powerLevels(state)
    expect(neededPower(read, 'e.poll', true)).toBe(30)
    expect(neededPower(read, 'e.poll', false)).toBe(30)
    expect(neededPower(read, 'e.other', true)).toBe(50)
    expect(neededPower(read, 'e.other', false)).toBe(0)
    expect(neededPower(read, 'constructor', false)).toBe(0)
  })

  it('is given up to one’s own, by those who may set power: what other state needs, unless listed', () => {
    const at = (changes: object, level: number) => {
      const set = powerBody({ ...levels, ...changes })
      const here = withBody(state, set, joinBody(bob.member, bob.userId))
      return canSetPower(here, bob.member, stranger.member, level)
    }
    expect([49, 50, 51].map((level) => at({}, level))).toEqual([true, true, false])
    expect(at({ state_default: 51 }, 0)).toBe(false)
    expect(at({ state_default: 51, events: { 'e.room.power': 50 } }, 0)).toBe(true)
  })

  it('is of use to the joined alone', () => {
    const strong = withBody(state, memberPowerBody(state, bob.member, 100))
    expect(isJoined(strong, bob.member)).toBe(false)
    expect(canSend(strong, bob.member, 'e.message')).toBe(false)
    expect(canKick(strong, bob.member, stranger.member)).toBe(false)
    const in_ = withBody(strong, joinBody(bob.member, bob.userId))
    expect(canSend(in_, bob.member, 'e.message')).toBe(true)
    expect(canSend(in_, bob.member, 'e.room.name', true)).toBe(true)
  })

  it('takes another’s message from the threshold on, one’s own without it', () => {
    const at = (power: number, changes: object = {}) => {
      const set = powerBody({ ...levels, members: { [bob.member]: power }, ...changes })
      const here = withBody(state, set, joinBody(bob.member, bob.userId))
      return [alice, bob].map(({ member }) => canRedact(here, bob.member, member))
    }
    expect(at(49)).toEqual([false, true])
    expect(at(50)).toEqual([true, true])
    expect(at(50, { redact: 51 })).toEqual([false, true])
    expect(at(50, { events: { 'e.redaction': 51 } })).toEqual([false, false])
    expect(canRedact(state, bob.member, bob.member)).toBe(false)
  })
})

describe('bodies made for a state', () => {
  const withBob = applyEvent(invited, rosterAt(lab, bob, invited))

  it('of a removal name the member as the room knows it, and the reason where there is one', () => {
    expect(kickBody(withBob, bob.member)).toEqual({
      type: 'e.room.member',
      stateKey: bob.member,
      content: { membership: 'leave', user_id: bob.userId },
    })
    expect(kickBody(withBob, bob.member, 'noise').content).toMatchObject({ reason: 'noise' })
    expect(banBody(withBob, bob.member, 'noise').content).toEqual({
      membership: 'ban',
      user_id: bob.userId,
      reason: 'noise',
    })
    for (const make of [kickBody, banBody])
      expect(() => make(withBob, stranger.member)).toThrow('room: bad_content')
  })

  it('of a leave name the member itself', () => {
    expect(leaveBody(bob.member, bob.userId)).toEqual({
      type: 'e.room.member',
      stateKey: bob.member,
      content: { membership: 'leave', user_id: bob.userId },
    })
  })

  it('of one member’s power keep everything else; the default takes it off the list', () => {
    const levels = { members: { [alice.head]: 5 }, default: 10, kick: 70 }
    const state = withBody(withBob, powerBody(levels))
    const raised = memberPowerBody(state, bob.member, 20)
    expect(raised.content).toEqual({
      ...powerLevels(state),
      members: { [alice.head]: 5, [bob.member]: 20 },
    })
    const lowered = memberPowerBody(withBody(state, raised), bob.member, 10)
    expect(lowered.content).toEqual({ ...powerLevels(state), members: { [alice.head]: 5 } })
  })

  it('of a new room let members speak and invite, moderators act, admins rule', () => {
    expect(powerBody().content).toEqual({
      members: {},
      default: 0,
      events: { 'e.room.power': 100, 'e.room.history_visibility': 100 },
      invite: 0,
      kick: 50,
      ban: 50,
      redact: 50,
      state_default: 50,
    })
  })

  it('of other state carry what they are given under the key of their type', () => {
    const grant = {
      user_id: bob.userId,
      devices: [bob.local.device],
      read: 'mentions' as const,
      send: ['e.message'],
      until: 7,
    }
    expect([
      topicBody('t'),
      nameBody('n'),
      joinRulesBody('public'),
      historyVisibilityBody('shared'),
      grantBody(bob.member, grant),
    ]).toEqual([
      { type: 'e.room.topic', stateKey: '', content: { topic: 't' } },
      { type: 'e.room.name', stateKey: '', content: { name: 'n' } },
      { type: 'e.room.join_rules', stateKey: '', content: { join_rule: 'public' } },
      {
        type: 'e.room.history_visibility',
        stateKey: '',
        content: { history_visibility: 'shared' },
      },
      { type: 'e.room.grant', stateKey: bob.member, content: grant },
    ])
  })

  it('are placed at exactly this state: room, what they replace, what they rest on', () => {
    const state = withBody(withBob, powerBody(), nameBody('n'))
    const position = (type: string, stateKey: string, member = alice.member) =>
      statePosition(crypto, state, member, { type, stateKey })
    const idOf = (type: string, key = '') => stateEvent(state, type, key)?.envelopeId
    const [own, power] = [idOf('e.room.member', alice.member), idOf('e.room.power')]
    expect(position('e.room.name', '')).toEqual({
      room: create.roomId,
      roster: currentRosterHash(crypto, state),
      state: { state_key: '', replaces: idOf('e.room.name'), basis: [own, power] },
    })
    expect(position('e.room.topic', '').state.replaces).toBeNull()
    expect(position('e.room.power', '').state).toMatchObject({ replaces: power, basis: [own] })
    // Of one's own membership nothing but what it replaces is asked; of another's all.
    expect(position('e.room.member', alice.member).state).toMatchObject({
      replaces: own,
      basis: [],
    })
    expect(position('e.room.member', bob.member).state.basis).toEqual([own, power])
    expect(position('e.room.create', '').room).toBe('')
    expect(() => statePosition(crypto, emptyState, alice.member, nameBody('n'))).toThrow(
      'room: no_room',
    )
  })
})

describe('a roster of a home node', () => {
  it('is due where none is stated or the one stated is of a lower height', () => {
    expect(needsRoster(created, alice.member, 0)).toBe(true)
    expect(needsRoster(invited, bob.member, 0)).toBe(true)
    const older = { ...bob }
    advanceManifest(older)
    const state = applyEvent(invited, rosterAt(lab, older, invited))
    expect([0, 1, 2].map((height) => needsRoster(state, bob.member, height))).toEqual([
      false,
      false,
      true,
    ])
  })

  it('counts by the manifest’s height and follows the roster before it', () => {
    const first = rosterAt(lab, bob, invited)
    expect(first.header).toMatchObject({
      seq: 0,
      prev_own: null,
      replaces: null,
      basis: [],
      device: null,
      node: bob.server,
      state_key: bob.member,
      roster: rosterHash(crypto, []),
    })
    const newer = { ...bob }
    advanceManifest(newer)
    const second = rosterAt(lab, newer, applyEvent(invited, first))
    expect(second.header).toMatchObject({
      seq: 1,
      prev_own: first.envelopeId,
      replaces: first.envelopeId,
    })
  })

  it('is not made from what does not fit its schema', () => {
    const content = { user_id: bob.userId, head: bob.head, height: 0, devices: [] }
    const make = (changes: object, node = bob.server) =>
      sealRoster({
        crypto,
        state: invited,
        node,
        member: bob.member,
        now: lab.now,
        content: { ...content, ...changes },
      })
    expect(make({}).header.type).toBe('e.room.roster')
    expect(() => make({ head: 'short' })).toThrow('room: bad_content')
    expect(() => make({}, 'not a server')).toThrow('room: bad_content')
  })
})
