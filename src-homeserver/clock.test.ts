/** Clocks that are set, under nodes that go on running. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inviteBody, joinBody, membershipOf } from '../src-shared/protocol/index.ts'
import { fakeWrap, register, stateFrom } from '../conformance/device.ts'
import type { TestDevice } from '../conformance/device.ts'
import { tidy } from './housekeeping.ts'
import { createQuota } from './quota.ts'
import { createOnceInMemory } from './storage/once-names.ts'
import { until } from './testing/engine-users.ts'
import { FederationNet } from './testing/federation-net.ts'
import { keptLog, metricOf } from './testing/kept-log.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'

vi.setConfig({ testTimeout: 120_000 })

const DAY_MS = 24 * 60 * 60_000
const YEAR_MS = 365 * DAY_MS
const AHEAD_MS = 4 * 60_000

let net: FederationNet
/** How far the clock of `a.test` is from where it should be. */
let offset: number
let a: TestNode
let b: TestNode
let kept: ReturnType<typeof keptLog>
beforeEach(async () => {
  offset = 0
  net = await FederationNet.open(['a.test', 'b.test'])
})
afterEach(async () => {
  await a.stop()
  await b.stop()
  await net.close()
})

async function start(): Promise<void> {
  kept = keptLog()
  const now = (): number => Date.now() + offset
  const world = { now, log: kept.log }
  a = await startNode({ serverName: 'a.test', federation: net.federation('a.test'), world })
  b = await startNode({ serverName: 'b.test', federation: net.federation('b.test') })
  net.aim('a.test', a.federationUrl)
  net.aim('b.test', b.federationUrl)
}

async function together(): Promise<{ alice: TestDevice; bob: TestDevice; room: string }> {
  const alice = await register(a, 'alice')
  const bob = await register(b, 'bob')
  const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
  const stands = async (asking: TestDevice): Promise<string | undefined> => {
    const { status, body } = await asking.call('state', { params: { roomId: room } })
    return status === 200 ? membershipOf(stateFrom(body.events), bob.member) : undefined
  }
  await until(async () => (await stands(bob)) === 'invite')
  expect((await bob.setState(room, joinBody(bob.member, bob.userId))).status).toBe(200)
  await until(async () => (await stands(alice)) === 'join')
  return { alice, bob, room }
}

async function arrives(node: TestNode, room: string, envelope: string): Promise<void> {
  const known = () => node.context.storage.read((tx) => tx.events.byEnvelope(room, envelope))
  await until(async () => (await known()) !== undefined)
}

describe('a clock that is set forward', () => {
  const distances: [string, number][] = [
    ['years', 5 * YEAR_MS],
    ...(process.env['ECCP_LONG'] === '1' ? [['a day', DAY_MS] as [string, number]] : []),
  ]
  it.each(distances)(
    'by %s is noticed on both sides, and nothing is lost by it',
    async (_, far) => {
      await start()
      const { alice, bob, room } = await together()
      const { next } = await alice.sync()
      offset = far
      const said = (
        await alice.say(room, 'from the future', [fakeWrap({ member: bob.member, device: bob.id })])
      ).envelope_id
      const heard = (await bob.say(room, 'from now')).envelope_id
      await until(
        async () => (await metricOf(a, 'eccp_clock_jumps_total{direction="forward"}')) === 1,
      )
      expect(kept.said('the clock was set')).toEqual([
        expect.objectContaining({ seconds: expect.closeTo(far / 1000, -1) as number }),
      ])
      const alarm = 'eccp_peer_alarms_total{what="clock_skew"}'
      for (const node of [a, b]) await until(async () => ((await metricOf(node, alarm)) ?? 0) > 0)
      const skew = 'eccp_peer_clock_skew_seconds{server="b.test"}'
      await until(async () => (await metricOf(a, skew)) !== null)
      expect(await metricOf(a, skew)).toBeCloseTo(-far / 1000, -2)
      expect(kept.said('the clocks differ too much')[0]).toMatchObject({ server: 'b.test' })
      // Its own people notice nothing, and what grows old by the clock does not grow old by a jump.
      expect(await alice.ok('whoami')).toMatchObject({ member: alice.member })
      expect((await alice.sync(next, 10)).rooms[room]?.timeline).toHaveLength(1)
      await tidy(a.context, Math.min(a.context.now(), a.context.clock.steady()))

      offset = 0
      await arrives(b, room, said)
      await arrives(a, room, heard)
      await until(async () => (await metricOf(a, skew)) === null)
      await until(async () => (await metricOf(a, 'eccp_clock_jumps_total{direction="back"}')) === 1)
      const { rooms } = await bob.sync()
      expect(rooms[room]?.timeline.some(({ wrap }) => wrap !== undefined)).toBe(true)
      // What was said under the wrong clock has a time of the future; what follows goes on from there.
      await arrives(b, room, (await alice.say(room, 'after it')).envelope_id)
    },
  )
})

describe('a clock that is set back', () => {
  it('after a start in the future leaves nothing waiting for that future', async () => {
    // As far as a device signs in nevertheless.
    offset = AHEAD_MS
    await start()
    const alice = await register(a, 'ann')
    const seen = () => a.context.storage.read((tx) => tx.manifests.firstSights(alice.member))
    expect(Math.min(...(await seen()).values())).toBeGreaterThan(Date.now() + AHEAD_MS / 2)
    offset = 0
    const { alice: other, bob, room } = await together()
    await arrives(a, room, (await bob.say(room, 'to one who was ahead')).envelope_id)
    await arrives(b, room, (await other.say(room, 'back in time')).envelope_id)
    // Waits are by first sight: they begin now, not in a year.
    await tidy(a.context)
    expect(Math.max(...(await seen()).values())).toBeLessThanOrEqual(Date.now())
    const began = performance.now()
    const { next } = await other.sync()
    offset = -DAY_MS
    await other.sync(next, 50)
    expect(performance.now() - began).toBeLessThan(DAY_MS)
  })

  it('neither closes nor opens what is counted by windows of time', async () => {
    await start()
    const quota = createQuota({ max: 1, windowMs: 1000 })
    expect([quota.take('x', 50_000), quota.take('x', 50_001)]).toEqual([true, false])
    expect([quota.take('x', 10_000), quota.take('x', 10_001)]).toEqual([true, false])
    const names = createOnceInMemory()
    expect(await names.take('n', 60_000, 50_000)).toBe('first')
    expect(await names.take('n', 110_000, 100_000)).toBe('again')
    expect(await names.take('n', 20_000, 10_000)).toBe('again')
  })
})
