import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { commonVersion, FEDERATION_VERSIONS } from '../../src-shared/api/index.ts'
import { inviteBody, toBase64Url } from '../../src-shared/protocol/index.ts'
import { random, register } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'
import { PeerListener } from '../../conformance/fake-peer.ts'
import type { FakePeer } from '../../conformance/fake-peer.ts'
import { isolated } from '../config.ts'
import { keptLog, metricOf } from '../testing/kept-log.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { createVersionBook } from './versions.ts'

const [ours] = FEDERATION_VERSIONS
const MINUTE = 60_000

describe('of two lists of versions', () => {
  it('the first of the asking side’s that the other one offers is spoken', () => {
    expect(commonVersion(['v3', 'v2', 'v1'], ['v1', 'v2', 'v9'])).toBe('v2')
    expect(commonVersion(['v1', 'v2'], ['v2', 'v1'])).toBe('v1')
    expect(commonVersion(['v1'], ['v2'])).toBeNull()
    expect(commonVersion(['v1'], [])).toBeNull()
  })
})

describe('what a server offers', () => {
  const open = (offers: () => readonly string[]) => {
    const clock = { now: 1_000_000 }
    let asked = 0
    const book = createVersionBook(
      async () => {
        asked++
        return offers()
      },
      () => clock.now,
    )
    return { book, clock, asked: () => asked }
  }

  it('is asked for once an hour, whoever wants to speak with it', async () => {
    const { book, clock, asked } = open(() => [ours])
    const all = await Promise.all([book.with('b.test'), book.with('b.test'), book.with('b.test')])
    expect(all.map(({ version }) => version)).toEqual([ours, ours, ours])
    clock.now += 60 * MINUTE - 1
    await book.with('b.test')
    expect(asked()).toBe(1)
    clock.now += 1
    await book.with('b.test')
    expect(asked()).toBe(2)
  })

  it('is asked for again a minute after something failed, and where the clock was set back', async () => {
    const { book, clock, asked } = open(() => [ours])
    await book.with('b.test')
    book.doubt('b.test')
    clock.now += MINUTE - 1
    await book.with('b.test')
    expect(asked()).toBe(1)
    clock.now += 1
    await book.with('b.test')
    expect(asked()).toBe(2)
    clock.now -= 1
    await book.with('b.test')
    expect(asked()).toBe(3)
  })

  it('and is nothing known here is asked for again after a minute, or when it is heard of', async () => {
    let offers = ['v99']
    const { book, clock, asked } = open(() => offers)
    expect(await book.with('b.test')).toMatchObject({ version: null, offered: ['v99'] })
    clock.now += MINUTE - 1
    await book.with('b.test')
    expect(asked()).toBe(1)
    clock.now += 1
    expect((await book.with('b.test')).version).toBeNull()
    offers = ['v99', ours]
    expect((await book.with('b.test')).version).toBeNull()
    expect(asked()).toBe(2)
    book.heard('b.test')
    expect((await book.with('b.test')).version).toBe(ours)
    book.heard('b.test')
    await book.with('b.test')
    expect(asked()).toBe(3)
  })

  it('is not known where it does not answer: the next one asks again', async () => {
    let answers = false
    const { book, asked } = open(() => {
      if (!answers) throw new Error('away')
      return [ours]
    })
    await expect(book.with('b.test')).rejects.toThrow('away')
    answers = true
    expect((await book.with('b.test')).version).toBe(ours)
    expect(asked()).toBe(2)
  })
})

describe('a server without a version in common', () => {
  const kept = keptLog()
  const clock = { ahead: 0 }
  let listener: PeerListener
  let peer: FakePeer
  let node: TestNode
  let alice: TestDevice
  beforeAll(async () => {
    listener = await PeerListener.open({ host: '127.0.0.1', port: 0, tls: null })
    peer = listener.add('b.test')
    const port = Number(new URL(listener.url).port)
    node = await startNode({
      serverName: 'a.test',
      world: { now: () => Date.now() + clock.ahead, log: kept.log },
      federation: {
        ...isolated,
        mode: 'open',
        listen: { host: '127.0.0.1', port: 0 },
        plainHttpOnLoopback: true,
        peers: { 'b.test': { host: '127.0.0.1', port, rootFile: null, plainHttp: true } },
        retry: { firstMs: 20, maxMs: 100 },
      },
    })
    alice = await register(node, 'alice')
  })
  afterAll(async () => {
    listener.close()
    await node.stop()
  })

  it('is told nothing; what waits for it waits, and goes out by itself once there is one', async () => {
    peer.answers.version = () => ({ ...peer.version(), versions: ['v99', 'v98'] })
    const bob = peer.newUser('bob')
    const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
    const silent = async () => {
      const { servers } = await alice.ok('roomServers', { params: { roomId: room } })
      return servers.map(({ server, silent_since: since }) => [server, since !== null])
    }
    await vi.waitFor(async () => expect(await silent()).toEqual([['b.test', true]]), 20_000)

    const found = await alice.call('manifest', { params: { userId: bob.userId } })
    expect([found.status, found.body.errcode, found.body.rule]).toEqual([
      422,
      'E_FEDERATION_UNAVAILABLE',
      'no_common_version',
    ])
    const entering = await alice.call('state', {
      params: { roomId: `!${toBase64Url(random(32))}:b.test` },
      query: { via: 'b.test' },
    })
    expect(entering.body.errcode).toBe('E_FEDERATION_UNAVAILABLE')
    const metric = 'eccp_peer_no_common_version{server="b.test"}'
    expect(await metricOf(node, metric)).toBe(1)
    // It is tried again and again, and the operator is told once.
    const alarms = 'eccp_peer_alarms_total{what="no_common_version"}'
    await vi.waitFor(async () => expect(await metricOf(node, alarms)).toBeGreaterThan(2), 20_000)
    expect(kept.said('no version in common with another server')).toEqual([
      expect.objectContaining({
        server: 'b.test',
        ours: FEDERATION_VERSIONS.join(' '),
        theirs: 'v99 v98',
      }),
    ])
    expect([peer.signed, peer.asked]).toEqual([0, 1])

    peer.behave()
    clock.ahead = MINUTE
    await vi.waitFor(
      () => expect(peer.received.map(({ kind }) => kind)).toContain('invite'),
      20_000,
    )
    await vi.waitFor(async () => expect(await silent()).toEqual([['b.test', false]]), 20_000)
    expect(await metricOf(node, metric)).toBeNull()
    const known = await alice.ok('manifest', { params: { userId: bob.userId } })
    expect(known.member).toBe(bob.member)
  })
})
