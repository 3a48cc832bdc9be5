/** Sync: positions, waiting, starting anew, gaps, receipts, and messages to single devices. */
import { strict as assert } from 'node:assert'
import {
  inviteBody,
  joinBody,
  makeReceipt,
  membershipOf,
  stateEvent,
} from '../../src-shared/protocol/index.ts'
import type { ToDeviceEnvelope } from '../../src-shared/protocol/index.ts'
import type { SyncResponse } from '../../src-shared/api/index.ts'
import type { Case } from '../case.ts'
import { crypto, fakeWrap, letIn, newTxn, signIn, stateFrom } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { Follower } from '../follower.ts'
import { expectError, pairOf } from '../setting.ts'

const isNews = ({ rooms, to_device, manifests, profiles }: SyncResponse): boolean =>
  Object.keys(rooms).length + to_device.length + manifests.length + profiles.length > 0

function messageTo(from: TestDevice, to: TestDevice): ToDeviceEnvelope {
  const { session, message } = fakeWrap(pairOf(to))
  return { v: 1, sender: pairOf(from), recipient: pairOf(to), session, message }
}

function handIn(from: TestDevice, to: TestDevice, message: ToDeviceEnvelope, txnId = newTxn()) {
  const messages = [{ user_id: to.userId, ...pairOf(to), message }]
  return from.call('toDevice', { params: { txnId }, body: { messages } })
}

