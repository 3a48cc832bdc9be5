import { describe, expect, it } from 'vitest'
import { fromHex } from '../encoding/index.ts'
import { sealClearEnvelope } from '../envelope/index.ts'
import { checkAtParents } from './accept.ts'
import type { AcceptCode } from './accept.ts'
import {
  banBody,
  grantBody,
  historyVisibilityBody,
  INITIAL_POWER,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  knockBody,
  leaveBody,
  memberPowerBody,
  nameBody,
  powerBody,
  sealRoster,
  stateBody,
} from './builders.ts'
import type { StateBody } from './builders.ts'
import type { PowerContent } from './content.ts'
import type { RoomEvent } from './event.ts'
import { emptyState, powerLevels, stateEvent } from './state.ts'
import {
  act,
  advanceManifest,
  attempt,
  bringIn,
  copyOf,
  createBodyOf,
  createLab,
  createReplica,
  enter,
  foundRoom,
  place,
  receive,
  rosterEvent,
  say,
  sealMessage,
  sealState,
  secondDevice,
  setRoster,
  stateNow,
} from './testing/lab.ts'
import type { Draft, Person, Replica } from './testing/lab.ts'

const lab = createLab()
const alice = lab.person('alice', 'a.example')
const [mod, peer] = [lab.person('mod', 'b.example'), lab.person('peer', 'c.example')]
const bob = lab.person('bob', 'b.example')
const stranger = lab.person('stranger', 'd.example')

const base = foundRoom(lab, alice, { events: { 'e.room.power': 50 }, invite: 50 })
for (const person of [mod, peer, bob]) bringIn(base, alice, person)
for (const person of [mod, peer])
  act(base, alice, memberPowerBody(stateNow(base), person.member, 50))

function expectRefusal(replica: Replica, event: RoomEvent, code: AcceptCode): void {
  expect(receive(replica, event)).toEqual({ ok: false, code })
}

function expectRefused(person: Person, body: StateBody, code: AcceptCode, replica = base): void {
  expectRefusal(copyOf(replica), attempt(replica, person, body), code)
}

function levels(changes: Partial<PowerContent>): StateBody {
  return powerBody({ ...powerLevels(stateNow(base)), ...changes })
}

