/** Two nodes: what somebody on one says is on the other, and both agree. */
import { strict as assert } from 'node:assert'
import {
  banBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  knockBody,
  leaveBody,
  makeReceipt,
  memberPowerBody,
  nameBody,
  rosterOf,
  toBase64Url,
  topicBody,
} from '../../src-shared/protocol/index.ts'
import type { StateBody } from '../../src-shared/protocol/index.ts'
import { serverApi } from '../../src-shared/api/index.ts'
import type { Case } from '../case.ts'
import {
  crypto,
  fakeWrap,
  letIn,
  newTxn,
  random,
  removeDevice,
  signIn,
  stateFrom,
} from '../device.ts'
import type { TestDevice } from '../device.ts'
import { raw } from '../place.ts'
import { expectError, membershipSaid, pairOf } from '../setting.ts'
import type { Setting } from '../setting.ts'
import { until } from '../until.ts'

const invite = (who: TestDevice): StateBody => inviteBody(who.member, who.userId)
const join = (who: TestDevice): StateBody => joinBody(who.member, who.userId)
const leave = (who: TestDevice): StateBody => leaveBody(who.member, who.userId)

/** Alice on the node, Bob on the second. */
async function people(setting: Setting): Promise<[TestDevice, TestDevice]> {
  return [await setting.regular('alice'), await setting.regular('bob', setting.second)]
}

async function ok(answer: Promise<{ readonly status: number; readonly body: object }>) {
  const { status, body } = await answer
  assert.equal(status, 200, JSON.stringify(body))
}

async function stateIds(device: TestDevice, room: string): Promise<string> {
  const { events } = await device.ok('state', { params: { roomId: room } })
  return [...new Set(events.map(({ event }) => event.envelope_id))].sort().join()
}

async function agree(room: string, ...devices: readonly TestDevice[]): Promise<void> {
  await until(
    async () => new Set(await Promise.all(devices.map((one) => stateIds(one, room)))).size === 1,
    () => 'the nodes do not come to the same state',
  )
}

