import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  inviteBody,
  joinBody,
  kickBody,
  leaveBody,
  makeReceipt,
  membershipOf,
  nameBody,
  rosterOf,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { StateBody } from '../../src-shared/protocol/index.ts'
import { FederationNet } from '../testing/federation-net.ts'
import type { Member } from '../testing/federation-net.ts'
import { until } from '../testing/engine-users.ts'
import {
  crypto,
  fakeWrap,
  letIn,
  newTxn,
  random,
  register,
  removeDevice,
  signIn,
  stateFrom,
} from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 180_000 })

let net: FederationNet
let a: Member
let b: Member
let count = 0
beforeAll(async () => {
  net = await FederationNet.open(['a.test', 'b.test'])
  a = await net.start('a.test')
  b = await net.start('b.test')
})
afterAll(() => net.close())

const invite = (who: TestDevice): StateBody => inviteBody(who.member, who.userId)

async function people(): Promise<[TestDevice, TestDevice]> {
  count++
  return [await register(a, `alice${count}`), await register(b, `bob${count}`)]
}

async function membership(asking: TestDevice, room: string, who: TestDevice): Promise<string> {
  const { status, body } = await asking.call('state', { params: { roomId: room } })
  if (status !== 200) return String(body.errcode)
  return membershipOf(stateFrom(body.events), who.member) ?? 'none'
}

async function invited(alice: TestDevice, bob: TestDevice): Promise<string> {
  const room = await alice.createRoom([invite(bob)])
  await until(async () => (await membership(bob, room, bob)) === 'invite')
  return room
}

async function together(alice: TestDevice, bob: TestDevice): Promise<string> {
  const room = await invited(alice, bob)
  const joined = await bob.setState(room, joinBody(bob.member, bob.userId))
  if (joined.status !== 200) throw new Error(`join: ${joined.body.errcode} ${joined.body.rule}`)
  await until(async () => (await membership(alice, room, bob)) === 'join')
  return room
}

interface Heard {
  readonly wraps: Map<string, boolean>
  readonly receipts: string[]
  readonly toDevice: string[]
  next: string | undefined
}

/** Everything a device is told from here on, gathered. */
async function listen(device: TestDevice, heard?: Heard): Promise<Heard> {
  const all: Heard = heard ?? { wraps: new Map(), receipts: [], toDevice: [], next: undefined }
  for (;;) {
    const answer = await device.sync(all.next)
    for (const delta of Object.values(answer.rooms)) {
      for (const { pdu, wrap } of delta.timeline) {
        const known = all.wraps.get(pdu.event.envelope_id) ?? false
        all.wraps.set(pdu.event.envelope_id, known || wrap !== undefined)
      }
      all.receipts.push(...delta.receipts.map(({ envelope }) => envelope))
    }
    all.toDevice.push(...answer.to_device.map(({ user_id }) => user_id))
    if (answer.next === all.next) return all
    all.next = answer.next
  }
}