export const clientSync: readonly Case[] = [
  {
    name: 'tells each event once and in order, and the same again for the same position',
    section: '9.2',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const room = await setting.room(alice, [bob])
      const follower = await setting.follow(bob)
      const from = follower.position
      const sent = await alice.sayMany(room, 12)
      const once = await bob.sync(from)
      assert.deepEqual(await bob.sync(from), once)
      await follower.catchUp()
      assert.deepEqual(follower.order(room).slice(-sent.length), sent)
      for (const id of sent) assert.equal(follower.seen(id)?.times, 1)
    },
  },
  {
    name: 'wakes who waits when something is new, and no one else',
    section: '9.2',
    async run(setting) {
      const [alice, bob, carol] = [
        await setting.regular('alice'),
        await setting.regular('bob'),
        await setting.regular('carol'),
      ]
      const room = await setting.room(alice, [bob])
      const since = (await setting.follow(bob)).position
      const others = (await setting.follow(carol)).position
      const waiting = bob.sync(since, 30_000)
      const strange = carol.sync(others, 1500)
      const { envelope_id: id } = await alice.say(room, 'wake up')
      const told = (await waiting).rooms[room]?.timeline.map(({ pdu }) => pdu.event.envelope_id)
      assert.deepEqual(told, [id])
      assert.equal(isNews(await strange), false)
    },
  },
  {
    name: 'refuses positions that are made up or another’s future',
    section: '9.1',
    async run(setting) {
      const bob = await setting.regular('bob')
      const { position = '' } = await setting.follow(bob)
      for (const since of ['nonsense', `${position}x`, 'A'.repeat(128)]) {
        const { status, body } = await bob.call('sync', { query: { since } })
        assert.deepEqual([since, status, body.errcode], [since, 409, 'E_SYNC_RESET'])
      }
      const long = await bob.call('sync', { query: { since: 'A'.repeat(129) } })
      expectError(long, 400, 'M_INVALID_PARAM')
    },
  },
  {
    name: 'refuses positions of another node',
    section: '9.1',
    second: true,
    async run(setting) {
      const bob = await setting.regular('bob')
      const other = await setting.regular('bob', setting.second)
      const { position = '' } = await setting.follow(other)
      const { status, body } = await bob.call('sync', { query: { since: position } })
      expectError({ status, body }, 409, 'E_SYNC_RESET')
    },
  },
  {
    name: 'shows an invitation with what it takes to check and answer it',
    section: '9.3',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const { position } = await setting.follow(bob)
      const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
      const delta = (await bob.sync(position)).rooms[room]
      assert.deepEqual([delta?.membership, delta?.timeline], ['invite', []])
      const state = stateFrom(delta?.state ?? [])
      assert.equal(membershipOf(state, bob.member), 'invite')
      for (const type of ['e.room.create', 'e.room.power'])
        assert.ok(stateEvent(state, type) !== undefined, type)
      for (const member of [alice.member, bob.member])
        assert.ok(stateEvent(state, 'e.room.roster', member) !== undefined)
      const answer = bob.sealState(room, state, joinBody(bob.member, bob.userId))
      assert.equal((await bob.submit(room, answer)).status, 200)
    },
  },
  {
    name: 'starts a new device with the state and latest events of every room, and marks the gap',
    section: '9.4',
    async run(setting) {
      const alice = await setting.regular('alice')
      const owner = await setting.newcomer('start')
      const rooms = [await setting.room(alice, [owner]), await setting.room(alice, [owner])]
      const [room = '', quiet = ''] = rooms
      const sent = await alice.sayMany(room, 24)
      const second = await signIn(owner)
      await letIn(owner, second)
      const first = await second.sync()
      const meanwhile = await alice.say(room, 'meanwhile')
      const follower = new Follower(second)
      follower.take(first)
      await follower.catchUp()
      for (const one of rooms) assert.equal(follower.memberships.get(one), 'join')
      assert.ok(follower.order(quiet).length > 0)
      assert.equal(follower.seen(meanwhile.envelope_id)?.times, 1)
      const told = follower.order(room)
      assert.ok(follower.gaps.has(room), 'older events were left out and no gap is marked')
      const older = (await follower.older(room, 7)).map(({ pdu }) => pdu.event.envelope_id)
      assert.equal(new Set([...told, ...older]).size, told.length + older.length)
      const whole = [...older.reverse(), ...told].filter((id) => sent.includes(id))
      assert.deepEqual(whole, sent)
    },
  },
  {
    name: 'keeps wraps and messages of a device until its position has passed them',
    section: '9.1',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const room = await setting.room(alice, [bob])
      const { position } = await setting.follow(bob)
      const wrap = fakeWrap(pairOf(bob))
      await alice.say(room, 'hello', [wrap])
      const message = messageTo(alice, bob)
      assert.equal((await handIn(alice, bob, message)).status, 200)
      const whole = async (): Promise<Follower> => {
        const follower = new Follower(bob)
        follower.take(await bob.sync(position))
        follower.take(await bob.sync(follower.position))
        return follower
      }
      const first = await bob.sync(position)
      const again = await bob.sync(position)
      assert.deepEqual(again, first)
      const follower = await whole()
      assert.deepEqual(
        follower.toDevice.map((one) => one.message),
        [message],
      )
      const [last = ''] = follower.order(room).slice(-1)
      assert.deepEqual(follower.seen(last)?.wraps, [wrap])
    },
  },
  {
    name: 'gives messages to single devices once each, in the name of who sent them',
    section: '9.5',
    async run(setting) {
      const [alice, bob] = [await setting.regular('alice'), await setting.regular('bob')]
      const follower = await setting.follow(bob)
      const before = follower.toDevice.length
      const txn = newTxn()
      const message = messageTo(alice, bob)
      for (let time = 0; time < 2; time++)
        assert.equal((await handIn(alice, bob, message, txn)).status, 200)
      const other = await handIn(alice, bob, messageTo(alice, bob), txn)
      expectError(other, 409, 'E_TXN_REUSED')
      expectError(await handIn(alice, bob, messageTo(bob, bob)), 403, 'M_FORBIDDEN')
      await follower.catchUp()
      const told = follower.toDevice.slice(before)
      const { userId: user_id, member } = alice
      const [{ id = '' } = {}] = told
      assert.deepEqual(told, [{ id, user_id, member, message }])
    },
  },
  {
    name: 'passes signed receipts on once, and refuses those of others',
    section: '5.11',
    async run(setting) {
      const [alice, bob, carol] = [
        await setting.regular('alice'),
        await setting.regular('bob'),
        await setting.regular('carol'),
      ]
      const room = await setting.room(alice, [bob])
      const { envelope_id: envelope } = await alice.say(room, 'did you get it?')
      const said = { room, envelope, kind: 'delivered' as const, ts: Date.now() }
      const receipt = makeReceipt(crypto, bob.local, said)
      const post = (device: TestDevice, one: typeof receipt) =>
        device.call('receipts', { params: { roomId: room }, body: { receipts: [one] } })
      const follower = await setting.follow(alice)
      const before = follower.receipts.length
      for (let time = 0; time < 2; time++) assert.equal((await post(bob, receipt)).status, 200)
      const unknown = makeReceipt(crypto, bob.local, { ...said, envelope: 'A'.repeat(43) })
      assert.equal((await post(bob, unknown)).status, 200)
      expectError(await post(alice, receipt), 403, 'M_FORBIDDEN')
      expectError(await post(bob, { ...receipt, kind: 'read' }), 403, 'M_FORBIDDEN')
      const outside = makeReceipt(crypto, carol.local, said)
      expectError(await post(carol, outside), 404, 'M_NOT_FOUND')
      await follower.catchUp()
      assert.deepEqual(follower.receipts.slice(before), [receipt])
    },
  },
  {
    name: 'tells those who share a room of new manifests and names, and strangers nothing',
    section: '9.3',
    async run(setting) {
      const bob = await setting.regular('bob')
      const owner = await setting.newcomer('news')
      const stranger = await setting.newcomer('stranger')
      await setting.room(owner, [bob])
      const [told, strange] = [await setting.follow(bob), await setting.follow(stranger)]
      const display_name = setting.name('Owner')
      await owner.ok('setProfile', { body: { display_name } })
      await letIn(owner, await signIn(owner))
      await told.catchUp()
      const { userId: user_id, member, manifest } = owner
      const news = { user_id, member, head: manifest.head, height: 1 }
      assert.deepEqual(told.manifests.filter((one) => one.member === member).at(-1), news)
      assert.ok(told.profiles.some((one) => one.display_name === display_name))
      await strange.catchUp()
      assert.ok(!strange.manifests.some((one) => one.member === member))
    },
  },
]
