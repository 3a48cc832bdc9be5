import { afterEach, describe, expect, it, vi } from 'vitest'
import {
  applyEvent,
  decodePdu,
  emptyState,
  inviteBody,
  joinBody,
  kickBody,
  leaveBody,
  membershipOf,
  memberPowerBody,
  nameBody,
  powerOf,
  sameState,
  toBase64Url,
  topicBody,
  toUtf8,
} from '../../src-shared/protocol/index.ts'
import type { Json, Pdu, RoomState } from '../../src-shared/protocol/index.ts'
import { FederationNet } from '../testing/federation-net.ts'
import type { Member } from '../testing/federation-net.ts'
import { until } from '../testing/engine-users.ts'
import { crypto, fakeWrap, register } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

vi.setConfig({ testTimeout: 280_000 })

const NAMES = ['a.test', 'b.test', 'c.test'] as const
let net: FederationNet | null = null
afterEach(async () => {
  await net?.close()
  net = null
})

interface Scene {
  readonly net: FederationNet
  readonly members: readonly Member[]
  readonly people: readonly TestDevice[]
  readonly room: string
}

/** One person on each of three nodes, in one room in which everyone may change some things. */
async function scene(seed: number): Promise<Scene> {
  net = await FederationNet.open(NAMES, seed)
  const members: Member[] = []
  const people: TestDevice[] = []
  for (const [index, name] of NAMES.entries()) {
    const member = await net.start(name)
    members.push(member)
    people.push(await register(member, ['ann', 'bea', 'cem'][index] ?? ''))
  }
  const [ann, ...others] = people
  if (ann === undefined) throw new Error('nobody')
  const room = await ann.createRoom(others.map((one) => inviteBody(one.member, one.userId)))
  for (const one of others) {
    await until(async () => (await one.call('state', { params: { roomId: room } })).status === 200)
    const joined = await one.setState(room, joinBody(one.member, one.userId))
    if (joined.status !== 200) throw new Error(`join: ${joined.body.errcode} ${joined.body.rule}`)
  }
  for (const one of people)
    await until(async () => {
      const state = await one.state(room)
      return people.every((other) => membershipOf(state, other.member) === 'join')
    })
  for (const one of others)
    await ann.setState(room, memberPowerBody(await ann.state(room), one.member, 50))
  return { net, members, people, room }
}

/** What a node has of the room: its events, those it refused, and the state it resolves to. */
async function pictureOf({ node }: Member, room: string): Promise<Record<string, string>> {
  if (node === null) throw new Error('not running')
  return node.context.storage.read(async (tx) => {
    const rows = await tx.events.before(room, Number.MAX_SAFE_INTEGER, 100_000)
    const of = (rejected: number): string =>
      rows
        .filter((row) => row.rejected === rejected)
        .map((row) => row.event_id)
        .sort()
        .join('\n')
    const state = [...(await tx.rooms.currentState(room))].sort().join('\n')
    const waiting = (await tx.federation.destinations()).map(({ waiting }) => waiting).join()
    return { events: of(0), rejected: of(1), state, waiting }
  })
}

async function settled({ members, room }: Scene): Promise<void> {
  await until(async () => {
    const pictures = await Promise.all(members.map((member) => pictureOf(member, room)))
    const [first] = pictures
    return (
      pictures.every((one) => one['waiting'] === '') &&
      pictures.every((one) => JSON.stringify(one) === JSON.stringify(first))
    )
  }, 120_000)
}

async function wrapsHeard(device: TestDevice, room: string): Promise<Map<string, boolean>> {
  const heard = new Map<string, boolean>()
  let next: string | undefined
  for (;;) {
    const answer = await device.sync(next)
    for (const { pdu, wrap } of answer.rooms[room]?.timeline ?? []) {
      const id = pdu.event.envelope_id
      heard.set(id, (heard.get(id) ?? false) || wrap !== undefined)
    }
    if (answer.next === next) return heard
    next = answer.next
  }
}

interface Place {
  readonly since: string | undefined
  readonly state: RoomState
}

/** Where somebody stands who applies what the sync says in its order, and nothing else. */
async function follow(device: TestDevice, room: string, from: Place): Promise<Place> {
  const take = (state: RoomState, pdu: Pdu): RoomState => {
    const decoded = decodePdu(crypto, pdu as unknown as Json)
    return decoded.ok ? applyEvent(state, decoded.event) : state
  }
  let { since, state } = from
  for (;;) {
    const answer = await device.sync(since)
    const delta = answer.rooms[room]
    if (delta?.state !== undefined) state = delta.state.reduce(take, emptyState)
    state = (delta?.timeline ?? []).map(({ pdu }) => pdu).reduce(take, state)
    if (answer.next === since) return { since, state }
    since = answer.next
  }
}

const nowhere: Place = { since: undefined, state: emptyState }