describe('a room across two nodes', () => {
  it('is entered by invitation, and is the same on both', async () => {
    const [alice, bob] = await people()
    const room = await together(alice, bob)
    expect(await membership(bob, room, alice)).toBe('join')
    const renamed = await alice.setState(room, nameBody('Both'))
    expect(renamed.status).toBe(200)
    await until(async () => (await stateIds(bob, room)) === (await stateIds(alice, room)))
  })

  it('can be declined, and the invitation is gone on both', async () => {
    const [alice, bob] = await people()
    const room = await invited(alice, bob)
    expect((await bob.setState(room, leaveBody(bob.member, bob.userId))).status).toBe(200)
    await until(async () => (await membership(alice, room, bob)) === 'leave')
    const { rooms } = await bob.sync()
    expect(Object.keys(rooms)).toEqual([])
  })

  it('loses an invitation that is taken back', async () => {
    const [alice, bob] = await people()
    const room = await invited(alice, bob)
    const kicked = await alice.setState(room, kickBody(await alice.state(room), bob.member))
    expect(kicked.status).toBe(200)
    await until(async () => (await membership(bob, room, bob)) === 'M_FORBIDDEN')
  })

  it('is left, entered again, and closed to those it removes', async () => {
    const [alice, bob] = await people()
    const room = await together(alice, bob)
    expect((await bob.setState(room, leaveBody(bob.member, bob.userId))).status).toBe(200)
    await until(async () => (await membership(alice, room, bob)) === 'leave')
    await alice.say(room, 'while bob is away')
    expect((await alice.setState(room, invite(bob))).status).toBe(200)
    await until(async () => (await membership(bob, room, bob)) === 'invite')
    expect((await bob.setState(room, joinBody(bob.member, bob.userId))).status).toBe(200)
    await until(async () => (await membership(alice, room, bob)) === 'join')
    expect(await stateIds(bob, room)).toBe(await stateIds(alice, room))
    await alice.setState(room, kickBody(await alice.state(room), bob.member))
    await until(async () => (await membership(bob, room, bob)) === 'M_FORBIDDEN')
    const back = await bob.submit(
      room,
      bob.sealState(room, await alice.state(room), joinBody(bob.member, bob.userId)),
    )
    expect(back.body.errcode).toBe('E_UNAUTHORIZED_EVENT')
  })

  it('gives each wrap to its device’s node and to no other', async () => {
    const [alice, bob] = await people()
    const room = await together(alice, bob)
    const second = await signIn(alice)
    await letIn(alice, second)
    await until(async () => rosterOf(await bob.state(room), alice.member)?.height === 1)
    const said = await alice.say(room, 'for three', [
      fakeWrap(pairOf(bob)),
      fakeWrap(pairOf(second)),
    ])
    const heard = await listen(bob)
    await until(async () => (await listen(bob, heard)).wraps.has(said.envelope_id))
    expect(heard.wraps.get(said.envelope_id)).toBe(true)
    const kept = await wrapsOn(b, said.event_id, [pairOf(bob), pairOf(second)])
    expect(kept).toEqual([true, false])
    expect(await wrapsOn(a, said.event_id, [pairOf(bob), pairOf(second)])).toEqual([false, true])
  })

  it('carries receipts, messages between devices, claims, names and manifests', async () => {
    const [alice, bob] = await people()
    const room = await together(alice, bob)
    await bob.uploadKeys(1)
    const said = await alice.say(room, 'hello')
    const heard = await listen(bob)
    await until(async () => (await listen(bob, heard)).wraps.has(said.envelope_id))
    const receipt = makeReceipt(crypto, bob.local, {
      room,
      envelope: said.envelope_id,
      kind: 'delivered',
      ts: Date.now(),
    })
    await bob.ok('receipts', { params: { roomId: room }, body: { receipts: [receipt] } })
    const toAlice = await listen(alice)
    await until(async () => (await listen(alice, toAlice)).receipts.includes(said.envelope_id))

    const wanted = { user_id: bob.userId, ...pairOf(bob) }
    const first = await alice.ok('claimKeys', { body: { devices: [wanted] } })
    expect(first.bundles[0]?.bundle.one_time).toBeDefined()
    const next = await alice.ok('claimKeys', { body: { devices: [wanted] } })
    expect(next.bundles[0]?.bundle.one_time).toBeUndefined()

    const { session, message } = fakeWrap(pairOf(bob))
    const body = {
      messages: [
        {
          ...wanted,
          message: {
            v: 1 as const,
            sender: pairOf(alice),
            recipient: pairOf(bob),
            session,
            message,
          },
        },
      ],
    }
    await alice.ok('toDevice', { params: { txnId: newTxn() }, body })
    await until(async () => (await listen(bob, heard)).toDevice.includes(alice.userId))

    const manifest = await bob.ok('manifest', { params: { userId: alice.userId } })
    expect(manifest.member).toBe(alice.member)
    const second = await signIn(alice)
    await letIn(alice, second)
    await removeDevice(alice, second)
    await until(async () => rosterOf(await bob.state(room), alice.member)?.height === 2)
    const grown = await bob.ok('manifest', { params: { userId: alice.userId } })
    expect([grown.height, grown.entries.length]).toEqual([2, 3])
    await alice.ok('setProfile', { body: { display_name: 'Alice of A' } })
    const profile = await bob.ok('profile', { params: { userId: alice.userId } })
    expect(profile.display_name).toBe('Alice of A')
  })

  it('shows messages from before only as the room allows it', async () => {
    const [alice, bob] = await people()
    for (const [history, shown] of [
      ['joined', false],
      ['shared', true],
    ] as const) {
      const room = await alice.createRoom([], { history })
      const said = await alice.say(room, 'before')
      await alice.setState(room, invite(bob))
      await until(async () => (await membership(bob, room, bob)) === 'invite')
      const joined = await bob.setState(room, joinBody(bob.member, bob.userId))
      expect(joined.status).toBe(200)
      const kept = await b.node?.context.storage.read((tx) => tx.events.byIds([said.event_id]))
      expect([history, kept?.length, kept?.[0]?.body !== null]).toEqual([history, 1, shown])
    }
  })

  it('is nothing that a third server gets to know', async () => {
    const [alice, bob] = await people()
    const room = await alice.createRoom()
    const answer = await b.node?.context.peers.call('a.test', 'missing', {
      params: { roomId: room },
      body: { wanted: [], known: [], limit: 10 },
    })
    expect(answer).toMatchObject({ ok: false, status: 404 })
    const join = await bob.submit(
      room,
      bob.sealState(room, await alice.state(room), joinBody(bob.member, bob.userId)),
    )
    expect(join.body.errcode).toBe('M_NOT_FOUND')
  })
})

