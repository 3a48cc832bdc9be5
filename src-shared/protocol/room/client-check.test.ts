import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import { rosterHash } from '../envelope/index.ts'
import { banBody, kickBody, memberPowerBody, nameBody } from './builders.ts'
import { audience, checkIncoming, openState, stateBundle } from './client-check.ts'
import { decodePdu, makeEvent } from './event.ts'
import type { RoomEvent } from './event.ts'
import { joinedMembers, roomIdOf, stateEvent, stateEvents } from './state.ts'
import {
  act,
  advanceManifest,
  attempt,
  bringIn,
  copyOf,
  createLab,
  foundRoom,
  place,
  rosterEvent,
  say,
  sealMessage,
  secondDevice,
  setRoster,
  stateNow,
} from './testing/lab.ts'

const lab = createLab()
const { crypto } = lab
const alice = lab.person('alice', 'a.example')
const bob = lab.person('bob', 'b.example')
const eve = lab.person('eve', 'a.example')
const room = foundRoom(lab, alice)
bringIn(room, alice, bob)
// The state rests on events that are no longer current: a device that has gone, levels since changed.
const laptop = secondDevice(lab, alice, 'laptop')
advanceManifest(alice)
setRoster(room, alice, { devices: [alice, laptop] })
act(room, laptop, nameBody('Set on a laptop'))
advanceManifest(alice)
setRoster(room, alice)
act(room, alice, memberPowerBody(stateNow(room), bob.member, 20))

const roomId = roomIdOf(stateNow(room))
const source = { getEvent: (id: string) => room.events.get(id) }
const keys = (server: string) => lab.nodePublicKey(server)
const bundle = stateBundle(stateNow(room), source)

describe('opening a room’s state', () => {
  it('finds the very state of the node, whatever it rests on', () => {
    const opened = openState(crypto, roomId, bundle, keys)
    expect(opened.refused).toEqual([])
    expect(stateEvents(opened.state)).toEqual(stateEvents(stateNow(room)))
    expect(bundle.length).toBeGreaterThan(stateEvents(opened.state).length)
  })

  it('refuses what comes without the events it rests on', () => {
    const { state, refused } = openState(crypto, roomId, stateEvents(stateNow(room)), keys)
    expect(refused.map(({ code }) => code)).toContain('missing_auth_event')
    expect(stateEvent(state, 'e.room.name')).toBeUndefined()
  })

  it('refuses members that a node made up', () => {
    const forged = rosterEvent(room, eve, { authState: stateNow(room) })
    const join = attempt(room, eve, {
      type: 'e.room.member',
      stateKey: eve.member,
      content: { membership: 'join', user_id: eve.userId },
    })
    const { state, refused } = openState(crypto, roomId, [...bundle, forged, join], keys)
    expect(refused).toEqual([
      { event: forged, code: 'not_invited' },
      { event: join, code: 'device_not_listed' },
    ])
    expect(joinedMembers(state)).toEqual(joinedMembers(stateNow(room)))
  })

  it('refuses an invitation that the node signed with a key of its own', () => {
    const invite = attempt(room, alice, {
      type: 'e.room.member',
      stateKey: eve.member,
      content: { membership: 'invite', user_id: eve.userId },
    })
    const forged = decodePdu(crypto, {
      ...invite.pdu,
      envelope: { ...invite.pdu.envelope },
      envelope_sig: toBase64Url(new Uint8Array(64).fill(1)),
    } as never)
    if (!forged.ok) throw new Error(forged.code)
    const { refused } = openState(crypto, roomId, [...bundle, forged.event], keys)
    expect(refused).toEqual([{ event: forged.event, code: 'bad_envelope_signature' }])
  })

  it('refuses another room, a bad signature of the node and an unknown node', () => {
    expect(openState(crypto, `!${alice.head}:a.example`, bundle, keys).state.events.size).toBe(0)
    const wrong = openState(crypto, roomId, bundle, () => lab.nodePublicKey('evil.example'))
    expect(wrong.refused[0]?.code).toBe('bad_event_signature')
    const unknown = openState(crypto, roomId, bundle, () => undefined)
    expect(unknown.refused.map(({ code }) => code)).toContain('unknown_origin_key')
    expect(unknown.state.events.size).toBe(0)
  })
})

describe('an incoming event', () => {
  it('moves the state on and shows that both sides mean the same people', () => {
    const copy = copyOf(room)
    const state = stateNow(copy)
    const message = say(copy, bob)
    expect(checkIncoming(crypto, state, message, keys)).toEqual({
      ok: true,
      state,
      rosterAgrees: true,
    })
    const kick = act(copy, alice, kickBody(state, bob.member))
    const after = checkIncoming(crypto, state, kick, keys)
    if (!after.ok) throw new Error(after.code)
    expect(stateEvents(after.state)).toEqual(stateEvents(stateNow(copy)))
  })

  it('from a removed member or device is refused', () => {
    const copy = copyOf(room)
    act(copy, alice, banBody(stateNow(copy), bob.member))
    const late = place(copy, sealMessage(lab, bob, stateNow(room)), bob.server)
    const check = (event: RoomEvent) => checkIncoming(crypto, stateNow(copy), event, keys)
    expect(check(late)).toEqual({ ok: false, code: 'not_joined' })
    const gone = place(copy, sealMessage(lab, laptop, stateNow(room)), alice.server)
    expect(check(gone)).toEqual({ ok: false, code: 'device_not_listed' })
  })

  it('shows when a node hides a member or a removal from one side', () => {
    const copy = copyOf(room)
    const before = stateNow(copy)
    bringIn(copy, alice, eve)
    const message = say(copy, bob)
    expect(checkIncoming(crypto, before, message, keys)).toMatchObject({ rosterAgrees: false })
  })

  it('with a changed body or header is refused', () => {
    const copy = copyOf(room)
    const message = say(copy, bob)
    const header = { ...message.header, ts: message.header.ts + 1 }
    const parts = {
      envelope: header,
      body: message.body,
      sig: message.pdu.envelope_sig,
      prevEvents: message.pdu.event.prev_events,
      authEvents: message.pdu.event.auth_events,
      origin: bob.server,
      originTs: 9_999_999_999_999,
      nodeKey: lab.nodeKey(bob.server),
    }
    const forged = makeEvent(crypto, parts)
    expect(checkIncoming(crypto, stateNow(room), forged, keys)).toEqual({
      ok: false,
      code: 'bad_envelope_signature',
    })
    const resigned = { ...message, pdu: { ...message.pdu, event_sig: forged.pdu.event_sig } }
    expect(checkIncoming(crypto, stateNow(room), resigned, keys)).toEqual({
      ok: false,
      code: 'bad_event_signature',
    })
  })
})

it('seals for the joined members, each with the devices of its roster', () => {
  const { rosters, hash } = audience(crypto, stateNow(room))
  expect(rosters.map(({ member }) => member)).toEqual([alice.member, bob.member].sort())
  expect(rosters.find(({ member }) => member === alice.member)).toMatchObject({
    userId: alice.userId,
    head: alice.head,
    height: 2,
    devices: [{ id: alice.local.device }],
  })
  expect(hash).toBe(rosterHash(crypto, rosters))
})