describe('three nodes', () => {
  it('resolve to the same state after both sides of a partition changed it', async () => {
    const all = await scene(7)
    const { net: links, people, room, members } = all
    await settled(all)
    const [ann, bea, cem] = people as [TestDevice, TestDevice, TestDevice]
    const places = await Promise.all(people.map((one) => follow(one, room, nowhere)))
    links.cut('a.test', 'b.test')
    links.cut('a.test', 'c.test')
    await ann.setState(room, nameBody('By Ann'))
    await ann.setState(room, memberPowerBody(await ann.state(room), cem.member, 0))
    await bea.setState(room, nameBody('By Bea'))
    await cem.setState(room, topicBody('By Cem, who may not any more'))
    for (const one of people) await one.say(room, `${one.name} alone`)
    links.heal()
    await settled(all)
    const states = await Promise.all(people.map((one) => one.state(room)))
    const [first] = states
    expect(states.map((state) => [...(state.events.get('e.room.topic')?.keys() ?? [])])).toEqual([
      [],
      [],
      [],
    ])
    // Ann is stronger: what she did stands first, and Bea's change rests on a name that is no more.
    expect(first?.events.get('e.room.name')?.get('')?.header.member).toBeDefined()
    for (const [at, one] of people.entries()) {
      const followed = await follow(one, room, places[at] ?? nowhere)
      const started = await follow(one, room, nowhere)
      const state = first ?? emptyState
      expect([one.name, sameState(followed.state, state)]).toEqual([one.name, true])
      expect([one.name, sameState(started.state, state)]).toEqual([one.name, true])
    }
    await bea.say(room, 'together again')
    await settled(all)
    expect(await pictureOf(members[0] as Member, room)).toEqual(
      await pictureOf(members[2] as Member, room),
    )
  })

  it('agree before anybody speaks again where each forbids what the other did; the loser is an end and hidden', async () => {
    const all = await scene(9)
    const { net: links, people, room, members } = all
    const [ann, bea, cem] = people as [TestDevice, TestDevice, TestDevice]
    for (const one of [bea, cem])
      await ann.setState(room, memberPowerBody(await ann.state(room), one.member, 100))
    await settled(all)
    for (const other of ['a.test', 'c.test']) links.cut('b.test', other)
    const listed = [await bea.state(room), await cem.state(room)]
    const strangers = ['someone else', 'another'].map((text) =>
      toBase64Url(crypto.sha256(toUtf8(text))),
    ) as [string, string]
    await bea.setState(room, memberPowerBody(listed[0] as RoomState, strangers[0], 100))
    await cem.setState(room, memberPowerBody(listed[1] as RoomState, strangers[1], 100))
    links.heal()
    await settled(all)
    for (const { node } of members) {
      if (node === null) throw new Error('not running')
      await node.context.storage.read(async (tx) => {
        const ends = await tx.events.extremities(room)
        expect(ends).toHaveLength(2)
        const current = await tx.rooms.currentState(room)
        expect(ends.filter((id) => current.includes(id))).toHaveLength(1)
      })
    }
    const states = await Promise.all(people.map((one) => one.state(room)))
    expect(states.map((state) => powerOf(state, strangers[0]))).toEqual([100, 100, 100])
    expect(states.map((state) => powerOf(state, strangers[1]))).toEqual([0, 0, 0])
    // Bea's node met the loser when it was out of force.
    const loser = (await wrapsHeard(cem, room)).size
    expect((await wrapsHeard(bea, room)).size).toBe(loser - 1)
    const said = await bea.say(room, 'both ends')
    await settled(all)
    await members[1]?.node?.context.storage.read(async (tx) => {
      expect(await tx.events.extremities(room)).toHaveLength(1)
      const row = await tx.events.byEnvelope(room, said.envelope_id)
      expect(JSON.parse(row?.pdu ?? '{}').event.prev_events).toHaveLength(2)
    })
  })

  it('give what somebody said before leaving, with what it rests on and its wraps', async () => {
    const all = await scene(21)
    const { net: links, people, room } = all
    const [ann, bea, cem] = people as [TestDevice, TestDevice, TestDevice]
    await settled(all)
    for (const other of ['a.test', 'b.test']) links.cut('c.test', other)
    const before = await ann.say(room, 'what it rests on')
    await until(async () => (await wrapsHeard(bea, room)).has(before.envelope_id))
    const wrap = fakeWrap({ member: cem.member, device: cem.id })
    const last = await bea.say(room, 'a last word', [wrap])
    await bea.setState(room, leaveBody(bea.member, bea.userId))
    links.heal()
    // Nobody but the one that has left can tell.
    links.cut('a.test', 'c.test')
    await until(async () => (await wrapsHeard(cem, room)).get(last.envelope_id) === true)
    expect((await wrapsHeard(cem, room)).has(before.envelope_id)).toBe(true)
  })

  it('leave nobody behind whom a removal struck that does not stand', async () => {
    const all = await scene(22)
    const { net: links, people, room, members } = all
    const [ann, bea, cem] = people as [TestDevice, TestDevice, TestDevice]
    await ann.setState(room, memberPowerBody(await ann.state(room), cem.member, 0))
    await settled(all)
    for (const other of ['b.test', 'c.test']) links.cut('a.test', other)
    expect(
      (await ann.setState(room, memberPowerBody(await ann.state(room), bea.member, 0))).status,
    ).toBe(200)
    const kicked = await bea.setState(room, kickBody(await bea.state(room), cem.member))
    expect(kicked.status).toBe(200)
    await until(async () => (await cem.call('state', { params: { roomId: room } })).status === 403)
    // Nothing of this goes to a server that is not in the room.
    const meanwhile = await bea.say(room, 'meanwhile')
    links.heal()
    await settled(all)
    expect(membershipOf(await cem.state(room), cem.member)).toBe('join')
    await members[2]?.node?.context.storage.read(async (tx) => {
      expect(await tx.events.byEnvelope(room, meanwhile.envelope_id)).toBeDefined()
    })
    await cem.say(room, 'still here')
  })
})
