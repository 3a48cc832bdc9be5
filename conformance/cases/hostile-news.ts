/** What a fake peer tells beside events: receipts, messages to devices, manifests, names, invitations. */
import { strict as assert } from 'node:assert'
import {
  inviteBody,
  joinBody,
  kickBody,
  makeReceipt,
  stateBundle,
  stateEvents,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { Receipt, RoomEvent, SignedEntry } from '../../src-shared/protocol/index.ts'
import type { HostileCase } from '../case.ts'
import { crypto, fakeWrap, random } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { follow } from '../fake-peer.ts'
import type { FakePeer, Room } from '../fake-peer.ts'
import { membershipSaid, pairOf } from '../setting.ts'
import type { Setting } from '../setting.ts'
import { until } from '../until.ts'
import { expectRefused, Scene, targetOf, thirdIn, withOneMoreDevice } from './scene.ts'

function receiptItem(receipt: Receipt): object {
  return { kind: 'receipt', receipt }
}

function toDeviceItem(userId: string, sender: object, to: TestDevice): object {
  const { session, message } = fakeWrap(pairOf(to))
  const recipient = pairOf(to)
  return {
    kind: 'to_device',
    user_id: userId,
    message: { v: 1, sender, recipient, session, message },
  }
}

/** A room on a fake peer, made by a user of its own; nobody else has heard of it. */
class PeerRoom {
  readonly peer: FakePeer
  readonly maker: TestDevice
  readonly events: RoomEvent[] = []
  room: Room

  constructor(peer: FakePeer, maker: TestDevice) {
    this.peer = peer
    this.maker = maker
    const { submissions } = maker.createRoomBody()
    const [create, join, power] = submissions
    assert.ok(create !== undefined && join !== undefined && power !== undefined)
    const begun = peer.beginRoom(create)
    this.events.push(begun)
    this.room = peer.room(begun.roomId)
    this.#add(peer.roster(this.room, maker))
    this.#add(peer.order(this.room, join))
    this.#add(peer.order(this.room, power))
  }

  #add(event: RoomEvent): void {
    this.peer.remember(event)
    this.events.push(event)
    this.room = follow(this.room, event)
  }

  /** Adds state of somebody's. */
  state(by: TestDevice, peer: FakePeer, body: Parameters<TestDevice['sealState']>[2]): RoomEvent {
    const event = peer.order(this.room, by.sealState(this.room.id, this.room.state, body))
    this.#add(event)
    return event
  }

  invitation(by: TestDevice, peer: FakePeer, whom: TestDevice): RoomEvent {
    const body = inviteBody(whom.member, whom.userId)
    return peer.order(this.room, by.sealState(this.room.id, this.room.state, body))
  }

  item(event: RoomEvent, without: (one: RoomEvent) => boolean = () => false): object {
    const known = new Map(this.events.map((one) => [one.id, one]))
    const state = stateBundle(this.room.state, { getEvent: (id) => known.get(id) })
    const pdus = state.filter((one) => !without(one)).map(({ pdu }) => pdu)
    return { kind: 'invite', pdu: event.pdu, state: pdus }
  }
}

async function notInvited(setting: Setting, alice: TestDevice, room: string): Promise<void> {
  assert.equal(await membershipSaid(alice, room, alice.member), 'M_NOT_FOUND')
  const follower = await setting.follow(alice)
  assert.equal(follower.memberships.has(room), false, 'an invitation that must not count is shown')
}