describe('membership', () => {
  it('rejects an invitation without the power to invite', () => {
    expectRefused(bob, inviteBody(stranger.member, stranger.userId), 'power_too_low')
  })

  it('rejects an invitation of a member and by someone who is none', () => {
    expectRefused(alice, inviteBody(bob.member, bob.userId), 'bad_transition')
    expectRefused(stranger, inviteBody(bob.member, bob.userId), 'device_not_listed')
  })

  it('rejects a join without an invitation, roster or not', () => {
    const room = copyOf(base)
    expectRefusal(room, rosterEvent(room, stranger), 'not_invited')
    expectRefused(stranger, joinBody(stranger.member, stranger.userId), 'device_not_listed')
  })

  it('rejects a join before its roster and accepts it after', () => {
    const room = copyOf(base)
    act(room, alice, inviteBody(stranger.member, stranger.userId))
    const join = joinBody(stranger.member, stranger.userId)
    expectRefusal(room, attempt(room, stranger, join), 'device_not_listed')
    enter(room, stranger)
  })

  it('rejects a join on behalf of someone else', () => {
    const room = copyOf(base)
    act(room, alice, inviteBody(stranger.member, stranger.userId))
    setRoster(room, stranger)
    const join = joinBody(stranger.member, stranger.userId)
    expectRefusal(room, attempt(room, alice, join), 'bad_transition')
  })

  it('rejects another user id for a member whose home node has spoken', () => {
    const room = copyOf(base)
    act(room, bob, leaveBody(bob.member, bob.userId))
    expectRefused(alice, inviteBody(bob.member, '@bob:evil.example'), 'user_id_changed', room)
    expectRefused(alice, banBodyAs(bob, '@bob:evil.example'), 'user_id_changed', room)
  })

  it('lets a new invitation correct where someone lives who never joined', () => {
    const room = copyOf(base)
    act(room, alice, inviteBody(stranger.member, '@stranger:typo.example'))
    expectRefusal(room, rosterEvent(room, stranger), 'user_id_changed')
    act(room, alice, inviteBody(stranger.member, stranger.userId))
    enter(room, stranger)
  })

  it('rejects removing an equal, a stronger one or the creator', () => {
    const state = stateNow(base)
    expectRefused(mod, kickBody(state, peer.member), 'not_outranked')
    expectRefused(mod, banBody(state, peer.member), 'not_outranked')
    expectRefused(bob, kickBody(state, mod.member), 'not_outranked')
    expectRefused(mod, kickBody(state, alice.member), 'not_outranked')
    expectRefused(mod, banBody(state, alice.member), 'not_outranked')
  })

  it('keeps the creator above an admin of the highest power', () => {
    const room = copyOf(base)
    act(room, alice, memberPowerBody(stateNow(room), mod.member, 100))
    expectRefused(mod, kickBody(stateNow(room), alice.member), 'not_outranked', room)
    act(room, alice, kickBody(stateNow(room), mod.member))
  })

  it('rejects removing one who has gone', () => {
    const room = copyOf(base)
    act(room, alice, kickBody(stateNow(room), bob.member))
    expectRefused(alice, kickBody(stateNow(room), bob.member), 'bad_transition', room)
  })

  it('rejects whatever a removed member sends later', () => {
    const room = copyOf(base)
    act(room, alice, kickBody(stateNow(room), bob.member))
    const state = stateNow(room)
    const message = place(room, sealMessage(lab, bob, state), bob.server)
    expectRefusal(room, message, 'not_joined')
    expectRefused(bob, joinBody(bob.member, bob.userId), 'not_invited', room)
    expectRefused(bob, leaveBody(bob.member, bob.userId), 'bad_transition', room)
  })

  it('keeps a banned member out of a public room until the ban ends', () => {
    const room = copyOf(base)
    act(room, alice, joinRulesBody('public'))
    act(room, alice, banBody(stateNow(room), bob.member))
    expectRefused(bob, joinBody(bob.member, bob.userId), 'banned', room)
    expectRefused(mod, inviteBody(bob.member, bob.userId), 'banned', room)
    advanceManifest(bob)
    expectRefusal(room, rosterEvent(room, bob), 'banned')
    act(room, mod, kickBody(stateNow(room), bob.member))
    enter(room, bob)
  })

  it('lets anyone join a public room and knock where knocking is asked for', () => {
    const room = copyOf(base)
    expectRefused(bob, knockBody(bob.member, bob.userId), 'bad_transition', room)
    act(room, alice, joinRulesBody('knock'))
    setRoster(room, stranger)
    expectRefusal(
      room,
      attempt(room, stranger, joinBody(stranger.member, stranger.userId)),
      'not_invited',
    )
    act(room, stranger, knockBody(stranger.member, stranger.userId))
    act(room, mod, inviteBody(stranger.member, stranger.userId))
    act(room, stranger, joinBody(stranger.member, stranger.userId))
  })

  it('rejects a membership that nobody may set for themselves', () => {
    expectRefused(bob, inviteBody(bob.member, bob.userId), 'bad_transition')
    const ban = stateBody('e.room.member', bob.member, { membership: 'ban', user_id: bob.userId })
    expectRefused(bob, ban, 'bad_transition')
    const knock = knockBody(bob.member, bob.userId)
    expectRefused(alice, knock, 'bad_transition')
  })
})

