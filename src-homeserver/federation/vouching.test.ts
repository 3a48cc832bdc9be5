/** Rooms whose servers are partly gone: who comes in later has never met them, and takes others' word for their keys. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import {
  decodePdu,
  fromBase64Url,
  inviteBody,
  joinBody,
  membershipOf,
  openState,
  stateEvents,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { Json } from '../../src-shared/protocol/index.ts'
import { signServerKeys } from '../../src-shared/api/index.ts'
import { crypto, random, register, stateFrom } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'
import { newKey } from '../../conformance/fake-peer.ts'
import { until } from '../testing/engine-users.ts'
import { FederationNet } from '../testing/federation-net.ts'
import { keptLog, metricOf } from '../testing/kept-log.ts'
import type { KeptLog } from '../testing/kept-log.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { namedKeys } from './vouching.ts'
import type { Voice } from './vouching.ts'

vi.setConfig({ testTimeout: 120_000 })

const VOUCHED = 'a key of a silent server, on the word of others'
const DENIED = 'a server does not name keys that others have vouched for'
const alarm = (what: string): string => `eccp_peer_alarms_total{what="${what}"}`

let net: FederationNet
let folder: string
const running = new Map<string, { readonly node: TestNode; readonly kept: KeptLog }>()
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-vouching-'))
  net = await FederationNet.open(['a.test', 'b.test', 'c.test', 'd.test', 'e.test'])
})
afterEach(async () => {
  for (const { node } of running.values()) await node.stop()
  running.clear()
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})

async function start(name: string, data = name): Promise<TestNode> {
  const kept = keptLog()
  const node = await startNode({
    serverName: name,
    dataDir: join(folder, data),
    federation: net.federation(name),
    world: { log: kept.log },
  })
  net.aim(name, node.federationUrl)
  running.set(name, { node, kept })
  return node
}

async function stop(name: string): Promise<void> {
  net.aim(name, null)
  await running.get(name)?.node.stop()
  running.delete(name)
}

function at(name: string): { readonly node: TestNode; readonly kept: KeptLog } {
  const here = running.get(name)
  if (here === undefined) throw new Error('not running')
  return here
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

async function arrives(name: string, room: string, envelope: string): Promise<void> {
  const { storage } = at(name).node.context
  await until(
    async () => (await storage.read((tx) => tx.events.byEnvelope(room, envelope))) !== undefined,
  )
}

/** Ids of the state that a node holds, which a device finds sound by the keys that the node names. */
async function checkedState(device: TestDevice, room: string): Promise<string[]> {
  const { body } = await device.call('state', { params: { roomId: room } })
  const given = (body.events ?? []).flatMap((pdu) => {
    const decoded = decodePdu(crypto, pdu as Json)
    return decoded.ok ? [decoded.event] : []
  })
  const keys = new Map<string, Uint8Array>()
  for (const server of new Set(given.map(({ pdu }) => pdu.event.origin))) {
    const said = await device.ok('serverKeys', { params: { serverName: server } })
    for (const { key_id: id, ed25519 } of said.keys)
      keys.set(`${server} ${id}`, fromBase64Url(ed25519))
  }
  const opened = openState(crypto, room, given, (server, id) => keys.get(`${server} ${id}`))
  expect(opened.refused).toEqual([])
  return stateEvents(opened.state)
    .map(({ id }) => id)
    .sort()
}