describe('a node that is away', () => {
  it('gets everything when it is back, each wrap once, in order, after restarts of both', async () => {
    const [alice, bob] = await people()
    const room = await together(alice, bob)
    const heard = await listen(bob)
    await b.stop()
    const ids: string[] = []
    for (let index = 0; index < 5; index++) {
      const { envelope_id } = await alice.say(room, `${index}`, [fakeWrap(pairOf(bob))])
      ids.push(envelope_id)
    }
    await alice.setState(room, nameBody('While you were out'))
    await a.stop()
    await net.start('a.test')
    await net.start('b.test')
    alice.url = a.url
    bob.url = b.url
    await until(async () => (await listen(bob, heard)).wraps.size >= ids.length + 1)
    expect(ids.map((id) => heard.wraps.get(id))).toEqual(ids.map(() => true))
    expect([...heard.wraps.keys()].filter((id) => ids.includes(id))).toEqual(ids)
    await until(async () => (await stateIds(bob, room)) === (await stateIds(alice, room)))
    const waiting = await a.node?.context.storage.read((tx) => tx.federation.destinations())
    expect(waiting).toEqual([])
  })

  it('is told to clients as unreachable, and its users stay known', async () => {
    const [alice, bob] = await people()
    await together(alice, bob)
    await alice.ok('manifest', { params: { userId: bob.userId } })
    net.cut('a.test', 'b.test')
    try {
      const known = await alice.ok('manifest', { params: { userId: bob.userId } })
      expect(known.member).toBe(bob.member)
      const unknown = await alice.call('manifest', { params: { userId: '@nobody:b.test' } })
      expect([unknown.status, unknown.body.errcode]).toEqual([504, 'E_PEER_UNREACHABLE'])
      const claim = { user_id: bob.userId, ...pairOf(bob) }
      const claimed = await alice.ok('claimKeys', { body: { devices: [claim] } })
      expect(claimed).toEqual({ bundles: [], missing: [pairOf(bob)] })
    } finally {
      net.heal()
    }
  })
})

describe('an isolated node', () => {
  it('neither asks nor answers', async () => {
    const alone = await FederationNet.open(['c.test', 'd.test'])
    try {
      const c = await alone.start('c.test', { mode: 'isolated' })
      const d = await alone.start('d.test', { mode: 'allow_list', allow: ['e.test'] })
      expect(c.node?.federationUrl).toBeNull()
      const carol = await register(c, 'carol')
      const dave = await register(d, 'dave')
      const nobody = toBase64Url(random(32))
      for (const [who, server] of [
        [carol, 'd.test'],
        [dave, 'c.test'],
      ] as const) {
        const body = who.createRoomBody([inviteBody(nobody, `@x:${server}`)])
        const answer = await who.call('createRoom', { body })
        expect(answer.body.errcode).toBe('E_FEDERATION_UNAVAILABLE')
      }
    } finally {
      await alone.close()
    }
  })
})

function pairOf({ member, id }: TestDevice): { member: string; device: string } {
  return { member, device: id }
}

async function wrapsOn(
  { node }: Member,
  event: string,
  devices: readonly { member: string; device: string }[],
): Promise<boolean[] | undefined> {
  return node?.context.storage.read((tx) =>
    Promise.all(
      devices.map(async ({ member, device }) =>
        (await tx.wraps.forEvents(member, device, [event])).has(event),
      ),
    ),
  )
}

async function stateIds(device: TestDevice, room: string): Promise<string> {
  const { events } = await device.ok('state', { params: { roomId: room } })
  return [...new Set(events.map(({ event }) => event.envelope_id))].sort().join()
}