describe('power', () => {
  it('rejects raising oneself or another above oneself', () => {
    expectRefused(mod, levels({ members: { ...moderators(), [mod.member]: 51 } }), 'power_too_low')
    expectRefused(mod, levels({ members: { ...moderators(), [bob.member]: 51 } }), 'power_too_low')
    expectRefused(mod, levels({ default: 51 }), 'power_too_low')
  })

  it('rejects demoting an equal and allows demoting oneself', () => {
    expectRefused(mod, levels({ members: { [mod.member]: 50 } }), 'not_outranked')
    const room = copyOf(base)
    act(room, mod, levels({ members: { [peer.member]: 50 } }))
    expectRefused(mod, nameBody('mine'), 'power_too_low', room)
  })

  it('rejects demoting equals by lowering the default they have', () => {
    const room = copyOf(base)
    act(room, alice, levels({ members: {}, default: 50 }))
    const lowered = powerBody({ ...powerLevels(stateNow(room)), default: 0 })
    expectRefused(mod, lowered, 'not_outranked', room)
  })

  it('rejects unlisting a member whom the default would raise above the sender', () => {
    const room = copyOf(base)
    act(room, alice, levels({ members: { [mod.member]: 50, [bob.member]: 10 }, default: 80 }))
    const unlisted = { ...powerLevels(stateNow(room)), members: { [mod.member]: 50 } }
    expectRefused(mod, powerBody(unlisted), 'power_too_low', room)
  })

  it('rejects moving a threshold that lies above the sender, or to above the sender', () => {
    expectRefused(mod, levels({ ban: 60 }), 'power_too_low')
    const events = powerLevels(stateNow(base)).events
    expectRefused(mod, levels({ events: { ...events, 'e.room.name': 60 } }), 'power_too_low')
    const room = copyOf(base)
    act(room, alice, levels({ kick: 70 }))
    expectRefused(mod, levels({ kick: 50 }), 'power_too_low', room)
  })

  it('rejects opening state of an unknown type that needs more than the sender has', () => {
    const { events } = powerLevels(stateNow(base))
    const room = copyOf(base)
    act(room, alice, levels({ state_default: 60 }))
    for (const type of ['x.poll', 'constructor']) {
      const opened = levels({ state_default: 60, events: { ...events, [type]: 50 } })
      expectRefused(mod, opened, 'power_too_low', room)
    }
    act(copyOf(base), mod, levels({ events: { ...events, 'x.poll': 50 } }))
  })

  it('rejects a change by someone without the power for it', () => {
    expectRefused(bob, levels({ invite: 0 }), 'power_too_low')
    expectRefused(bob, nameBody('mine'), 'power_too_low')
    expectRefused(bob, historyVisibilityBody('world_readable'), 'power_too_low')
    const grant = grantBody(bob.member, {
      user_id: bob.userId,
      devices: [],
      read: 'all',
      send: [],
      until: null,
    })
    expectRefused(bob, grant, 'power_too_low')
  })

  it('rejects listing the creator, even by the creator', () => {
    const listed = levels({ members: { ...moderators(), [alice.member]: 100 } })
    expectRefused(alice, listed, 'creator_immutable')
    expectRefused(mod, listed, 'creator_immutable')
  })

  it('holds messages to the level of their type', () => {
    const room = copyOf(base)
    const events = { ...INITIAL_POWER.events, 'e.message': 50 }
    act(room, alice, powerBody({ ...powerLevels(stateNow(room)), events }))
    say(room, mod)
    const message = place(room, sealMessage(lab, bob, stateNow(room)), bob.server)
    expectRefusal(room, message, 'power_too_low')
  })

  function moderators(): Record<string, number> {
    return { [mod.member]: 50, [peer.member]: 50 }
  }
})

describe('the creator’s first events', () => {
  it('are refused in any other order', () => {
    const room = createReplica(lab)
    act(room, alice, createBodyOf(lab, alice))
    expectRefusal(room, attempt(room, alice, powerBody()), 'not_joined')
    const other = attempt(room, stranger, joinBody(stranger.member, stranger.userId))
    expectRefusal(room, other, 'device_not_listed')
    act(room, alice, joinBody(alice.member, alice.userId))
    act(room, alice, powerBody())
  })

  it('reject a first roster that is not the one the create event states', () => {
    const room = createReplica(lab)
    act(room, alice, createBodyOf(lab, alice))
    act(room, alice, joinBody(alice.member, alice.userId))
    const later = { ...alice, height: 1 }
    expectRefusal(room, rosterEvent(room, later), 'founder_mismatch')
    const other = { ...alice, head: stranger.head }
    expectRefusal(room, rosterEvent(room, other), 'founder_mismatch')
    const laptop = secondDevice(lab, alice, 'laptop')
    expectRefusal(room, rosterEvent(room, alice, { devices: [laptop] }), 'founder_mismatch')
    setRoster(room, alice, { devices: [laptop, alice] })
  })

  it('reject a second create event and one from a foreign node', () => {
    const room = createReplica(lab)
    const foreign = place(
      room,
      sealState(lab, alice, emptyState, createBodyOf(lab, alice)),
      'evil.example',
    )
    expectRefusal(room, foreign, 'wrong_origin')
    expectRefused(alice, createBodyOf(lab, alice), 'bad_header')
    const again = sealState(lab, alice, emptyState, createBodyOf(lab, alice))
    expectRefusal(copyOf(base), place(base, again, alice.server), 'room_exists')
  })

  it('reject a room version that this node does not know', () => {
    const body = createBodyOf(lab, alice)
    const future = { ...body, content: { ...body.content, version: '2' } }
    const room = createReplica(lab)
    expectRefusal(room, attempt(room, alice, future), 'unsupported_version')
  })
})