describe('a room whose founding server is gone', () => {
  it('is entered by a server that never met it, and later by one that met none of the first', async () => {
    const alice = await register(await start('a.test'), 'alice')
    const bob = await register(await start('b.test'), 'bob')
    const cem = await register(await start('c.test'), 'cem')
    const room = await alice.createRoom([])
    for (const guest of [bob, cem]) await comeIn(alice, guest, room)
    const first = (await alice.say(room, 'from the first')).envelope_id
    for (const name of ['b.test', 'c.test']) await arrives(name, room, first)
    await stop('a.test')

    const dora = await register(await start('d.test'), 'dora')
    await comeIn(bob, dora, room)
    const { rooms } = await dora.sync()
    const told = rooms[room]?.timeline ?? []
    expect(told.map(({ pdu }) => pdu.event.envelope_id)).toContain(first)
    expect(await checkedState(dora, room)).toEqual(await checkedState(bob, room))
    const { node, kept } = at('d.test')
    const [said] = kept.said(VOUCHED)
    expect(said).toMatchObject({ server: 'a.test', by: expect.arrayContaining(['b.test']) })
    expect(await metricOf(node, alarm('key_vouched'))).toBe(1)
    expect(await node.context.serverKeys.met('a.test')).toBe(false)
    const answer = (await dora.say(room, 'I am in')).envelope_id
    for (const name of ['b.test', 'c.test']) await arrives(name, room, answer)

    await stop('b.test')
    await stop('c.test')
    const eva = await register(await start('e.test'), 'eva')
    await comeIn(dora, eva, room)
    expect(await checkedState(eva, room)).toEqual(await checkedState(dora, room))
    const word = at('e.test').kept.said(VOUCHED)
    expect(word.map(({ server }) => server).sort()).toEqual(['a.test', 'b.test', 'c.test'])
    expect(new Set(word.map(({ by }) => String(by)))).toEqual(new Set(['d.test']))
  })

  it('speaks for itself when it is back, and what it denies is reported and used no more', async () => {
    const alice = await register(await start('a.test'), 'alice')
    const bob = await register(await start('b.test'), 'bob')
    const room = await alice.createRoom([])
    await comeIn(alice, bob, room)
    const first = (await alice.say(room, 'before')).envelope_id
    await arrives('b.test', room, first)
    const { keyId } = at('a.test').node.context.keys.current
    await stop('a.test')
    for (const name of ['d.test', 'e.test']) {
      const guest = await register(await start(name), 'guest')
      await comeIn(bob, guest, room)
    }
    const [{ serverKeys }, other] = [
      at('d.test').node.context,
      at('e.test').node.context.serverKeys,
    ]
    expect(await serverKeys.find('a.test', keyId)).not.toBeNull()

    await start('a.test')
    await serverKeys.refresh()
    expect(await serverKeys.met('a.test')).toBe(true)
    expect((await serverKeys.find('a.test', keyId))?.current).toBe(true)
    expect(at('d.test').kept.said(DENIED)).toEqual([])

    await stop('a.test')
    await start('a.test', 'anew')
    await other.refresh()
    expect(at('e.test').kept.said(DENIED)).toEqual([
      expect.objectContaining({ server: 'a.test', keys: [{ key: keyId, by: '["b.test"]' }] }),
    ])
    expect(await metricOf(at('e.test').node, alarm('vouched_key_denied'))).toBe(1)
    expect(await other.find('a.test', keyId)).toBeNull()
    // What was accepted under it stays, and can be checked.
    await arrives('e.test', room, first)
    expect((await other.known('a.test')).map(({ key_id: id }) => id)).toContain(keyId)
  })
})

describe('what others say of a key', () => {
  const key = newKey('ed25519:x')
  const voice = (by: string, signing = key, firstHand = true): Voice => {
    const ed25519 = toBase64Url(crypto.ed25519PublicKey(signing.secret))
    const keys = [{ key_id: signing.keyId, ed25519, since: 1, until: null }]
    return { by, firstHand, document: signServerKeys(crypto, signing, 'gone.test', keys) }
  }
  const said = (...voices: Voice[]): string => {
    const { named, voices: all } = namedKeys(voices, key.keyId)
    return `${named.map(({ by }) => by.map((one) => one.by).join('+')).join(' | ')} of ${all}`
  }

  it('is counted by who says the same', () => {
    const same = { ...newKey(key.keyId), secret: random(32) }
    expect(said(voice('a'))).toBe('a of 1')
    expect(said(voice('a', same), voice('b'), voice('c'))).toBe('b+c | a of 3')
    expect(said(voice('a'), voice('b', newKey()))).toBe('a of 2')
    expect(said()).toBe(' of 0')
  })

  it('counts at second hand only where nobody has it from the server itself', () => {
    const lie = newKey(key.keyId)
    expect(said(voice('a', lie, false), voice('b', lie, false), voice('c'))).toBe('c of 1')
    expect(said(voice('a', key, false), voice('b', newKey(), false))).toBe('a of 2')
  })
})