export const hostileNews: readonly HostileCase[] = [
  {
    name: 'takes receipts from the member’s own server only',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['receipt_origin'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const tom = await thirdIn(setting, scene)
      const { alice, room, follower } = scene
      const { envelope_id: envelope } = await alice.say(room.id, 'who has this?')
      const said = { room: room.id, envelope, kind: 'read' as const, ts: Date.now() }
      const receipt = makeReceipt(crypto, tom.local, said)
      expectRefused(await scene.push(receiptItem(receipt)))
      await scene.neverSees()
      assert.ok(!follower.receipts.some(({ member }) => member === tom.member))
      const own = await setting.peer('third').push(scene.target, [receiptItem(receipt)])
      assert.deepEqual(own, ['taken'])
      await until(async () =>
        (await follower.catchUp()).receipts.some(({ sig }) => sig === receipt.sig),
      )
    },
  },
  {
    name: 'refuses a receipt that its device has not signed',
    section: '5.11',
    peers: ['evil'],
    without: ['receipt_signature'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice, eve, room, follower } = scene
      const { envelope_id: envelope } = await alice.say(room.id, 'who has this?')
      const said = { room: room.id, envelope, kind: 'delivered' as const, ts: Date.now() }
      const receipt = makeReceipt(crypto, eve.local, said)
      expectRefused(await scene.push(receiptItem({ ...receipt, kind: 'read' })))
      await scene.neverSees()
      assert.ok(!follower.receipts.some(({ member }) => member === eve.member))
      assert.deepEqual(await scene.push(receiptItem(receipt)), ['taken'])
    },
  },
  {
    name: 'takes messages to devices only in the name of the sending server’s users',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['to_device_origin'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice, eve, follower } = scene
      const stranger = `@tom:${setting.peer('third').name}`
      const unheardOf = { member: toBase64Url(random(32)), device: eve.id }
      expectRefused(await scene.push(toDeviceItem(stranger, unheardOf, alice)))
      await scene.neverSees()
      assert.ok(!follower.toDevice.some(({ user_id }) => user_id === stranger))
      assert.deepEqual(await scene.push(toDeviceItem(eve.userId, pairOf(eve), alice)), ['taken'])
      await until(async () =>
        (await follower.catchUp()).toDevice.some(({ user_id }) => user_id === eve.userId),
      )
    },
  },
  {
    name: 'refuses messages to devices under a fingerprint that lives elsewhere',
    section: '15.5',
    peers: ['evil'],
    without: ['to_device_sender'],
    async run(setting) {
      const bob = await setting.regular('bob')
      const scene = await Scene.open(setting)
      const { alice, eve, follower } = scene
      expectRefused(await scene.push(toDeviceItem(eve.userId, pairOf(bob), alice)))
      await scene.neverSees()
      assert.ok(!follower.toDevice.some(({ member }) => member === bob.member))
    },
  },
  {
    name: 'takes a name only from the home of who bears it',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['profile_origin'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const tom = await thirdIn(setting, scene)
      const { alice, follower } = scene
      await alice.ok('manifest', { params: { userId: tom.userId } })
      const called = `not ${tom.name}`
      const news = { user_id: tom.userId, member: tom.member, display_name: called }
      expectRefused(await scene.push({ kind: 'profile', ...news }))
      await scene.neverSees()
      assert.ok(!follower.profiles.some(({ display_name }) => display_name === called))
    },
  },
  {
    name: 'takes that somebody writes only from the home of who does',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['typing_origin'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const tom = await thirdIn(setting, scene)
      const { alice, room } = scene
      const said = { room: room.id, timeout: 20_000 }
      for (const { member } of [tom, alice])
        expectRefused(await scene.push({ kind: 'typing', member, ...said }))
      const look = { rooms: {}, typing: [room.id] }
      const told = await alice.ok('syncWindows', { body: look })
      assert.deepEqual(told.typing?.[room.id] ?? [], [])
    },
  },
  {
    name: 'takes news of a manifest only from the home of its account',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['manifest_origin'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const tom = await thirdIn(setting, scene)
      const head = toBase64Url(random(32))
      const news = { user_id: tom.userId, member: tom.member, head, height: 7 }
      expectRefused(await scene.push({ kind: 'manifest', ...news }))
    },
  },
  {
    name: 'keeps a manifest that its home rolls back or forks, as it was known before',
    section: '2.8',
    peers: ['evil'],
    without: ['manifest_rollback'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice, eve, peer } = scene
      const params = { userId: eve.userId }
      const first = { head: eve.manifest.head, log: [...peer.log(eve.userId)] }
      const [genesis] = first.log
      assert.ok(genesis !== undefined)
      const grown = withOneMoreDevice(eve)
      const forked = withOneMoreDevice(eve)
      const logOf = (entry: SignedEntry): SignedEntry[] => [genesis, entry]
      const { fingerprint, head } = grown.state
      const tell = async (height: number): Promise<void> => {
        const news = { user_id: eve.userId, member: eve.member, head, height }
        assert.deepEqual(await scene.push({ kind: 'manifest', ...news }), ['taken'])
      }
      peer.setLog(eve.userId, fingerprint, head, logOf(grown.entry))
      await tell(1)
      const known = await alice.ok('manifest', { params })
      assert.deepEqual([known.head, known.height], [head, 1])
      const lies = [
        { head: first.head, entries: first.log },
        { head: forked.state.head, entries: logOf(forked.entry) },
      ]
      for (const lie of lies) {
        peer.setLog(eve.userId, fingerprint, lie.head, lie.entries)
        await tell(9)
        await alice.call('manifest', { params })
        // Without the home server, a node gives what it has.
        peer.answers.manifest = ({ response }) => void response.destroy()
        const kept = await alice.ok('manifest', { params })
        assert.deepEqual([kept.head, kept.height, kept.entries.length], [head, 1, 2])
        peer.behave()
      }
    },
  },
  {
    name: 'shows an invitation only with the state that proves it',
    section: '15.5',
    peers: ['evil'],
    without: ['invite_auth'],
    async run(setting) {
      const peer = setting.peer('evil')
      peer.behave()
      const alice = await setting.regular('alice')
      await setting.follow(alice)
      const maker = peer.newUser(setting.name('maker'))
      const made = new PeerRoom(peer, maker)
      const push = (item: object): Promise<string[]> => peer.push(targetOf(setting), [item])
      const invitation = made.invitation(maker, peer, alice)
      for (const withheld of ['e.room.create', 'e.room.power', 'e.room.member', 'e.room.roster'])
        expectRefused(
          await push(made.item(invitation, ({ header }) => header.type === withheld)),
          'wrong_auth_events',
          'no_room',
          'missing_auth_event',
        )
      const outsider = peer.newUser(setting.name('outsider'))
      expectRefused(await push(made.item(made.invitation(outsider, peer, alice))))
      await notInvited(setting, alice, made.room.id)
      assert.deepEqual(await push(made.item(invitation)), ['taken'])
      await setting.membership(alice, made.room.id, alice, 'invite')
    },
  },
  {
    name: 'believes no state beside an invitation that its makers have not signed',
    section: '8.13',
    peers: ['evil', 'third'],
    without: ['invite_state'],
    async run(setting) {
      const [evil, third] = [setting.peer('evil'), setting.peer('third')]
      evil.behave()
      third.behave()
      const alice = await setting.regular('alice')
      await setting.follow(alice)
      const tom = third.newUser(setting.name('tom'))
      const made = new PeerRoom(third, tom)
      const eve = evil.newUser(setting.name('eve'))
      // Eve was never in: her server makes up that she is, in the other server's name.
      const forged = third.order(
        made.room,
        tom.sealState(made.room.id, made.room.state, inviteBody(eve.member, eve.userId)),
        { nodeKey: { ...evil.key, keyId: third.key.keyId } },
      )
      const withEve = follow(made.room, forged)
      const roster = evil.roster(withEve, eve)
      const stated = follow(withEve, roster)
      const join = evil.order(
        stated,
        eve.sealState(made.room.id, stated.state, joinBody(eve.member, eve.userId)),
      )
      const inside = follow(stated, join)
      const invitation = evil.order(
        inside,
        eve.sealState(made.room.id, inside.state, inviteBody(alice.member, alice.userId)),
      )
      const pdus = [...made.events, forged, roster, join, ...stateEvents(inside.state)]
      const state = [...new Map(pdus.map((one) => [one.id, one.pdu])).values()]
      const item = { kind: 'invite', pdu: invitation.pdu, state }
      expectRefused(await evil.push(targetOf(setting), [item]))
      await notInvited(setting, alice, made.room.id)
    },
  },
  {
    name: 'takes an invitation only from the server that has made it',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['invite_origin'],
    async run(setting) {
      const [evil, third] = [setting.peer('evil'), setting.peer('third')]
      evil.behave()
      third.behave()
      const alice = await setting.regular('alice')
      await setting.follow(alice)
      const tom = third.newUser(setting.name('tom'))
      const made = new PeerRoom(third, tom)
      const invitation = made.invitation(tom, third, alice)
      expectRefused(await evil.push(targetOf(setting), [made.item(invitation)]), 'wrong_origin')
      await notInvited(setting, alice, made.room.id)
    },
  },
  {
    name: 'gives a peer the wraps for its own devices and no others',
    section: '15.5',
    peers: ['evil', 'third'],
    without: ['wrap_home'],
    async run(setting) {
      const bob = await setting.regular('bob')
      const scene = await Scene.open(setting, { others: [bob] })
      const tom = await thirdIn(setting, scene)
      const { alice, eve, room, peer } = scene
      const people = [bob, tom, eve]
      const said = await alice.say(
        room.id,
        'for three',
        people.map((one) => fakeWrap(pairOf(one))),
      )
      for (const [server, user] of [
        [peer, eve],
        [setting.peer('third'), tom],
      ] as const) {
        const wraps = (): unknown =>
          server.received.find(
            (item) =>
              (item['pdu'] as { event?: { envelope_id?: string } } | undefined)?.event
                ?.envelope_id === said.envelope_id,
          )?.['wraps']
        await until(
          () => wraps() !== undefined,
          () => 'an event never reaches a server in the room',
        )
        const recipients = (wraps() as { device: string }[]).map(({ device }) => device)
        assert.deepEqual(recipients, [user.id])
      }
    },
  },
  {
    name: 'gives a room to none of those who are not in it',
    section: '15.7',
    peers: ['evil'],
    without: ['room_view'],
    async run(setting) {
      const peer = setting.peer('evil')
      const alice = await setting.regular('alice')
      const room = await alice.createRoom()
      await assert.rejects(peer.fetchRoom(targetOf(setting), room), /missing: 404/)
    },
  },
  {
    name: 'gives those who were removed nothing of what came after',
    section: '15.7',
    peers: ['evil'],
    without: ['room_view'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice, eve, peer, room } = scene
      const before = await alice.say(room.id, 'before')
      const removal = kickBody(await alice.state(room.id), eve.member)
      assert.equal((await alice.setState(room.id, removal)).status, 200)
      const after = await alice.say(room.id, 'after')
      await scene.refresh()
      const given = peer.eventsIn(room.id).map(({ id }) => id)
      assert.ok(given.includes(before.event_id), 'what came before is withheld')
      assert.ok(!given.includes(after.event_id), 'what came after is given')
    },
  },
  {
    name: 'gives the bodies of messages to nobody whose members may not see them',
    section: '15.7',
    peers: ['evil'],
    without: ['body_view'],
    async run(setting) {
      const alice = await setting.regular('alice')
      const peer = setting.peer('evil')
      peer.behave()
      const eve = peer.newUser(setting.name('eve'))
      const room = await alice.createRoom([], { history: 'joined' })
      const before = await alice.say(room, 'before')
      assert.equal((await alice.setState(room, inviteBody(eve.member, eve.userId))).status, 200)
      const target = targetOf(setting)
      await peer.join(target, room, eve)
      const after = await alice.say(room, 'after')
      await peer.fetchRoom(target, room)
      const bodyOf = (id: string): string | null | undefined =>
        peer.eventsIn(room).find((event) => event.id === id)?.pdu.body
      assert.equal(bodyOf(before.event_id), null)
      assert.equal(typeof bodyOf(after.event_id), 'string')
    },
  },
]