describe('rosters', () => {
  it('reject a rollback, a repetition and a fork at the same height', () => {
    const room = copyOf(base)
    const bob2 = { ...bob, head: bob.head, height: bob.height }
    advanceManifest(bob2)
    advanceManifest(bob2)
    setRoster(room, bob2)
    expectRefusal(room, rosterEvent(room, bob2), 'roster_rollback')
    expectRefusal(room, rosterEvent(room, { ...bob2, height: 1 }), 'roster_rollback')
    expectRefusal(room, rosterEvent(room, { ...bob2, head: stranger.head }), 'roster_rollback')
    const sameHead = rosterEvent(room, { ...bob2, height: 9 })
    expectRefusal(room, sameHead, 'roster_rollback')
  })

  it('reject a roster by a server that is not the member’s home', () => {
    const room = copyOf(base)
    advanceManifest(bob)
    expectRefusal(room, rosterEvent(room, bob, { origin: 'evil.example' }), 'wrong_origin')
    const borrowed = sealRoster({
      crypto: lab.crypto,
      state: stateNow(room),
      node: 'evil.example',
      member: bob.member,
      now: lab.now,
      content: { user_id: bob.userId, head: bob.head, height: bob.height, devices: [] },
    })
    expectRefusal(room, place(room, borrowed, bob.server), 'wrong_origin')
    const moved = { ...bob, userId: '@bob:evil.example', server: 'evil.example' }
    expectRefusal(room, rosterEvent(room, moved), 'user_id_changed')
  })

  it('reject a roster that names one member and is filed under another', () => {
    const room = copyOf(base)
    const [state, { height, userId }] = [stateNow(room), bob]
    const content = { user_id: userId, height: height + 5, head: stranger.head, devices: [] }
    const options = { crypto: lab.crypto, state, node: 'b.example', content, now: lab.now }
    const sealed = sealRoster({ ...options, member: bob.member })
    const filed = { ...sealed.header, state_key: mod.member }
    const roster = place(room, { ...sealed, header: filed }, 'b.example')
    expectRefusal(room, roster, 'bad_header')
  })

  it('reject a device-made roster and a node-made name', () => {
    const roster = stateEvent(stateNow(base), 'e.room.roster', bob.member)
    const body = { type: 'e.room.roster', stateKey: bob.member, content: contentOf(roster) }
    expectRefused(bob, body, 'bad_header')
    const room = copyOf(base)
    const sealed = sealState(lab, alice, stateNow(room), nameBody('x'))
    const header = { ...sealed.header, device: null, node: 'a.example' }
    expectRefusal(room, place(room, { ...sealed, header, sig: null }, 'a.example'), 'bad_header')
  })

  it('reject device keys that are of small order, have a torsion component or are not canonical', () => {
    // Order 1; order 8; a point of the prime subgroup plus the point of order 2; y = p + 1.
    const keys = [
      '0100000000000000000000000000000000000000000000000000000000000000',
      'c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a',
      'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
    ].map(fromHex)
    const { ed25519 } = bob.local
    for (const key of [...keys, plusTorsion(ed25519)]) {
      const room = copyOf(base)
      const twisted = { ...bob, local: { ...bob.local, ed25519: key } }
      advanceManifest(twisted)
      expectRefusal(room, rosterEvent(room, twisted), 'inadmissible_key')
    }
  })

  it('reject a create event whose founder key is inadmissible', () => {
    const room = createReplica(lab)
    const body = createBodyOf(lab, {
      ...alice,
      local: { ...alice.local, ed25519: plusTorsion(alice.local.ed25519) },
    })
    expectRefusal(room, attempt(room, alice, body), 'inadmissible_key')
  })

  it('stop a device that the newer roster does not list', () => {
    const room = copyOf(base)
    const laptop = secondDevice(lab, bob, 'laptop')
    advanceManifest(bob)
    setRoster(room, bob, { devices: [bob, laptop] })
    say(room, laptop)
    advanceManifest(bob)
    setRoster(room, bob)
    const message = place(room, sealMessage(lab, laptop, stateNow(room)), bob.server)
    expectRefusal(room, message, 'device_not_listed')
  })

  function contentOf(event: RoomEvent | undefined) {
    if (event === undefined) throw new Error('no roster')
    return { user_id: bob.userId, head: bob.head, height: 7, devices: [] }
  }
})

