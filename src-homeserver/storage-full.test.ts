/** A node without room for its data, and people on it and on another one. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { messages, newUser, say, texts, until } from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'
import { FederationNet } from './testing/federation-net.ts'
import type { Member } from './testing/federation-net.ts'
import { keptLog, metricOf } from './testing/kept-log.ts'
import { littleRoom, whyNoLittleRoom } from './testing/little-room.ts'
import type { LittleRoom } from './testing/little-room.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { register } from '../conformance/device.ts'

vi.setConfig({ testTimeout: 120_000 })

const missing = whyNoLittleRoom()
const without = missing === null ? '' : ` (skipped: ${missing})`

let little: LittleRoom
let net: FederationNet
let dataDir: string
let node: TestNode
let b: Member
let kept: ReturnType<typeof keptLog>
const users: TestUser[] = []
beforeEach(async () => {
  kept = keptLog()
  dataDir = mkdtempSync(join(tmpdir(), 'eccp-full-'))
  little = await littleRoom(dataDir)
  net = await FederationNet.open(['a.test', 'b.test'])
  b = await net.start('b.test')
  node = await startNode({
    serverName: 'a.test',
    dataDir,
    federation: net.federation('a.test'),
    ...little.config,
    world: { log: kept.log },
  })
  net.aim('a.test', node.federationUrl)
})
afterEach(async () => {
  await Promise.all(users.splice(0).map(({ engine }) => engine.stop()))
  await node.stop()
  await net.close()
  await little.remove()
  rmSync(dataDir, { recursive: true, force: true })
})

async function conversation(from: TestUser, to: TestUser): Promise<string> {
  const { room } = await from.engine.startDirect(`@${to.name}:b.test`)
  await until(() => to.engine.roomList().some(({ id }) => id === room))
  await to.engine.accept(room)
  await until(() => from.engine.roomList().some((one) => one.id === room && one.memberCount === 2))
  return room
}

describe.skipIf(missing !== null)(`a node that has no room for more${without}`, () => {
  it('refuses to write, reads on, loses nothing, and goes on by itself', async () => {
    const ada = await newUser(node, 'ada')
    const ben = await newUser(b, 'ben')
    users.push(ada, ben)
    const alice = await register(node, 'alice')
    const own = await alice.createRoom()
    const state = await alice.state(own)
    const room = await conversation(ada, ben)
    await say(ada, room, 'before')
    await until(async () => (await texts(ben, room)).includes('before'))
    const { next } = await alice.sync()

    await little.fill()
    const taken: string[] = []
    let refused = await alice.submit(own, alice.sealMessage(own, state, '0'), 'txn-0')
    for (let index = 1; refused.status === 200; index++) {
      taken.push(refused.body.envelope_id)
      refused = await alice.submit(own, alice.sealMessage(own, state, `${index}`), `txn-${index}`)
    }
    expect(taken.length).toBeGreaterThan(0)
    expect([refused.status, refused.body.errcode]).toEqual([507, 'E_STORAGE_FULL'])
    expect(refused.body.retry_after_ms).toBeGreaterThan(0)
    expect(await metricOf(node, 'eccp_storage_full')).toBe(1)
    expect(kept.said('there is no room for data: nothing can be written')).toHaveLength(1)

    // Reading and following go on, with everything that was acknowledged.
    expect((await alice.call('state', { params: { roomId: own } })).status).toBe(200)
    const { rooms } = await alice.sync(next)
    const seen = rooms[own]?.timeline.map(({ pdu }) => pdu.event.envelope_id)
    expect(seen).toEqual(taken)

    // For the person it waits; on the other node it waits as well.
    await say(ada, room, 'from the full one')
    await say(ben, room, 'to the full one')
    const failing = 'eccp_peer_calls_total{endpoint="transaction",outcome="server_error"}'
    await until(async () => b.node !== null && ((await metricOf(b.node, failing)) ?? 0) > 0)
    const last = (await messages(ada, room)).at(-1)
    expect([last?.text, last?.delivery, last?.failure ?? null]).toEqual([
      'from the full one',
      'sending',
      null,
    ])
    expect(await texts(ada, room)).not.toContain('to the full one')

    await little.makeRoom()
    await until(async () => (await texts(ada, room)).includes('to the full one'))
    await until(async () => (await texts(ben, room)).includes('from the full one'))
    await until(async () => (await metricOf(node, 'eccp_storage_full')) === 0)
    expect(kept.said('there is room for data again')).toHaveLength(1)
    for (const user of [ada, ben])
      expect([...(await texts(user, room))].sort()).toEqual([
        'before',
        'from the full one',
        'to the full one',
      ])
    expect((await alice.say(own, 'at last')).envelope_id).toBeDefined()
    await little.check()
  })
})