const cases: readonly Omit<Case, 'second'>[] = [
  {
    name: 'says to other nodes who it is and under which keys it signs',
    section: '15.2',
    async run({ node }) {
      assert.ok(node.federationUrl !== null, 'no address for other nodes')
      const version = await raw(`${node.federationUrl}${serverApi.version.path}`)
      const about = serverApi.version.response.parse(version.json)
      assert.equal(about.server_name, node.serverName)
      const keys = await raw(`${node.federationUrl}${serverApi.keys.path}`)
      const document = serverApi.keys.response.parse(keys.json)
      assert.equal(document.server_name, node.serverName)
      assert.equal(document.keys[0]?.ed25519, node.capabilities.signing_key.ed25519)
      assert.equal(document.keys[0]?.until, null)
    },
  },
  {
    name: 'shares a room by invitation, and both nodes come to the same state',
    section: '15.6',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob])
      await setting.membership(bob, room, alice, 'join')
      await ok(alice.setState(room, nameBody('Both')))
      await agree(room, alice, bob)
    },
  },
  {
    name: 'carries messages both ways, each with the wrap of its recipient device alone',
    section: '15.5',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob])
      const [here, there] = [await setting.follow(alice), await setting.follow(bob)]
      const toBob = fakeWrap(pairOf(bob))
      const one = await alice.say(room, 'there', [toBob])
      assert.deepEqual((await there.sees(one.envelope_id)).wraps, [toBob])
      const toAlice = fakeWrap(pairOf(alice))
      const two = await bob.say(room, 'and back', [toAlice])
      assert.deepEqual((await here.sees(two.envelope_id)).wraps, [toAlice])
      assert.equal(there.seen(one.envelope_id)?.times, 1)
      assert.deepEqual(here.order(room).slice(-2), [one.envelope_id, two.envelope_id])
    },
  },
  {
    name: 'lets an invitation be declined, and the room be gone for who declined',
    section: '15.6',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await alice.createRoom([invite(bob)])
      await setting.membership(bob, room, bob, 'invite')
      await ok(bob.setState(room, leave(bob)))
      await setting.membership(alice, room, bob, 'leave')
      assert.match(await membershipSaid(bob, room, bob.member), /^(M_|leave)/)
    },
  },
  {
    name: 'lets an invitation be taken back',
    section: '15.6',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await alice.createRoom([invite(bob)])
      await setting.membership(bob, room, bob, 'invite')
      await ok(alice.setState(room, kickBody(await alice.state(room), bob.member)))
      await until(async () => /^M_/.test(await membershipSaid(bob, room, bob.member)))
      const late = bob.submit(room, bob.sealState(room, await alice.state(room), join(bob)))
      assert.ok((await late).status >= 400)
    },
  },
  {
    name: 'lets a member leave, come back and be removed',
    section: '15.6',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob])
      await ok(bob.setState(room, leave(bob)))
      await setting.membership(alice, room, bob, 'leave')
      const away = await alice.say(room, 'while bob is away')
      await ok(alice.setState(room, invite(bob)))
      await setting.membership(bob, room, bob, 'invite')
      await ok(bob.setState(room, join(bob)))
      await setting.membership(alice, room, bob, 'join')
      await agree(room, alice, bob)
      await ok(alice.setState(room, kickBody(await alice.state(room), bob.member)))
      await setting.membership(bob, room, bob, 'M_FORBIDDEN')
      const back = bob.submit(room, bob.sealState(room, await alice.state(room), join(bob)))
      expectError(await back, 403, 'E_UNAUTHORIZED_EVENT')
      const after = await alice.say(room, 'after')
      const there = await setting.follow(bob)
      assert.equal(there.seen(after.envelope_id), undefined)
      assert.ok(away.event_id.startsWith('$'))
    },
  },
  {
    name: 'keeps who is banned out, on both nodes',
    section: '8.5.3',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob], [joinRulesBody('public')])
      await ok(alice.setState(room, banBody(await alice.state(room), bob.member)))
      await setting.membership(bob, room, bob, 'M_FORBIDDEN')
      const back = bob.submit(room, bob.sealState(room, await alice.state(room), join(bob)))
      expectError(await back, 403, 'E_UNAUTHORIZED_EVENT', 'banned')
    },
  },
  {
    name: 'lets somebody join a public room of the other node without an invitation',
    section: '8.12',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await alice.createRoom([joinRulesBody('public')])
      const state = await alice.state(room)
      await ok(bob.submit(room, bob.sealState(room, state, join(bob))))
      await setting.membership(alice, room, bob, 'join')
      await agree(room, alice, bob)
    },
  },
  {
    name: 'carries a knock to the other node and the invitation back',
    section: '8.12',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await alice.createRoom([joinRulesBody('knock')])
      const knock = knockBody(bob.member, bob.userId)
      const via = { via: alice.server }
      const door = await bob.ok('state', { params: { roomId: room }, query: via })
      await ok(bob.submit(room, bob.sealState(room, stateFrom(door.events), knock)))
      await setting.membership(alice, room, bob, 'knock')
      await ok(alice.setState(room, invite(bob)))
      await setting.membership(bob, room, bob, 'invite')
      await ok(bob.setState(room, join(bob)))
      await setting.membership(alice, room, bob, 'join')
    },
  },
  {
    name: 'hides from the other node’s people what came before them, where the room says so',
    section: '8.11',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const shown: boolean[] = []
      for (const history of ['joined', 'shared'] as const) {
        const room = await alice.createRoom([], { history })
        const before = await alice.say(room, 'before')
        await ok(alice.setState(room, invite(bob)))
        await setting.membership(bob, room, bob, 'invite')
        await ok(bob.setState(room, join(bob)))
        await setting.membership(alice, room, bob, 'join')
        const after = await alice.say(room, 'after')
        const follower = await setting.follow(bob)
        await follower.sees(after.envelope_id)
        const older = (await follower.older(room)).filter(({ pdu }) => pdu.body !== null)
        const ids = [...follower.order(room), ...older.map(({ pdu }) => pdu.event.envelope_id)]
        shown.push(ids.includes(before.envelope_id))
      }
      assert.deepEqual(shown, [false, true])
    },
  },
  {
    name: 'fills the history of a long room for who joins from elsewhere',
    section: '15.7',
    slow: true,
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await alice.createRoom([])
      const sent = await alice.sayMany(room, 60)
      await ok(alice.setState(room, invite(bob)))
      await setting.membership(bob, room, bob, 'invite')
      await ok(bob.setState(room, join(bob)))
      const follower = await setting.follow(bob)
      await until(async () => (await follower.catchUp()).memberships.get(room) === 'join')
      const older = (await follower.older(room, 25)).map(({ pdu }) => pdu.event.envelope_id)
      const whole = [...older.reverse(), ...follower.order(room)].filter((id) => sent.includes(id))
      assert.deepEqual(whole, sent)
    },
  },
  {
    name: 'carries receipts, messages to devices, claims, names and manifests',
    section: '15.5',
    async run(setting) {
      const alice = await setting.newcomer('mobile')
      const bob = await setting.newcomer('far', setting.second)
      const room = await setting.room(alice, [bob])
      await bob.uploadKeys(1)
      const [here, there] = [await setting.follow(alice), await setting.follow(bob)]
      const { envelope_id: envelope } = await alice.say(room, 'hello')
      await there.sees(envelope)
      const said = { room, envelope, kind: 'delivered' as const, ts: Date.now() }
      const receipt = makeReceipt(crypto, bob.local, said)
      await ok(bob.call('receipts', { params: { roomId: room }, body: { receipts: [receipt] } }))
      await until(async () =>
        (await here.catchUp()).receipts.some(({ sig }) => sig === receipt.sig),
      )

      const wanted = { user_id: bob.userId, ...pairOf(bob) }
      const claims = [1, 2].map(() => ({ body: { devices: [wanted] } }))
      const given: boolean[] = []
      for (const one of claims) {
        const { bundles } = await alice.ok('claimKeys', one)
        given.push(bundles[0]?.bundle.one_time !== undefined)
      }
      assert.deepEqual(given, [true, false])

      const { session, message } = fakeWrap(pairOf(bob))
      const sealed = {
        v: 1 as const,
        sender: pairOf(alice),
        recipient: pairOf(bob),
        session,
        message,
      }
      const messages = [{ ...wanted, message: sealed }]
      await ok(alice.call('toDevice', { params: { txnId: newTxn() }, body: { messages } }))
      await until(async () => (await there.catchUp()).toDevice.length > 0)
      assert.deepEqual(
        there.toDevice.map((one) => [one.user_id, one.message]),
        [[alice.userId, sealed]],
      )

      const second = await signIn(alice)
      await letIn(alice, second)
      await removeDevice(alice, second)
      await until(async () => rosterOf(await bob.state(room), alice.member)?.height === 2)
      const log = await bob.ok('manifest', { params: { userId: alice.userId } })
      assert.deepEqual([log.member, log.height, log.entries.length], [alice.member, 2, 3])
      const display_name = setting.name('Alice')
      await alice.ok('setProfile', { body: { display_name } })
      const profile = await bob.ok('profile', { params: { userId: alice.userId } })
      assert.equal(profile.display_name, display_name)
      await until(async () =>
        (await there.catchUp()).profiles.some((one) => one.display_name === display_name),
      )
    },
  },
  {
    name: 'takes the body of what is redacted away on both nodes',
    section: '7.6',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const carol = await setting.regular('carol', setting.second)
      const room = await setting.room(alice, [bob, carol])
      const said = await bob.say(room, 'regretted')
      const here = await setting.follow(alice)
      await here.sees(said.envelope_id)
      const redaction = alice.sealRedaction(room, await alice.state(room), said.envelope_id)
      await ok(alice.submit(room, redaction))
      const there = await setting.follow(bob)
      await until(async () => {
        await there.catchUp()
        return there.order(room).some((id) => there.seen(id)?.pdu.envelope.type === 'e.redaction')
      })
      // Carol has not looked since.
      const seen = await (await setting.follow(carol)).sees(said.envelope_id)
      assert.equal(seen.pdu.body, null)
    },
  },
  {
    name: 'holds power alike on both nodes',
    section: '8.4',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob])
      const early = bob.setState(room, topicBody('mine'))
      expectError(await early, 403, 'E_UNAUTHORIZED_EVENT', 'power_too_low')
      await ok(alice.setState(room, memberPowerBody(await alice.state(room), bob.member, 50)))
      await agree(room, alice, bob)
      await ok(bob.setState(room, topicBody('granted')))
      await agree(room, alice, bob)
      const state = await bob.state(room)
      const coup = bob.submit(room, bob.sealState(room, state, banBody(state, alice.member)))
      expectError(await coup, 403, 'E_UNAUTHORIZED_EVENT', 'not_outranked')
      const more = bob.submit(
        room,
        bob.sealState(room, state, memberPowerBody(state, bob.member, 90)),
      )
      expectError(await more, 403, 'E_UNAUTHORIZED_EVENT', 'power_too_low')
    },
  },
  {
    name: 'comes to one state when both nodes speak at once',
    section: '8.9',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob])
      await ok(alice.setState(room, memberPowerBody(await alice.state(room), bob.member, 50)))
      await agree(room, alice, bob)
      const answers = await Promise.all([
        alice.setState(room, nameBody('here')),
        bob.setState(room, nameBody('there')),
        alice.setState(room, topicBody('here')),
        bob.setState(room, topicBody('there')),
      ])
      assert.ok(answers.some(({ status }) => status === 200))
      const [one, two] = [await alice.say(room, 'one'), await bob.say(room, 'two')]
      for (const who of [alice, bob])
        for (const { envelope_id: id } of [one, two]) await (await setting.follow(who)).sees(id)
      await agree(room, alice, bob)
    },
  },
  {
    name: 'tells its clients on which other servers a room lives',
    section: '10.9',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await setting.room(alice, [bob])
      const params = { roomId: room }
      const { servers } = await alice.ok('roomServers', { params })
      assert.deepEqual(
        servers.map(({ server }) => server),
        [setting.second.serverName],
      )
      const carol = await setting.regular('carol')
      expectError(await carol.call('roomServers', { params }), 404, 'M_NOT_FOUND')
    },
  },
  {
    name: 'says nothing of a room to a node that has nobody in it',
    section: '15.7',
    async run(setting) {
      const [alice, bob] = await people(setting)
      const room = await alice.createRoom()
      const attempt = bob.submit(room, bob.sealState(room, await alice.state(room), join(bob)))
      expectError(await attempt, 404, 'M_NOT_FOUND')
    },
  },
  {
    name: 'refuses invitations of people whom the other node does not know',
    section: '15.7',
    async run(setting) {
      const [alice] = await people(setting)
      const nobody = `@${setting.name('nobody')}:${setting.second.serverName}`
      const body = alice.createRoomBody([inviteBody(toBase64Url(random(32)), nobody)])
      const { status, body: said } = await alice.call('createRoom', { body })
      assert.ok(status === 200 || said.errcode === 'E_UNAUTHORIZED_EVENT')
      const missing = await alice.call('manifest', { params: { userId: nobody } })
      expectError(missing, 404, 'M_NOT_FOUND')
    },
  },
]

export const federationCases: readonly Case[] = cases.map((one) => ({ ...one, second: true }))