describe('signatures and place', () => {
  it('rejects an event that another node than its origin signed', () => {
    const event = attempt(base, bob, nameBody('x'))
    const forged = place(base, sealedAgain(bob, {}), bob.server)
    const sig = forged.pdu.event_sig
    const swapped = { ...event, pdu: { ...event.pdu, event_sig: sig } }
    expectRefusal(copyOf(base), swapped, 'bad_event_signature')
  })

  it('rejects an envelope sent by a node that is not the sender’s', () => {
    const sealed = sealMessage(lab, bob, stateNow(base))
    expectRefusal(copyOf(base), place(base, sealed, 'evil.example'), 'wrong_origin')
  })

  it('rejects an envelope under another device’s signature', () => {
    const sealed = sealMessage(lab, bob, stateNow(base))
    const other = sealMessage(lab, bob, stateNow(base))
    const event = place(base, { ...sealed, sig: other.sig }, bob.server)
    expectRefusal(copyOf(base), event, 'bad_envelope_signature')
  })

  it('rejects an envelope re-attributed to another member', () => {
    const sealed = sealMessage(lab, bob, stateNow(base))
    const header = { ...sealed.header, member: mod.member, device: mod.local.device }
    const event = place(base, { ...sealed, header }, mod.server)
    expectRefusal(copyOf(base), event, 'bad_envelope_signature')
  })

  it('rejects an envelope of another room', () => {
    const other = foundRoom(lab, alice)
    const sealed = sealMessage(lab, alice, stateNow(other))
    expectRefusal(copyOf(base), place(base, sealed, alice.server), 'wrong_room')
  })

  it('rejects an event whose parents lie in another room', () => {
    const event = say(copyOf(base), bob)
    const elsewhere = foundRoom(lab, alice)
    const parents = elsewhere.extremities.flatMap((id) => elsewhere.events.get(id) ?? [])
    const refusal = { ok: false, code: 'wrong_room' }
    expect(checkAtParents(lab.crypto, event, parents, stateNow(base))).toEqual(refusal)
    expect(checkAtParents(lab.crypto, event, [], stateNow(base))).toMatchObject({ ok: false })
  })

  it('rejects state under a suite that it could not verify', () => {
    const sealed = sealState(lab, alice, stateNow(base), nameBody('x'))
    const header = { ...sealed.header, suite: 2 }
    expectRefusal(copyOf(base), place(base, { ...sealed, header }, alice.server), 'bad_header')
  })

  it('rejects signed state that someone moved to after the state it replaces', () => {
    const room = copyOf(base)
    const sealed = sealState(lab, mod, stateNow(room), nameBody('Old'))
    act(room, alice, nameBody('New'))
    expectRefusal(room, place(room, sealed, mod.server), 'replaces_stale')
  })

  it('rejects signed state that someone moved to under other power levels', () => {
    const room = copyOf(base)
    const sealed = sealState(lab, mod, stateNow(room), nameBody('Old'))
    act(room, alice, memberPowerBody(stateNow(room), bob.member, 1))
    expectRefusal(room, place(room, sealed, mod.server), 'basis_stale')
  })

  it('rejects state whose basis leaves out what it acts under', () => {
    const sealed = sealedAgain(mod, { basis: [] })
    expectRefusal(copyOf(base), place(base, sealed, mod.server), 'basis_stale')
  })

  it('rejects a replayed state event at its old place’s descendants', () => {
    const room = copyOf(base)
    const sealed = sealState(lab, mod, stateNow(room), nameBody('Once'))
    const first = place(room, sealed, mod.server)
    expect(receive(room, first)).toEqual({ ok: true })
    expectRefusal(room, place(room, sealed, mod.server), 'replaces_stale')
  })

  it('rejects an envelope sealed for other recipients than the members', () => {
    const sealed = sealMessage(lab, bob, stateNow(base), { roster: stranger.head })
    expectRefusal(copyOf(base), place(base, sealed, bob.server), 'roster_mismatch')
    const room = copyOf(base)
    const early = sealMessage(lab, bob, stateNow(room))
    bringIn(room, alice, stranger)
    expectRefusal(room, place(room, early, bob.server), 'roster_mismatch')
  })

  it('rejects auth events that are not the current ones', () => {
    const room = copyOf(base)
    const before = stateNow(room)
    act(room, alice, memberPowerBody(before, mod.member, 0))
    const sealed = sealMessage(lab, bob, stateNow(room))
    const event = place(room, sealed, bob.server, { authState: before })
    expectRefusal(room, event, 'wrong_auth_events')
  })

  it('rejects an event dated before its parents', () => {
    const sealed = sealMessage(lab, bob, stateNow(base))
    const event = place(base, sealed, bob.server, { originTs: 1 })
    expectRefusal(copyOf(base), event, 'earlier_than_parent')
  })

  it('rejects state that is not where its type belongs', () => {
    const content = { name: 'x' }
    expectRefused(alice, { type: 'e.room.name', stateKey: 'k', content }, 'bad_header')
    const message = { type: 'e.message', stateKey: '', content }
    expectRefused(alice, message, 'bad_header')
    const bad = { type: 'e.room.name', stateKey: '', content: { name: 7 } }
    expectRefused(alice, bad, 'bad_content')
  })

  it('keeps types it does not know, at the level of other state', () => {
    const unknown = { type: 'org.example.thing', stateKey: 'k', content: { any: [1, 'x'] } }
    expectRefused(bob, unknown, 'power_too_low')
    act(copyOf(base), mod, unknown)
  })

  function sealedAgain(person: Person, changes: Draft) {
    return sealState(lab, person, stateNow(base), nameBody('again'), changes)
  }
})

