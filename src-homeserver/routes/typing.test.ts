import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { inviteBody, joinBody, kickBody } from '../../src-shared/protocol/index.ts'
import { register } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { openStreamTo } from '../testing/stream-client.ts'
import type { StreamClient } from '../testing/stream-client.ts'
import { until } from '../testing/engine-users.ts'

let node: TestNode
let count = 0
let alice: TestDevice
let bob: TestDevice
let room: string
beforeAll(async () => {
  node = await startNode()
})
afterAll(() => node.stop())
beforeEach(async () => {
  count++
  alice = await register(node, `alice${count}`)
  bob = await register(node, `bob${count}`)
  room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
  await bob.setState(room, joinBody(bob.member, bob.userId))
})

const writes = (who: TestDevice, timeout: number, where = room) =>
  who.call('typing', { params: { roomId: where }, body: { timeout } })

const follow = (who: TestDevice, since: string | undefined, timeout = 0) =>
  who.ok('syncWindows', {
    body: { rooms: {}, typing: [room], timeout, ...(since === undefined ? {} : { since }) },
  })

/** The latest list that came over the stream. */
const latest = (stream: StreamClient) =>
  stream.frames.flatMap((frame) => (frame.type === 'typing' ? [frame.rooms[room]] : [])).at(-1)

describe('somebody who writes', () => {
  it('is told to who looks at the room, once, and that they stopped', async () => {
    let { next } = await follow(alice, undefined)
    const waiting = follow(alice, next, 20_000)
    expect((await writes(bob, 10_000)).status).toBe(200)
    const told = await waiting
    expect(told.typing).toEqual({ [room]: [bob.member] })
    next = told.next
    expect((await follow(alice, next)).typing).toBeUndefined()
    // Not to oneself, and not to who does not ask.
    expect((await follow(bob, undefined)).typing).toBeUndefined()
    const other = await alice.ok('syncWindows', { body: { since: next } })
    expect(other.typing).toBeUndefined()
    await writes(bob, 0)
    expect((await follow(alice, next)).typing).toEqual({ [room]: [] })
  })

  it('is told over a stream at once, beside news and without moving it on, until time is up', async () => {
    const stream = await openStreamTo(node.url, { token: alice.token })
    stream.say({ type: 'start', rooms: {}, typing: [room] })
    await stream.next()
    await writes(bob, 300)
    await until(() => latest(stream)?.join() === bob.member)
    await until(() => latest(stream)?.length === 0)
    const { frames } = stream
    const news = frames.filter(({ type }) => type === 'news').length
    stream.say({ type: 'look', rooms: {} })
    await alice.say(room, 'a word')
    await until(() => frames.filter(({ type }) => type === 'news').length > news)
    const before = frames.length
    await writes(bob, 300)
    await bob.sync()
    expect(frames.slice(before).filter(({ type }) => type === 'typing')).toEqual([])
    stream.socket.terminate()
  })

  it('is nobody’s business who is not in the room, from the moment they are not', async () => {
    const carol = await register(node, `carol${count}`)
    expect((await writes(carol, 1000)).body.errcode).toBe('M_NOT_FOUND')
    expect((await follow(carol, undefined)).typing).toBeUndefined()
    const stream = await openStreamTo(node.url, { token: bob.token })
    stream.say({ type: 'start', rooms: {}, typing: [room] })
    await stream.next()
    await alice.setState(room, kickBody(await alice.state(room), bob.member))
    await writes(alice, 10_000)
    expect((await writes(bob, 1000)).body.errcode).toBe('M_FORBIDDEN')
    expect(latest(stream) ?? []).toEqual([])
    stream.socket.terminate()
  })

  it('is not told of a Shadow Room, and for no longer than half a minute', async () => {
    const shadow = await alice.createRoom([], { visibility: 'shadow' })
    expect((await writes(alice, 1000, shadow)).body.errcode).toBe('M_FORBIDDEN')
    expect((await writes(alice, 30_001)).body.errcode).toBe('M_BAD_JSON')
  })
})
