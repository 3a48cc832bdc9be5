import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { deviceKeysOf, inviteBody, joinBody, toBase64Url } from '../src-shared/protocol/index.ts'
import { serverApi, signServerRequest, streamClose } from '../src-shared/api/index.ts'
import { defaultRateLimits, isolated } from './config.ts'
import type { NodeConfig } from './config.ts'
import { hashToken } from './http/bearer.ts'
import { attempt } from './sync/attempt.ts'
import { openStreamTo } from './testing/stream-client.ts'
import { createRequestGuard } from './federation/request-guard.ts'
import { newPostgresDatabase } from './testing/database.ts'
import { FakePeer } from '../conformance/fake-peer.ts'
import { findPostgres, TestPostgres } from './testing/postgresql.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'
import { startProcess } from './testing/start-process.ts'
import type { NodeProcess } from './testing/start-process.ts'
import { crypto, fakeWrap, random, register } from '../conformance/device.ts'
import type { TestDevice } from '../conformance/device.ts'

/** Processes are started and ended here, which takes its time on a busy machine. */
const SLOW_MS = 240_000

let dataDir: string
const ends: (() => Promise<unknown>)[] = []
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'eccp-several-'))
})
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
  rmSync(dataDir, { recursive: true, force: true })
})

async function startOne(database: string, folder = dataDir): Promise<NodeProcess> {
  const node = await startProcess(folder, { database })
  ends.push(() => node.kill('SIGKILL'))
  return node
}

async function inProcess(more: Partial<NodeConfig>): Promise<TestNode> {
  const node = await startNode({ dataDir, ...more })
  ends.push(() => node.stop())
  return node
}

async function until(found: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await found())) await new Promise((resolve) => setTimeout(resolve, 20))
}

/** Two people in a room. */
async function meet(alice: TestDevice, bob: TestDevice): Promise<string> {
  const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
  await bob.setState(room, joinBody(bob.member, bob.userId))
  return room
}