it('rejects a redaction that is not in the clear or names nothing', () => {
  const sealed = sealMessage(lab, bob, stateNow(base), { type: 'e.redaction' })
  expectRefusal(copyOf(base), place(base, sealed, bob.server), 'bad_header')
  const { header } = sealMessage(lab, bob, stateNow(base))
  const { room, seq, prev_own, ts, roster } = header
  const empty = sealClearEnvelope({
    crypto: lab.crypto,
    local: bob.local,
    draft: { room, seq, prev_own, ts, roster, type: 'e.redaction' },
    content: {},
  })
  if (!empty.ok) throw new Error(empty.code)
  expectRefusal(copyOf(base), place(base, empty.sealed, bob.server), 'bad_content')
})

function banBodyAs(person: Person, userId: string): StateBody {
  return stateBody('e.room.member', person.member, { membership: 'ban', user_id: userId })
}

/** The key plus the point of order 2: (x, y) → (−x, −y). */
function plusTorsion(key: Uint8Array): Uint8Array {
  const p = 2n ** 255n - 19n
  let y = 0n
  for (const [i, byte] of key.entries()) y |= BigInt(byte) << BigInt(8 * i)
  const sign = y >> 255n
  const twisted = (p - (y & (2n ** 255n - 1n))) | ((1n - sign) << 255n)
  return Uint8Array.from(key, (_, i) => Number((twisted >> BigInt(8 * i)) & 255n))
}
