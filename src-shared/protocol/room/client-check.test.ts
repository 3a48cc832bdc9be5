import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import { rosterHash } from '../envelope/index.ts'
import { banBody, joinBody, kickBody, memberPowerBody, nameBody } from './builders.ts'
import { audience, checkIncoming, openState, stateBundle } from './client-check.ts'
import { decodePdu, makeEvent } from './event.ts'
import type { RoomEvent } from './event.ts'
import {
  applyEvent,
  emptyState,
  joinedMembers,
  roomIdOf,
  rosterOf,
  stateEvent,
  stateEvents,
  stateOf,
} from './state.ts'
import {
  act,
  advanceManifest,
  attempt,
  bringIn,
  copyOf,
  createLab,
  eventAt,
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

  it('opens what rests on nothing, and nothing from nothing', () => {
    const [create] = room.events.values()
    if (create === undefined) throw new Error('no room')
    const nothing = { refused: [], lapsed: [], doubted: [] }
    expect(openState(crypto, roomId, [create], keys)).toEqual({
      state: stateOf([create]),
      ...nothing,
    })
    expect(openState(crypto, roomId, [], keys)).toEqual({ state: emptyState, ...nothing })
  })

  it('takes events in whatever order they come; of those under one key the last listed is current', () => {
    const old = [...room.events.values()].find(({ header }) => header.type === 'e.room.name')
    if (old === undefined) throw new Error('no name')
    // What the state rests on stands before what is current, as a node sends it.
    for (const events of [bundle, [old, ...bundle], [...bundle, ...bundle]])
      expect(stateEvents(openState(crypto, roomId, events, keys).state)).toEqual(
        stateEvents(stateNow(room)),
      )
    const reversed = openState(crypto, roomId, bundle.toReversed(), keys)
    expect(reversed.refused).toEqual([])
    const late = openState(crypto, roomId, [...bundle, old], keys)
    expect(stateEvent(late.state, 'e.room.name')).toBe(old)
  })

  it('refuses what rests on an event that is refused, though it is there', () => {
    const power = stateEvent(stateNow(room), 'e.room.power')
    if (power === undefined) throw new Error('no power')
    const rests = power.pdu.event.auth_events
    const spoilt = bundle.map((event) =>
      event.id === rests[0]
        ? { ...event, pdu: { ...event.pdu, event_sig: power.pdu.event_sig } }
        : event,
    )
    const { refused, state } = openState(crypto, roomId, spoilt, keys)
    const codes = new Map(refused.map(({ event, code }) => [event.id, code]))
    expect(codes.get(rests[0] ?? '')).toBe('bad_event_signature')
    expect(codes.get(power.id)).toBe('missing_auth_event')
    expect(stateEvent(state, 'e.room.power')?.id).not.toBe(power.id)
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
    const other = openState(crypto, `!${alice.head}:a.example`, bundle, keys)
    expect(other.state.events.size).toBe(0)
    expect(other.refused).toEqual(bundle.map((event) => ({ event, code: 'wrong_room' })))
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

  it('that states a roster agrees with everybody, as it names nobody', () => {
    const copy = copyOf(room)
    const newer = { ...bob }
    advanceManifest(newer)
    const roster = rosterEvent(copy, newer)
    const before = stateNow(copy)
    const incoming = checkIncoming(crypto, before, roster, keys)
    expect(incoming).toMatchObject({ ok: true, rosterAgrees: true })
    expect(incoming.ok && rosterOf(incoming.state, bob.member)?.head).toBe(newer.head)
  })

  it('that brings a key that no device may have is refused', () => {
    const newer = { ...bob, local: { ...bob.local, ed25519: new Uint8Array(32) } }
    advanceManifest(newer)
    const roster = rosterEvent(copyOf(room), newer)
    expect(checkIncoming(crypto, stateNow(room), roster, keys)).toEqual({
      ok: false,
      code: 'inadmissible_key',
    })
  })

  it('from a node whose key is not known is refused', () => {
    const message = say(copyOf(room), bob)
    const asked: string[] = []
    const none = (server: string, keyId: string) => void asked.push(`${server} ${keyId}`)
    expect(checkIncoming(crypto, stateNow(room), message, none as () => undefined)).toEqual({
      ok: false,
      code: 'unknown_origin_key',
    })
    expect(asked).toEqual(['b.example ed25519:1'])
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

describe('what a node sends for it', () => {
  it('is the state, led by all that it rests on, each event once', () => {
    const current = stateEvents(stateNow(room))
    expect(bundle.slice(-current.length)).toEqual(current)
    const rests = bundle.slice(0, -current.length)
    expect(new Set(bundle.map(({ id }) => id)).size).toBe(bundle.length)
    const named = new Set(bundle.flatMap(({ pdu }) => pdu.event.auth_events))
    expect(rests.every(({ id }) => named.has(id))).toBe(true)
    const there = new Set(bundle.map(({ id }) => id))
    expect([...named].every((id) => there.has(id))).toBe(true)
  })

  it('leaves out what the node itself does not have', () => {
    const current = stateEvents(stateNow(room))
    expect(stateBundle(stateNow(room), { getEvent: () => undefined })).toEqual(current)
  })
})

it('does not seal for one who joined without a roster', () => {
  const state = applyEvent(
    stateNow(room),
    eventAt(lab, alice, stateNow(room), joinBody(eve.member, eve.userId)),
  )
  expect(joinedMembers(state)).toContain(eve.member)
  expect(audience(crypto, state)).toEqual(audience(crypto, stateNow(room)))
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
