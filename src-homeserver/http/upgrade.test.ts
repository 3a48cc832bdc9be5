import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { inviteBody, joinBody } from '../../src-shared/protocol/index.ts'
import { streamClose } from '../../src-shared/api/index.ts'
import type { Look, SyncResponse } from '../../src-shared/api/index.ts'
import { hashToken } from './bearer.ts'
import { openStream } from '../sync/stream.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { openStreamTo } from '../testing/stream-client.ts'
import type { StreamClient } from '../testing/stream-client.ts'
import { fakeWrap, register, removeDevice, letIn, signIn } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

let node: TestNode
let count = 0
let alice: TestDevice
let bob: TestDevice
let room: string
beforeAll(async () => {
  node = await startNode({
    syncItems: 10,
    publicBaseUrl: 'https://node.test',
    stream: { pingMs: 50, silenceMs: 600 },
  })
})
afterAll(() => node.stop())
beforeEach(async () => {
  count++
  alice = await register(node, `alice${count}`)
  bob = await register(node, `bob${count}`)
  room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
  await bob.setState(room, joinBody(bob.member, bob.userId))
})

const connect = (device: TestDevice): Promise<StreamClient> =>
  openStreamTo(node.url, { token: device.token })

const envelopes = (page: SyncResponse): string[] =>
  page.rooms[room]?.timeline.map(({ pdu }) => pdu.event.envelope_id) ?? []

const isQuiet = ({ rooms, to_device: messages }: SyncResponse): boolean =>
  Object.keys(rooms).length === 0 && messages.length === 0

/** Takes and stores everything there is; where it ends. */
async function catchUp(stream: StreamClient, through?: Look, since?: string): Promise<string> {
  stream.say({ type: 'start', ...through, ...(since === undefined ? {} : { since }) })
  for (;;) {
    const page = await stream.next()
    stream.say({ type: 'stored', position: page.next })
    if (isQuiet(page)) return page.next
  }
}

describe('the upgrade', () => {
  it('is refused without a token, to pages of other sites, and without the subprotocol', async () => {
    const refused = (options: Parameters<typeof openStreamTo>[1]) =>
      openStreamTo(node.url, options).then(
        () => 'open',
        (error: Error) => error.message,
      )
    expect(await refused({})).toBe('401')
    expect(await refused({ token: 'nonsense' })).toBe('401')
    expect(await refused({ token: bob.token, origin: 'https://evil.test' })).toBe('403')
    expect(await refused({ token: bob.token, protocol: 'chat' })).toBe('400')
    expect(await refused({ token: bob.token, origin: 'https://node.test' })).toBe('open')
  })

  it('is known from the capabilities', async () => {
    const { transports, features } = await bob.ok('capabilities')
    expect(transports).toContain('websocket')
    expect(features).toContain('sync_windows')
  })
})

describe('a stream', () => {
  it('tells what happens as it happens, and goes on from what was stored', async () => {
    const stream = await connect(bob)
    const caughtUp = await catchUp(stream)
    const first = await alice.say(room, 'one')
    const page = await stream.next()
    expect(envelopes(page)).toEqual([first.envelope_id])
    stream.socket.terminate()
    const again = await connect(bob)
    again.say({ type: 'start', since: caughtUp })
    expect(await again.next()).toMatchObject({ rooms: page.rooms })
    const on = await connect(bob)
    on.say({ type: 'start', since: page.next })
    expect(isQuiet(await on.next())).toBe(true)
    expect(await again.end()).toBe(streamClose.replaced)
    const second = await alice.say(room, 'two')
    expect(envelopes(await on.next())).toEqual([second.envelope_id])
    on.socket.terminate()
  })

  it('through windows looks elsewhere when told to', async () => {
    const other = await alice.createRoom([inviteBody(bob.member, bob.userId)])
    await bob.setState(other, joinBody(bob.member, bob.userId))
    const top: Look = { lists: { recent: { ranges: [[0, 0]], timeline: 2 } } }
    const stream = await connect(bob)
    await catchUp(stream, top)
    stream.say({ type: 'look', lists: { recent: { ranges: [[0, 1]], timeline: 2 } } })
    const page = await stream.next()
    expect(Object.keys(page.rooms)).toEqual([room])
    expect(page.lists?.['recent']?.ops).toEqual([{ op: 'range', first: 0, rooms: [other, room] }])
    stream.socket.terminate()
  })

  it('ends for frames that are none, out of turn or too large', async () => {
    const frames: (string | Buffer)[] = [
      'nonsense',
      '{"type":"stored","position":"x"}',
      '{"type":"look","lists":{}}',
      '{"type":"start","type":"start"}',
      Buffer.from('{"type":"start"}'),
    ]
    for (const frame of frames) {
      const stream = await connect(bob)
      stream.socket.send(frame)
      expect([frame, await stream.end()]).toEqual([frame, streamClose.badFrame])
    }
    const twice = await connect(bob)
    twice.say({ type: 'start' })
    twice.say({ type: 'start' })
    expect(await twice.end()).toBe(streamClose.badFrame)
    const large = await connect(bob)
    large.socket.send(`{"type":"start","x":"${'x'.repeat(70_000)}"}`)
    expect(await large.end()).toBe(1009)
  })

  it('ends with the device, the token, or a position that can’t be gone on from', async () => {
    const second = await signIn(bob)
    await letIn(bob, second)
    const removed = await connect(second)
    await catchUp(removed)
    await removeDevice(bob, second)
    expect(await removed.end()).toBe(streamClose.deviceRemoved)
    expect(removed.frames.at(-1)).toMatchObject({ type: 'error', errcode: 'E_DEVICE_REMOVED' })
    const stream = await connect(bob)
    stream.say({ type: 'start', since: 'x.s.1' })
    expect(await stream.end()).toBe(streamClose.reset)
    const out = await connect(bob)
    await catchUp(out)
    await bob.ok('logout', { body: {} })
    await alice.say(room, 'who is there?')
    expect(await out.end()).toBe(streamClose.badToken)
  })

  it('is given up when nobody answers its pings', async () => {
    const stream = await connect(bob)
    await catchUp(stream)
    stream.socket.pause()
    const sockets = () => node.context.metrics.registry.getSingleMetricAsString('eccp_sync_waiting')
    await expect.poll(sockets, { timeout: 20_000 }).toContain('eccp_sync_waiting 0')
    stream.socket.terminate()
  })
})

