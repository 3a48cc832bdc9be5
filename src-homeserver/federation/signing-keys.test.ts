/** A server's signing key: rotated, lost, and put back from before, as that server and another one see it. */
import { copyFileSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { inviteBody, joinBody, membershipOf } from '../../src-shared/protocol/index.ts'
import { crypto, random, register, stateFrom } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'
import { keyFileIn, rotateNodeKey } from '../signing-key.ts'
import { until } from '../testing/engine-users.ts'
import { FederationNet } from '../testing/federation-net.ts'
import { keptLog, metricOf } from '../testing/kept-log.ts'
import type { KeptLog } from '../testing/kept-log.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'

vi.setConfig({ testTimeout: 120_000 })

type Name = 'a.test' | 'b.test' | 'c.test'

let net: FederationNet
let folder: string
const running = new Map<Name, { readonly node: TestNode; readonly kept: KeptLog }>()
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-keys-'))
  net = await FederationNet.open(['a.test', 'b.test', 'c.test'])
})
afterEach(async () => {
  for (const { node } of running.values()) await node.stop()
  running.clear()
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})

const keyFile = (name: Name): string => keyFileIn(join(folder, name))

async function start(name: Name): Promise<TestNode> {
  const kept = keptLog()
  const node = await startNode({
    serverName: name,
    dataDir: join(folder, name),
    federation: net.federation(name),
    world: { log: kept.log },
  })
  net.aim(name, node.federationUrl)
  running.set(name, { node, kept })
  return node
}

function at(name: Name): { readonly node: TestNode; readonly kept: KeptLog } {
  const here = running.get(name)
  if (here === undefined) throw new Error('not running')
  return here
}

/** Stopped, changed, started again. */
async function meanwhile(name: Name, change: () => void, ...devices: TestDevice[]): Promise<void> {
  await at(name).node.stop()
  net.aim(name, null)
  change()
  const node = await start(name)
  for (const device of devices) device.url = node.url
  // Whoever was asked a moment ago is not asked again at once.
  for (const other of running.values()) other.node.context.serverKeys.forget(name)
}

const rotate = (): void => {
  rotateNodeKey({ crypto, file: keyFile('a.test'), random, now: Date.now() })
}

async function comeIn(host: TestDevice, guest: TestDevice, room: string): Promise<void> {
  const standing = async (asking: TestDevice): Promise<string | undefined> => {
    const { status, body } = await asking.call('state', { params: { roomId: room } })
    return status === 200 ? membershipOf(stateFrom(body.events), guest.member) : undefined
  }
  expect((await host.setState(room, inviteBody(guest.member, guest.userId))).status).toBe(200)
  await until(async () => (await standing(guest)) === 'invite')
  expect((await guest.setState(room, joinBody(guest.member, guest.userId))).status).toBe(200)
  await until(async () => (await standing(host)) === 'join')
}

async function arrives(name: Name, room: string, envelope: string): Promise<void> {
  const { storage } = at(name).node.context
  await until(
    async () => (await storage.read((tx) => tx.events.byEnvelope(room, envelope))) !== undefined,
  )
}

const replaced = 'eccp_peer_alarms_total{what="keys_replaced"}'

describe('a signing key', () => {
  it('that is rotated goes on verifying what it has signed, also for those who come later', async () => {
    const alice = await register(await start('a.test'), 'alice')
    const bob = await register(await start('b.test'), 'bob')
    const room = await alice.createRoom([])
    await comeIn(alice, bob, room)
    const before = (await alice.say(room, 'under the old key')).envelope_id
    await arrives('b.test', room, before)
    await meanwhile('a.test', rotate, alice)
    const after = (await alice.say(room, 'under the new one')).envelope_id
    await arrives('b.test', room, after)
    const { node, kept } = at('b.test')
    expect(kept.said('another server has a new signing key')).toHaveLength(1)
    expect(await metricOf(node, replaced)).toBeNull()
    const cem = await register(await start('c.test'), 'cem')
    await comeIn(alice, cem, room)
    for (const envelope of [before, after]) await arrives('c.test', room, envelope)
  })

  it('that is lost is replaced before everybody’s eyes, and what it has signed stays', async () => {
    const alice = await register(await start('a.test'), 'alice')
    const bob = await register(await start('b.test'), 'bob')
    const room = await alice.createRoom([])
    await comeIn(alice, bob, room)
    const before = (await alice.say(room, 'under the lost key')).envelope_id
    await arrives('b.test', room, before)
    await meanwhile('a.test', () => rmSync(keyFile('a.test')), alice)
    const lost = 'signing keys are missing from their file: others see that they were replaced'
    expect(at('a.test').kept.said(lost)).toHaveLength(1)
    expect(await metricOf(at('a.test').node, 'eccp_signing_keys_lost')).toBe(1)
    const after = (await alice.say(room, 'under another one')).envelope_id
    await arrives('b.test', room, after)
    const { node, kept } = at('b.test')
    expect(kept.said('keys of another server')).toEqual([
      expect.objectContaining({ server: 'a.test', what: 'keys_replaced' }),
    ])
    expect(await metricOf(node, replaced)).toBe(1)
    const answered = (await bob.say(room, 'still you?')).envelope_id
    await arrives('a.test', room, answered)
    const cem = await register(await start('c.test'), 'cem')
    await comeIn(alice, cem, room)
    for (const envelope of [before, after, answered]) await arrives('c.test', room, envelope)
  })

  it('that was put back from before a rotation is taken for what it is', async () => {
    const alice = await register(await start('a.test'), 'alice')
    const bob = await register(await start('b.test'), 'bob')
    const room = await alice.createRoom([])
    await comeIn(alice, bob, room)
    const old = join(folder, 'old.json')
    copyFileSync(keyFile('a.test'), old)
    await meanwhile('a.test', rotate, alice)
    await arrives('b.test', room, (await alice.say(room, 'rotated')).envelope_id)
    await meanwhile('a.test', () => copyFileSync(old, keyFile('a.test')), alice)
    expect(await metricOf(at('a.test').node, 'eccp_signing_keys_lost')).toBe(1)
    await arrives('b.test', room, (await alice.say(room, 'back under the first')).envelope_id)
    expect(await metricOf(at('b.test').node, replaced)).toBe(1)
  })
})