describe('two processes that serve one name', () => {
  it(
    'are one node to their users: what is sent to one wakes who waits at the other',
    async () => {
      const database = await newPostgresDatabase()
      const [a, b] = await Promise.all([startOne(database), startOne(database)])
      const alice = await register(a, 'alice')
      const bob = await register(b, 'bob')
      const room = await meet(alice, bob)
      let { next } = await bob.sync()
      for (let round = 0; round < 5; round++) {
        const waiting = bob.sync(next, 50_000)
        await new Promise((resolve) => setTimeout(resolve, 100))
        const sent = await alice.say(room, `message ${round}`)
        const woken = await waiting
        const timeline = woken.rooms[room]?.timeline ?? []
        expect(timeline.map(({ pdu }) => pdu.event.envelope_id)).toEqual([sent.envelope_id])
        next = woken.next
        // A position that one has said means the same to the other.
        bob.url = bob.url === a.url ? b.url : a.url
      }
      // A token that one has given, the other takes, and no longer once its device has gone.
      expect((await bob.call('logout', { body: {} })).status).toBe(200)
      bob.url = bob.url === a.url ? b.url : a.url
      expect((await bob.call('whoami')).status).toBe(401)
    },
    SLOW_MS,
  )

  it('send what waits for another server once, one of them at a time', async () => {
    let flying = 0
    let most = 0
    let away = true
    const came: string[] = []
    const peer = createServer((request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        if (away) {
          response.socket?.destroy()
          return
        }
        if (request.url === serverApi.version.path) {
          response.end(JSON.stringify(new FakePeer('peer.test').version()))
          return
        }
        const body = JSON.parse(Buffer.concat(chunks).toString()) as { items: { id: string }[] }
        came.push(...body.items.map(({ id }) => id))
        most = Math.max(most, ++flying)
        setTimeout(() => {
          flying--
          const results = body.items.map(({ id }) => ({ id, outcome: 'taken' }))
          response
            .writeHead(200, { 'content-type': 'application/json' })
            .end(JSON.stringify({ results }))
        }, 50)
      })
    })
    await new Promise<void>((resolve) => peer.listen(0, '127.0.0.1', resolve))
    ends.push(async () => peer.close())
    const { port } = peer.address() as AddressInfo
    const address = { host: '127.0.0.1', port, rootFile: null, plainHttp: true }
    const config = {
      database: await newPostgresDatabase(),
      federation: {
        ...isolated,
        mode: 'open' as const,
        plainHttpOnLoopback: true,
        peers: { 'peer.test': address },
        // Who has found the peer away leaves it alone for longer than this test.
        retry: { firstMs: 3_600_000, maxMs: 3_600_000 },
      },
    }
    const nodes = [await inProcess(config), await inProcess(config)]
    const put = (id: string, by: number) =>
      nodes[by % 2]?.context.storage.write((tx) =>
        tx.federation.enqueue('peer.test', { id, kind: 'receipt', item: '{}' }, Date.now()),
      )
    const left = async () => {
      const all = await nodes[0]?.context.storage.read((tx) => tx.federation.destinations())
      return all?.[0]?.waiting ?? 0
    }
    await put('first', 0)
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect([await left(), came]).toEqual([1, []])
    away = false
    // The peer asks the second one something: whoever left it alone, what waits goes now.
    await until(async () => {
      nodes[1]?.context.outbound.heard('peer.test')
      return (await left()) === 0
    })
    const ids = Array.from({ length: 40 }, (_, index) => `item-${index}`)
    for (const [index, id] of ids.entries()) {
      await put(id, index)
      nodes[index % 2]?.context.outbound.heard('peer.test')
    }
    await until(async () => {
      for (const { context } of nodes) context.outbound.heard('peer.test')
      return (await left()) === 0
    })
    expect(came.sort()).toEqual(['first', ...ids].sort())
    expect(most).toBe(1)
  })

  it('take a signed request once between them', async () => {
    const peer = new FakePeer('peer.test')
    const database = await newPostgresDatabase()
    const federation = { ...isolated, mode: 'open' as const }
    const nodes = [
      await inProcess({ database, federation }),
      await inProcess({ database, federation }),
    ]
    const ed25519 = toBase64Url(crypto.ed25519PublicKey(peer.key.secret))
    const key = { server: peer.name, key_id: peer.key.keyId, ed25519 }
    await nodes[0]?.context.storage.write((tx) =>
      tx.federation.putKey({ ...key, since: 1, until: null, seen_at: 1 }),
    )
    const asked = {
      method: 'GET',
      path: '/_eccp/federation/v1/version',
      body: new Uint8Array(),
    }
    const ends_ = { origin: peer.name, destination: 'node.test' }
    const authorization = signServerRequest(crypto, peer.key, {
      ...asked,
      ...ends_,
      ts: Date.now(),
      nonce: toBase64Url(random(16)),
    })
    const [one, two] = nodes.map(({ context }) => createRequestGuard(context))
    expect(await one?.check({ ...asked, authorization })).toBe(peer.name)
    for (const guard of [one, two])
      await expect(guard?.check({ ...asked, authorization })).rejects.toMatchObject({
        errcode: 'E_BAD_SIGNATURE',
        details: { rule: 'replayed' },
      })
  })

  it('count what costs most together: trying passwords, and emptying somebody’s prekeys', async () => {
    const rateLimits = {
      ...defaultRateLimits,
      login: { max: 3, windowMs: 60_000 },
      oneTimePrekeys: { max: 2, windowMs: 60_000 },
    }
    const database = await newPostgresDatabase()
    const nodes = [
      await inProcess({ database, rateLimits }),
      await inProcess({ database, rateLimits }),
    ]
    const [a, b] = nodes
    if (a === undefined || b === undefined) throw new Error('no nodes')
    const alice = await register(a, 'alice')
    const bob = await register(b, 'bob')
    await bob.uploadKeys(5)
    const had: boolean[] = []
    for (const { url } of [a, b, a, b]) {
      alice.url = url
      const wanted = { user_id: bob.userId, member: bob.member, device: bob.id }
      const { bundles } = await alice.ok('claimKeys', { body: { devices: [wanted] } })
      had.push(bundles[0]?.bundle.one_time !== undefined)
    }
    expect(had).toEqual([true, true, false, false])
    const tried: string[] = []
    for (const { url } of [a, b, a, b, a]) {
      bob.url = url
      const body = {
        user: 'bob',
        password: 'a guess',
        device: deviceKeysOf(crypto, bob.secrets),
        proof: bob.proof(),
      }
      const answer = await bob.call('login', { token: null, body })
      tried.push(String(answer.body.errcode))
      if (answer.status === 429) expect(answer.body.retry_after_ms).toBeGreaterThan(0)
    }
    const guessed = 'M_FORBIDDEN'
    const refused = 'M_LIMIT_EXCEEDED'
    expect(tried).toEqual([guessed, guessed, guessed, refused, refused])
  })

  it('let a device have one sync between them, and tell who writes from one to the other', async () => {
    const database = await newPostgresDatabase()
    const [a, b] = [await inProcess({ database }), await inProcess({ database })]
    const alice = await register(a, 'alice')
    const bob = await register(b, 'bob')
    const room = await meet(alice, bob)
    const look = { lists: { all: { ranges: [[0, 9] as [number, number]], timeline: 5 } } }
    const stream = await openStreamTo(a.url, { token: alice.token })
    stream.say({ type: 'start', ...look, typing: [room] })
    const { next } = await stream.next()
    await bob.ok('typing', { params: { roomId: room }, body: { timeout: 20_000 } })
    await until(() => stream.frames.some(({ type }) => type === 'typing'))
    expect(stream.frames.find(({ type }) => type === 'typing')).toEqual({
      type: 'typing',
      rooms: { [room]: [bob.member] },
    })
    // The same device begins at the other process: it goes on there, and here it is over.
    const other = await openStreamTo(b.url, { token: alice.token })
    other.say({ type: 'start', since: next, ...look })
    await other.next()
    expect(await stream.end()).toBe(streamClose.replaced)
    const turn = a.context.turns.take(alice.member, alice.id)
    const data = a.context.storage.id
    const late = { data, since: null, stored: false, windows: { look, turn } }
    const { member, userId, id: device } = alice
    const tokenHash = hashToken(alice.token)
    const caller = { member, userId, device, tokenHash, scope: 'full' as const }
    await expect(attempt(a.context, caller, late)).rejects.toMatchObject({
      errcode: 'M_LIMIT_EXCEEDED',
    })
    other.socket.terminate()
  })

  it('sign with one key, and take a new one over', async () => {
    const database = await newPostgresDatabase()
    const [one, two] = [await inProcess({ database }), await inProcess({ database })]
    const before = one.context.keys.current.keyId
    expect(two.context.keys.current.keyId).toBe(before)
    const other = mkdtempSync(join(tmpdir(), 'eccp-other-'))
    ends.push(async () => rmSync(other, { recursive: true, force: true }))
    await expect(startNode({ database, dataDir: other })).rejects.toMatchObject({
      code: 'other_key',
    })
    const { rotateIfOlder } = await import('./shared-key.ts')
    expect(await rotateIfOlder(one.context.storage, one.context.keys, 0, Date.now() + 1000)).toBe(
      true,
    )
    const after = one.context.keys.current.keyId
    expect(after).not.toBe(before)
    await until(() => two.context.keys.current.keyId === after)
    expect(two.context.keys.published.map(({ key_id }) => key_id)).toEqual([after, before])
  })
})

