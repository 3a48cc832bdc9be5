/** Rooms, sending and history on one node, as a client meets them. */
import { strict as assert } from 'node:assert'
import {
  banBody,
  decodePdu,
  fromBase64Url,
  historyVisibilityBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  knockBody,
  members,
  leaveBody,
  memberPowerBody,
  membershipOf,
  nameBody,
  openState,
  rosterOf,
  sameState,
  stateEvents,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { Json, RoomEvent } from '../../src-shared/protocol/index.ts'
import type { Submission } from '../../src-shared/api/index.ts'
import type { Case } from '../case.ts'
import { crypto, fakeWrap, letIn, newTxn, random, signIn, stateFrom } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { expectError, membershipSaid, pairOf } from '../setting.ts'
import type { Setting } from '../setting.ts'

const invite = (who: TestDevice) => inviteBody(who.member, who.userId)
const join = (who: TestDevice) => joinBody(who.member, who.userId)
const leave = (who: TestDevice) => leaveBody(who.member, who.userId)

async function three(setting: Setting): Promise<[TestDevice, TestDevice, TestDevice]> {
  return [
    await setting.regular('alice'),
    await setting.regular('bob'),
    await setting.regular('carol'),
  ]
}

async function ok(answer: Promise<{ readonly status: number; readonly body: object }>) {
  const { status, body } = await answer
  assert.equal(status, 200, JSON.stringify(body))
}

/** Envelope ids of all that a device may see of a room. */
async function history(setting: Setting, device: TestDevice, room: string): Promise<string[]> {
  const follower = await setting.follow(device)
  const older = await follower.older(room)
  return [...follower.order(room), ...older.map(({ pdu }) => pdu.event.envelope_id)]
}

export const clientRooms: readonly Case[] = [
  {
    name: 'makes a room, and states the rosters of its maker and of whom it invites',
    section: '10.8',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await alice.createRoom([invite(bob)])
      const state = await alice.state(room)
      for (const one of [alice, bob])
        assert.equal(rosterOf(state, one.member)?.head, one.manifest.head)
      assert.equal(membershipOf(state, bob.member), 'invite')
    },
  },
  {
    name: 'gives state of which a client can verify every event',
    section: '8.13',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await setting.room(alice, [bob])
      const { events } = await alice.ok('state', { params: { roomId: room } })
      const { signing_key: key, retired_keys: retired = [] } = setting.node.capabilities
      const keys = new Map([key, ...retired].map((one) => [one.key_id, fromBase64Url(one.ed25519)]))
      const decoded = events.map((pdu): RoomEvent => {
        const result = decodePdu(crypto, pdu as unknown as Json)
        assert.ok(result.ok, 'an event whose ids and hashes hold')
        return result.event
      })
      const { state, refused } = openState(crypto, room, decoded, (_server, id) => keys.get(id))
      assert.deepEqual(refused, [])
      assert.ok(sameState(state, stateFrom(events)))
    },
  },
  {
    name: 'makes a room once, however often it is asked under one transaction id',
    section: '10.10',
    async run(setting) {
      const [alice] = await three(setting)
      const body = alice.createRoomBody()
      const first = await alice.ok('createRoom', { body })
      assert.deepEqual(await alice.ok('createRoom', { body }), first)
      const other = { ...alice.createRoomBody(), txn: body.txn }
      expectError(await alice.call('createRoom', { body: other }), 409, 'E_TXN_REUSED')
      const again = await alice.call('createRoom', { body: { ...body, txn: newTxn() } })
      expectError(again, 400, 'E_BAD_ENVELOPE', 'envelope_repeated')
    },
  },
  {
    name: 'takes all of a room’s first envelopes or none, the create envelope first',
    section: '10.8',
    async run(setting) {
      const [alice] = await three(setting)
      const body = alice.createRoomBody()
      const reversed = { ...body, submissions: [...body.submissions].reverse() }
      expectError(await alice.call('createRoom', { body: reversed }), 400, 'E_BAD_ENVELOPE')
      const other = { ...body, visibility: 'invite_only' as const }
      expectError(await alice.call('createRoom', { body: other }), 400, 'E_BAD_ENVELOPE')
      const made = await alice.ok('createRoom', { body })
      assert.equal(made.event_ids.length, body.submissions.length)
    },
  },
  {
    name: 'refuses to invite whom it does not know',
    section: '10.8',
    async run(setting) {
      const [alice, bob, carol] = await three(setting)
      const nobody = `@${setting.name('nobody')}:${setting.node.serverName}`
      for (const body of [
        inviteBody(toBase64Url(random(32)), nobody),
        inviteBody(bob.member, carol.userId),
      ]) {
        const answer = await alice.call('createRoom', { body: alice.createRoomBody([body]) })
        expectError(answer, 403, 'E_UNAUTHORIZED_EVENT')
      }
    },
  },
  {
    name: 'shows nobody a room that is none of theirs',
    section: '10.8',
    async run(setting) {
      const [alice, bob, carol] = await three(setting)
      const room = await setting.room(alice, [bob])
      const state = await alice.state(room)
      assert.equal(await membershipSaid(carol, room, carol.member), 'M_NOT_FOUND')
      const intruder = carol.submit(room, carol.sealState(room, state, join(carol)))
      expectError(await intruder, 404, 'M_NOT_FOUND')
      const nowhere = `!${'A'.repeat(43)}:${setting.node.serverName}`
      const lost = carol.submit(nowhere, carol.sealMessage(nowhere, state, 'x'))
      expectError(await lost, 404, 'M_NOT_FOUND')
      const { position } = await setting.follow(carol)
      const query = { before: position ?? 'x' }
      const page = await carol.call('messages', { params: { roomId: room }, query })
      assert.ok(page.status === 404 || page.body.errcode === 'M_INVALID_PARAM')
    },
  },
  {
    name: 'lets the invited decline, members leave, and those with power remove and ban',
    section: '8.5.3',
    async run(setting) {
      const [alice, bob, carol] = await three(setting)
      const room = await alice.createRoom([invite(bob), invite(carol)])
      await ok(carol.setState(room, leave(carol)))
      await ok(bob.setState(room, join(bob)))
      const state = await bob.state(room)
      const coup = bob.submit(room, bob.sealState(room, state, kickBody(state, alice.member)))
      expectError(await coup, 403, 'E_UNAUTHORIZED_EVENT', 'not_outranked')
      const own = await alice.state(room)
      await ok(alice.setState(room, banBody(own, bob.member)))
      const back = bob.submit(room, bob.sealState(room, await alice.state(room), join(bob)))
      expectError(await back, 403, 'E_UNAUTHORIZED_EVENT', 'banned')
      assert.equal(await membershipSaid(bob, room, bob.member), 'M_FORBIDDEN')
      await ok(alice.setState(room, kickBody(own, bob.member)))
      await ok(alice.setState(room, invite(bob)))
      await ok(bob.setState(room, join(bob)))
      await ok(bob.setState(room, leave(bob)))
      await setting.membership(alice, room, bob, 'leave')
    },
  },
  {
    name: 'lets anyone join a public room, and anyone knock where knocking is the rule',
    section: '8.12',
    async run(setting) {
      const [alice, bob, carol] = await three(setting)
      const open = await alice.createRoom([joinRulesBody('public')])
      const state = await alice.state(open)
      await ok(carol.submit(open, carol.sealState(open, state, join(carol))))
      await setting.membership(alice, open, carol, 'join')
      const door = await alice.createRoom([joinRulesBody('knock'), invite(carol)])
      await ok(carol.setState(door, join(carol)))
      // Who may ask is shown the door, and not who is behind it.
      const before = await bob.state(door)
      assert.deepEqual(
        members(before).map(({ member }) => member),
        [alice.member],
      )
      const early = bob.submit(door, bob.sealState(door, before, join(bob)))
      expectError(await early, 403, 'E_UNAUTHORIZED_EVENT', 'not_invited')
      const knock = knockBody(bob.member, bob.userId)
      await ok(bob.submit(door, bob.sealState(door, before, knock)))
      await setting.membership(alice, door, bob, 'knock')
      await ok(alice.setState(door, invite(bob)))
      await ok(bob.setState(door, join(bob)))
    },
  },
  {
    name: 'states a new roster in every room of a member whose devices changed',
    section: '6.1',
    async run(setting) {
      const alice = await setting.regular('alice')
      const owner = await setting.newcomer('rosters')
      const rooms = [await setting.room(owner, [alice]), await setting.room(alice, [owner])]
      await letIn(owner, await signIn(owner))
      for (const room of rooms) {
        const roster = rosterOf(await alice.state(room), owner.member)
        assert.deepEqual([roster?.head, roster?.devices?.length], [owner.manifest.head, 2])
      }
    },
  },
  {
    name: 'takes the same bytes under one transaction id once, and no others',
    section: '10.10',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await setting.room(alice, [bob])
      const state = await alice.state(room)
      const message = alice.sealMessage(room, state, 'once')
      const txn = newTxn()
      const answers = await Promise.all([1, 2, 3].map(() => alice.submit(room, message, txn)))
      const [first] = answers
      for (const answer of [...answers, await alice.submit(room, message, txn)])
        assert.deepEqual(answer, first)
      assert.equal(first?.status, 200)
      const other = alice.sealMessage(room, state, 'twice')
      expectError(await alice.submit(room, other, txn), 409, 'E_TXN_REUSED')
      const again = await alice.submit(room, message)
      expectError(again, 400, 'E_BAD_ENVELOPE', 'envelope_repeated')
      const follower = await setting.follow(bob)
      await follower.sees(first?.body.envelope_id ?? '')
      assert.equal(follower.seen(first?.body.envelope_id ?? '')?.times, 1)
      // A refused request leaves nothing behind, its transaction id included.
      const spoilt = { ...alice.sealMessage(room, state, 'spoilt'), body: toBase64Url(random(40)) }
      const free = newTxn()
      assert.equal((await alice.submit(room, spoilt, free)).status, 400)
      await ok(alice.submit(room, alice.sealMessage(room, state, 'good'), free))
    },
  },
  {
    name: 'tells a device with an old roster who is in the room now',
    section: '10.9',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await alice.createRoom([invite(bob)])
      const before = await alice.state(room)
      await ok(bob.setState(room, join(bob)))
      const answer = await alice.submit(room, alice.sealMessage(room, before, 'to whom?'))
      expectError(answer, 409, 'E_ROSTER_MISMATCH')
      const due = [alice, bob].map(({ member, manifest }) => ({ member, head: manifest.head }))
      assert.deepEqual(new Set(answer.body.roster), new Set(due))
    },
  },
  {
    name: 'tells a device that changes state which is no longer current to seal again',
    section: '10.9',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await setting.room(alice, [bob])
      const state = await alice.state(room)
      await ok(alice.submit(room, alice.sealState(room, state, nameBody('one'))))
      const late = alice.submit(room, alice.sealState(room, state, nameBody('two')))
      expectError(await late, 409, 'E_STATE_CONFLICT', 'replaces_stale')
      const raise = async (power: number) =>
        ok(alice.setState(room, memberPowerBody(await alice.state(room), bob.member, power)))
      await raise(50)
      const old = bob.sealState(room, await bob.state(room), nameBody('three'))
      await raise(60)
      expectError(await bob.submit(room, old), 409, 'E_STATE_CONFLICT', 'basis_stale')
    },
  },
  {
    name: 'refuses a sequence number that was used, and says which is free',
    section: '10.9',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await setting.room(alice, [bob])
      const state = await alice.state(room)
      const first = alice.sealMessage(room, state, 'a')
      const second = alice.sealMessage(room, state, 'b')
      await ok(alice.submit(room, second))
      const late = await alice.submit(room, first)
      expectError(late, 400, 'E_BAD_ENVELOPE', 'seq_reused')
      assert.equal(late.body.next_seq, second.envelope.seq + 1)
    },
  },
  {
    name: 'refuses an envelope that was changed, is not signed, lacks its body or is another’s',
    section: '10.9',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await setting.room(alice, [bob])
      const state = await alice.state(room)
      const good = (): Submission => alice.sealMessage(room, state, 'text')
      const message = good()
      const bad: [Submission, string][] = [
        [{ ...message, envelope: { ...message.envelope, ts: 1 } }, 'bad_envelope_signature'],
        [{ ...good(), body: toBase64Url(random(40)) }, 'wrong_body'],
        [{ ...good(), body: null }, 'body_missing'],
        [{ ...good(), envelope_sig: toBase64Url(random(64)) }, 'bad_envelope_signature'],
        [bob.sealMessage(room, state, 'stolen'), 'not_yours'],
      ]
      for (const [submission, rule] of bad)
        expectError(await alice.submit(room, submission), 400, 'E_BAD_ENVELOPE', rule)
      const body = good()
      const send = (roomId: string, eventType: string) =>
        alice.call('send', { params: { roomId, eventType, txnId: newTxn() }, body })
      const another = await alice.createRoom()
      expectError(await send(another, 'e.message'), 400, 'E_BAD_ENVELOPE', 'wrong_room')
      expectError(await send(room, 'e.other'), 400, 'E_BAD_ENVELOPE', 'wrong_type')
      await ok(send(room, 'e.message'))
    },
  },
  {
    name: 'refuses an envelope larger than 64 KiB',
    section: '5.5',
    async run(setting) {
      const [alice] = await three(setting)
      const room = await alice.createRoom()
      const message = alice.sealMessage(room, await alice.state(room), 'x')
      const answer = await alice.submit(room, { ...message, body: toBase64Url(random(70_000)) })
      assert.ok([400, 413].includes(answer.status))
      assert.ok(['M_TOO_LARGE', 'E_BAD_ENVELOPE'].includes(answer.body.errcode ?? ''))
    },
  },
  {
    name: 'takes messages of members only',
    section: '8.5',
    async run(setting) {
      const [alice, bob] = await three(setting)
      const room = await alice.createRoom([invite(bob)])
      const early = bob.submit(room, bob.sealMessage(room, await alice.state(room), 'not yet'))
      expectError(await early, 403, 'E_UNAUTHORIZED_EVENT', 'not_joined')
    },
  },
  {
    name: 'gives each wrap to its device and to no other',
    section: '6.4',
    async run(setting) {
      const alice = await setting.regular('alice')
      const owner = await setting.newcomer('wraps')
      const room = await setting.room(alice, [owner])
      const second = await signIn(owner)
      await letIn(owner, second)
      const [one, two] = [await setting.follow(owner), await setting.follow(second)]
      const wraps = [fakeWrap(pairOf(owner)), fakeWrap(pairOf(second))]
      const { envelope_id: id } = await alice.say(room, 'hello', wraps)
      assert.deepEqual((await one.sees(id)).wraps, [wraps[0]])
      assert.deepEqual((await two.sees(id)).wraps, [wraps[1]])
    },
  },
  {
    name: 'refuses wraps for strangers and unknown devices, twice for one, and beside a clear body',
    section: '10.9',
    async run(setting) {
      const [alice, bob, carol] = await three(setting)
      const room = await setting.room(alice, [bob])
      const state = await alice.state(room)
      const toBob = fakeWrap(pairOf(bob))
      const attempts: [Submission, string][] = [
        [alice.sealMessage(room, state, 'x', [fakeWrap(pairOf(carol))]), 'wrap_recipient'],
        [
          alice.sealMessage(room, state, 'x', [fakeWrap({ ...pairOf(bob), device: carol.id })]),
          'wrap_recipient',
        ],
        [alice.sealMessage(room, state, 'x', [toBob, toBob]), 'wrap_repeated'],
        [{ ...alice.sealState(room, state, nameBody('n')), wraps: [toBob] }, 'unexpected_wraps'],
      ]
      for (const [submission, rule] of attempts)
        expectError(await alice.submit(room, submission), 400, 'E_BAD_ENVELOPE', rule)
    },
  },
  {
    name: 'drops the body of what is redacted, and keeps what was signed',
    section: '7.6',
    async run(setting) {
      const [alice, bob, carol] = await three(setting)
      const room = await setting.room(alice, [bob, carol])
      const sent = await alice.say(room, 'regretted')
      const attempt = async (by: TestDevice, target: string) =>
        by.submit(room, by.sealRedaction(room, await by.state(room), target))
      const denied = await attempt(bob, sent.envelope_id)
      expectError(denied, 403, 'E_UNAUTHORIZED_EVENT', 'power_too_low')
      const unknown = await attempt(alice, 'A'.repeat(43))
      expectError(unknown, 403, 'E_UNAUTHORIZED_EVENT', 'unknown_target')
      const power = stateEvents(await alice.state(room)).find(
        ({ header }) => header.type === 'e.room.power',
      )
      const state = await attempt(alice, power?.envelopeId ?? '')
      expectError(state, 403, 'E_UNAUTHORIZED_EVENT', 'not_redactable')
      await ok(attempt(alice, sent.envelope_id))
      // Carol has not looked since: what she is given now has no body.
      const seen = await (await setting.follow(carol)).sees(sent.envelope_id)
      assert.equal(seen.pdu.body, null)
      const decoded = decodePdu(crypto, seen.pdu as unknown as Json)
      assert.equal(decoded.ok && decoded.event.id, sent.event_id)
    },
  },
  {
    name: 'shows those who join what the room’s history visibility allows, and no more',
    section: '8.11',
    async run(setting) {
      const [alice, bob] = await three(setting)
      for (const visibility of ['joined', 'invited', 'shared'] as const) {
        const room = await alice.createRoom([], { history: visibility })
        const first = await alice.say(room, 'before the invitation')
        await ok(alice.setState(room, invite(bob)))
        const second = await alice.say(room, 'before the join')
        await ok(bob.setState(room, join(bob)))
        const third = await alice.say(room, 'after')
        const seen = await history(setting, bob, room)
        const shown = [first, second, third].map(({ envelope_id: id }) => seen.includes(id))
        const due = {
          joined: [false, false, true],
          invited: [false, true, true],
          shared: [true, true, true],
        }[visibility]
        assert.deepEqual([visibility, shown], [visibility, due])
        await ok(bob.setState(room, leave(bob)))
        const fourth = await alice.say(room, 'after leaving')
        assert.ok(!(await history(setting, bob, room)).includes(fourth.envelope_id))
      }
      const room = await alice.createRoom([], { history: 'joined' })
      const early = await alice.say(room, 'early')
      await ok(alice.setState(room, historyVisibilityBody('shared')))
      await ok(alice.setState(room, invite(bob)))
      await ok(bob.setState(room, join(bob)))
      assert.ok(!(await history(setting, bob, room)).includes(early.envelope_id))
    },
  },
]