describe('a slow reader', () => {
  it('is told no more than eight times ahead, and the rest once it has stored', async () => {
    const stream = await connect(bob)
    const since = await catchUp(stream)
    const sent: string[] = []
    for (let index = 0; index < 12; index++)
      sent.push((await alice.say(room, String(index))).envelope_id)
    stream.socket.terminate()
    const slow = await connect(bob)
    slow.say({ type: 'start', since })
    const pages: SyncResponse[] = []
    pages.push(await slow.next())
    const later = [...sent]
    for (let index = 0; index < 12; index++)
      later.push((await alice.say(room, `later ${index}`)).envelope_id)
    await expect.poll(() => slow.frames.length, { timeout: 20_000 }).toBe(8)
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(slow.frames).toHaveLength(8)
    while (pages.flatMap(envelopes).length < later.length) {
      slow.say({ type: 'stored', position: pages.at(-1)?.next ?? '' })
      pages.push(await slow.next())
    }
    expect(pages.flatMap(envelopes)).toEqual(later)
    slow.socket.terminate()
  })

  it('that takes nothing from the wire gets one answer made for it, not more', async () => {
    const since = (await bob.sync()).next
    await alice.sayMany(room, 3)
    const sent: string[] = []
    const caller = {
      member: bob.member,
      userId: bob.userId,
      device: bob.id,
      scope: 'full' as const,
      tokenHash: hashToken(bob.token),
    }
    const stream = openStream(node.context, caller, {
      send: (text) => {
        sent.push(text)
        return new Promise(() => undefined)
      },
      close: () => undefined,
    })
    stream.take(new TextEncoder().encode(JSON.stringify({ type: 'start', since })))
    await expect.poll(() => sent.length, { timeout: 20_000 }).toBe(1)
    await alice.sayMany(room, 12)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(sent).toHaveLength(1)
    stream.end()
  })
})

describe('cut off at random', () => {
  const seeds = [1, 2, 3]
  it.each(seeds)('loses nothing and doubles nothing (seed %i)', async (seed) => {
    const draw = randomFrom(seed)
    const top: Look = { lists: { recent: { ranges: [[0, 3]], timeline: 20 } } }
    const through = seed % 2 === 0 ? undefined : top
    let position = await catchUp(await connect(bob), through)
    const sent: string[] = []
    const speaking = (async () => {
      for (let index = 0; index < 20; index++) {
        const wrap = fakeWrap({ member: bob.member, device: bob.id })
        const { envelope_id } = await alice.say(room, String(index), [wrap])
        sent.push(envelope_id)
      }
    })()
    const stored: string[] = []
    let spoken = false
    void speaking.then(() => (spoken = true))
    // A page is stored with its position or not at all, as a client commits it.
    for (;;) {
      const stream = await connect(bob)
      stream.say({ type: 'start', ...through, since: position })
      const pages = 1 + Math.floor(draw() * 4)
      let done = false
      for (let index = 0; index < pages && !done; index++) {
        const page = await Promise.race([
          stream.next(),
          new Promise<null>((resolve) => setTimeout(() => resolve(null), 400)),
        ])
        if (page === null) break
        // Some arrive and are lost before they are stored.
        if (draw() < 0.3) break
        stored.push(...envelopes(page))
        for (const entry of page.rooms[room]?.timeline ?? [])
          if (entry.pdu.envelope.type === 'e.message') expect(entry.wrap).toBeDefined()
        position = page.next
        // Some are stored without the node hearing of it.
        if (draw() < 0.7) stream.say({ type: 'stored', position })
        done = isQuiet(page) && spoken && stored.length >= sent.length
      }
      stream.socket.terminate()
      if (spoken && stored.length >= sent.length) break
    }
    await speaking
    expect(stored).toEqual(sent)
  })
})

/** mulberry32: the seed is in the test's name. */
function randomFrom(seed: number): () => number {
  let state = seed * 0x9e3779b9
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
}