describe('a PostgreSQL that is killed under load', () => {
  it(
    'has every acknowledged message when it is back, each once, and the node goes on by itself',
    async () => {
      const found = findPostgres()
      if ('missing' in found) throw new Error(found.missing)
      const postgres = new TestPostgres({ bin: found.bin, durable: true })
      ends.push(() => postgres.stop())
      await postgres.create()
      await postgres.start()
      await postgres.query('create database eccp')
      const database = `${postgres.url('eccp')}&password=hunter2`
      const [a, b] = await Promise.all([startOne(database), startOne(database)])
      const alice = await register(a, 'alice')
      const bob = await register(b, 'bob')
      const room = await meet(alice, bob)
      const state = await alice.state(room)
      const { next } = await bob.sync()
      const refusals = new Set<string>()
      let acknowledged: string[] = []
      let stop = false

      const sending = (async () => {
        for (let index = 0; !stop; index++) {
          const wrap = fakeWrap({ member: bob.member, device: bob.id })
          const body = alice.sealMessage(room, state, `${index}`, [wrap])
          // The very same bytes until they are acknowledged, now at one process, now at the other.
          for (let tries = 0; ; tries++) {
            alice.url = tries % 2 === 0 ? a.url : b.url
            const { status, body: answer } = await alice.submit(room, body, `t${index}`)
            if (status === 200) {
              acknowledged = [...acknowledged, answer.envelope_id]
              break
            }
            refusals.add(`${status} ${String((answer as { errcode?: string }).errcode)}`)
            await new Promise((resolve) => setTimeout(resolve, 20))
          }
        }
      })()
      const seen: string[] = []
      let at = next
      const look = async (timeout: number): Promise<boolean> => {
        const { status, body } = await bob.call('sync', { query: { since: at, timeout } })
        if (status !== 200) {
          refusals.add(`${status} ${String((body as { errcode?: string }).errcode)}`)
          await new Promise((resolve) => setTimeout(resolve, 20))
          return true
        }
        for (const { pdu } of body.rooms[room]?.timeline ?? []) seen.push(pdu.event.envelope_id)
        const moved = body.next !== at
        at = body.next
        return moved
      }
      const watching = (async () => {
        while (!stop) await look(200)
      })()

      for (let round = 1; round <= 2; round++) {
        const enough = acknowledged.length + 5
        await until(() => acknowledged.length >= enough)
        await postgres.kill()
        await until(() => refusals.size > 0)
        await postgres.start()
      }
      const last = acknowledged.length + 5
      await until(() => acknowledged.length >= last)
      stop = true
      await Promise.all([sending, watching])
      while (await look(0));
      expect(seen).toEqual(acknowledged)
      expect([...refusals]).toEqual(['503 E_STORAGE_UNAVAILABLE'])
      for (const node of [a, b]) {
        expect(node.output()).toContain('the database is gone')
        await until(() => node.output().includes('the database is back'))
        expect(node.output()).not.toContain('hunter2')
      }
      expect(await a.kill('SIGTERM')).toBe(0)
    },
    SLOW_MS,
  )
})
