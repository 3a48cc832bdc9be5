import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import {
  banBody,
  fromBase64Url,
  inviteBody,
  joinBody,
  joinRuleOf,
  joinRulesBody,
  kickBody,
  knockBody,
  leaveBody,
  makeReceipt,
  members,
  membershipOf,
  nameBody,
  rosterOf,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { StateBody } from '../../src-shared/protocol/index.ts'
import { serverApi } from '../../src-shared/api/index.ts'
import { isolated } from '../config.ts'
import { startNode } from '../testing/start-node.ts'
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
import { FakePeer } from '../../conformance/fake-peer.ts'

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

  it('carries that somebody writes to who answers now, and keeps nothing for who does not', async () => {
    const [alice, bob] = await people()
    const room = await together(alice, bob)
    const writes = (timeout: number) =>
      bob.ok('typing', { params: { roomId: room }, body: { timeout } })
    const look = (since: string | undefined, timeout: number) =>
      alice.ok('syncWindows', {
        body: { rooms: {}, typing: [room], timeout, ...(since === undefined ? {} : { since }) },
      })
    let { next } = await look(undefined, 0)
    const told = async (): Promise<readonly string[]> => {
      for (;;) {
        const answer = await look(next, 20_000)
        next = answer.next
        if (answer.typing !== undefined) return answer.typing[room] ?? []
      }
    }
    const waiting = told()
    await writes(20_000)
    expect(await waiting).toEqual([bob.member])
    await writes(0)
    expect(await told()).toEqual([])
    net.cut('a.test', 'b.test')
    try {
      await writes(20_000)
      const left = await b.node?.context.storage.read((tx) => tx.federation.destinations())
      expect(left).toEqual([])
    } finally {
      net.heal()
    }
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

/** What a device that is outside is shown of the room, by way of `via`. */
async function door(asking: TestDevice, room: string, via: string) {
  const { events } = await asking.ok('state', { params: { roomId: room }, query: { via } })
  return stateFrom(events)
}

async function sends(who: TestDevice, room: string, body: StateBody, via = 'a.test') {
  const { status, body: answer } = await who.submit(
    room,
    who.sealState(room, await door(who, room, via), body),
  )
  return status === 200 ? 'taken' : `${answer.errcode} ${answer.rule ?? ''}`.trim()
}

const knock = (who: TestDevice): StateBody => knockBody(who.member, who.userId)
const join = (who: TestDevice): StateBody => joinBody(who.member, who.userId)
const leave = (who: TestDevice): StateBody => leaveBody(who.member, who.userId)

/** How the device is told that it stands in the room, by a sync from the beginning or from `since`. */
async function told(who: TestDevice, room: string, since?: string): Promise<string | undefined> {
  return (await who.sync(since)).rooms[room]?.membership
}

describe('the door of a room on another node', () => {
  it('is asked at, and the asking withdrawn, declined, answered', async () => {
    const [alice, bob] = await people()
    const dora = await register(a, `dora${count}`)
    const room = await alice.createRoom([joinRulesBody('knock'), invite(dora)])
    await dora.setState(room, join(dora))
    const shown = await door(bob, room, 'a.test')
    expect(joinRuleOf(shown)).toBe('knock')
    // Who has set up the door, and nobody else behind it.
    expect(members(shown).map(({ member }) => member)).toEqual([alice.member])
    let { next } = await bob.sync()
    const becomes = async (membership: string) => {
      await until(async () => (await told(bob, room, next)) === membership)
      next = (await bob.sync(next)).next
    }
    expect(await sends(bob, room, knock(bob))).toBe('taken')
    await until(async () => (await membership(alice, room, bob)) === 'knock')
    await becomes('knock')
    // Another device of the account learns of it as well.
    expect(await told(bob, room)).toBe('knock')
    expect(await sends(bob, room, leave(bob))).toBe('taken')
    await until(async () => (await membership(alice, room, bob)) === 'leave')
    await becomes('leave')
    expect(await sends(bob, room, knock(bob))).toBe('taken')
    await until(async () => (await membership(alice, room, bob)) === 'knock')
    await becomes('knock')
    await alice.setState(room, kickBody(await alice.state(room), bob.member))
    await becomes('leave')
    expect(await sends(bob, room, knock(bob))).toBe('taken')
    await until(async () => (await membership(alice, room, bob)) === 'knock')
    await becomes('knock')
    await alice.setState(room, invite(bob))
    await becomes('invite')
    expect((await bob.setState(room, join(bob))).status).toBe(200)
    await until(async () => (await membership(alice, room, bob)) === 'join')
    expect(await stateIds(bob, room)).toBe(await stateIds(alice, room))
  })

  it('is shut to the banned, inside or asking, until the ban is lifted', async () => {
    const [alice, bob] = await people()
    const carol = await register(b, `carol${count}`)
    const room = await alice.createRoom([joinRulesBody('knock'), invite(bob)])
    await until(async () => (await membership(bob, room, bob)) === 'invite')
    expect((await bob.setState(room, join(bob))).status).toBe(200)
    await until(async () => (await membership(alice, room, bob)) === 'join')
    const inside = (await bob.sync()).next
    await alice.setState(room, banBody(await alice.state(room), bob.member, 'Off topic'))
    await until(async () => (await told(bob, room, inside)) === 'ban')
    const ban = (await bob.sync(inside)).rooms[room]?.timeline.at(-1)?.pdu.body ?? ''
    expect(new TextDecoder().decode(fromBase64Url(ban))).toContain('Off topic')
    const closed = await bob.call('state', { params: { roomId: room }, query: { via: 'a.test' } })
    expect(closed.body.errcode).toBe('M_FORBIDDEN')
    // Nobody of the other node is in the room any more: it is told from afar.
    expect(await sends(carol, room, knock(carol))).toBe('taken')
    await until(async () => (await membership(alice, room, carol)) === 'knock')
    const asked = (await carol.sync()).next
    await alice.setState(room, banBody(await alice.state(room), carol.member))
    await until(async () => (await told(carol, room, asked)) === 'ban')
    for (const who of [bob, carol]) {
      const before = (await who.sync()).next
      await alice.setState(room, kickBody(await alice.state(room), who.member))
      await until(async () => (await told(who, room, before)) === 'leave')
      expect(await sends(who, room, knock(who))).toBe('taken')
      await until(async () => (await membership(alice, room, who)) === 'knock')
    }
  })

  it('is open where the room is public, by any node that is in it', async () => {
    const trio = await FederationNet.open(['x.test', 'y.test', 'z.test'])
    try {
      const [x, y, z] = [
        await trio.start('x.test'),
        await trio.start('y.test'),
        await trio.start('z.test'),
      ]
      const [xena, yves, zoe] = [
        await register(x, 'xena'),
        await register(y, 'yves'),
        await register(z, 'zoe'),
      ]
      const room = await xena.createRoom([joinRulesBody('public')])
      const nowhere = await zoe.call('state', { params: { roomId: room } })
      expect(nowhere.body.errcode).toBe('M_NOT_FOUND')
      expect(await sends(yves, room, join(yves), 'x.test')).toBe('taken')
      await until(async () => (await membership(xena, room, yves)) === 'join')
      // The node that the room's id names is out of reach for the third, which has met it and needs no more.
      const met = await xena.createRoom([invite(zoe)])
      await until(async () => (await membership(zoe, met, zoe)) === 'invite')
      trio.cut('x.test', 'z.test')
      const by = (via: string) =>
        zoe.call('state', { params: { roomId: room }, query: { via } }).then(({ body }) => body)
      expect((await by('x.test')).errcode).toBe('E_PEER_UNREACHABLE')
      expect((await by('x.test,y.test,z.test,w.test')).errcode).toBe('M_INVALID_PARAM')
      expect(await sends(zoe, room, join(zoe), 'x.test,y.test')).toBe('taken')
      await until(async () => (await membership(yves, room, zoe)) === 'join')
      trio.heal()
      await until(async () => (await membership(xena, room, zoe)) === 'join')
      for (const who of [yves, zoe])
        await until(async () => (await stateIds(who, room)) === (await stateIds(xena, room)))
    } finally {
      await trio.close()
    }
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
    await until(async () => {
      await listen(bob, heard)
      return ids.every((id) => heard.wraps.has(id))
    })
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

describe('the size of what goes from node to node', () => {
  it('tells little, unless the operator wants it to', async () => {
    const sizes: number[] = []
    const lengths = [10, 200, 2100, 2200]
    const peer = createServer((request, response) => {
      let size = 0
      request.on('data', (chunk: Buffer) => (size += chunk.length))
      request.on('end', () => {
        const asks = request.url === serverApi.version.path
        const { host = '' } = request.headers
        const answer = asks ? new FakePeer(host).version() : { results: [] }
        if (!asks) sizes.push(size)
        response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(answer))
      })
    })
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
    const { port } = peer.address() as AddressInfo
    const address = { host: '127.0.0.1', port, rootFile: null, plainHttp: true }
    const sent = async (metadataPadding: boolean): Promise<number[]> => {
      sizes.length = 0
      const federation = {
        ...isolated,
        mode: 'open' as const,
        plainHttpOnLoopback: true,
        peers: Object.fromEntries(lengths.map((length) => [`p${length}.test`, address])),
        metadataPadding,
      }
      const node = await startNode({ serverName: 'a.test', federation })
      for (const length of lengths) {
        const said = { kind: 'typing' as const, id: 'x', member: 'm', timeout: 1 }
        node.context.outbound.whisper(`p${length}.test`, { ...said, room: 'r'.repeat(length) })
      }
      await until(() => sizes.length === lengths.length)
      await node.stop()
      return [...new Set(sizes)]
    }
    try {
      const [small, large = 0, ...others] = (await sent(true)).sort((a, b) => a - b)
      expect([small, large % 128, others]).toEqual([1024, 0, []])
      expect((await sent(false)).length).toBe(4)
    } finally {
      peer.close()
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
