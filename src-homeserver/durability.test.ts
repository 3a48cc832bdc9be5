import { mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inviteBody, joinBody, toBase64Url } from '../src-shared/protocol/index.ts'
import { contentsOf, databaseOf } from './testing/database.ts'
import { startProcess } from './testing/start-process.ts'
import type { NodeProcess } from './testing/start-process.ts'
import { call, fakeWrap, passwordOf, register } from '../conformance/device.ts'
import type { TestDevice } from '../conformance/device.ts'

let dataDir: string
const running: NodeProcess[] = []
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'eccp-kill-'))
})
afterEach(async () => {
  for (const node of running.splice(0)) await node.kill('SIGKILL')
  rmSync(dataDir, { recursive: true, force: true })
})

async function start(...more: string[]): Promise<NodeProcess> {
  const node = await startProcess(dataDir, { more })
  running.push(node)
  return node
}

describe('a node that is killed', () => {
  it('has everything it acknowledged when it comes back, and answers retries alike', async () => {
    let node = await start()
    const alice = await register(node, 'alice')
    const bob = await register(node, 'bob')
    const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
    await bob.setState(room, joinBody(bob.member, bob.userId))
    const state = await alice.state(room)
    const { next } = await bob.sync()
    const acknowledged: string[] = []
    const wraps = new Map<string, string>()
    for (let round = 0; round < 3; round++) {
      let last: { body: ReturnType<TestDevice['sealMessage']>; txn: string } | undefined
      const killAt = 5 + Math.floor(Math.random() * 10)
      for (let index = 0; ; index++) {
        const wrap = fakeWrap({ member: bob.member, device: bob.id })
        const body = alice.sealMessage(room, state, `${round}/${index}`, [wrap])
        last = { body, txn: `r${round}i${index}` }
        if (index === killAt) setTimeout(() => void node.kill('SIGKILL'), Math.random() * 10)
        const answer = await alice.submit(room, body, last.txn).catch(() => null)
        if (answer === null) break
        expect(answer.status).toBe(200)
        acknowledged.push(answer.body.envelope_id)
        wraps.set(answer.body.envelope_id, wrap.message.ciphertext)
      }
      await node.kill('SIGKILL')
      node = await start()
      alice.url = bob.url = node.url
      // Whether the last one arrived is unknown: the very same bytes settle it, either way.
      if (last === undefined) throw new Error('nothing was sent')
      const settled = await alice.submit(room, last.body, last.txn)
      expect(settled.status).toBe(200)
      acknowledged.push(settled.body.envelope_id)
      const [wrap] = last.body.wraps ?? []
      wraps.set(settled.body.envelope_id, wrap?.message.ciphertext ?? '')
    }
    const seen: string[] = []
    for (let at = next; ;) {
      const page = await bob.sync(at)
      for (const { pdu, wrap } of page.rooms[room]?.timeline ?? []) {
        seen.push(pdu.event.envelope_id)
        expect(wrap?.message.ciphertext).toBe(wraps.get(pdu.event.envelope_id))
      }
      if (page.next === at) break
      at = page.next
    }
    expect(seen).toEqual(acknowledged)
  })

  it('ends in order when asked to, and lets waiting devices go', async () => {
    const node = await start()
    const alice = await register(node, 'alice')
    const { next } = await alice.sync()
    const waiting = alice.sync(next, 30_000)
    await new Promise((resolve) => setTimeout(resolve, 100))
    expect(await node.kill('SIGTERM')).toBe(0)
    expect((await waiting).rooms).toEqual({})
  })

  it('tells where it listens in its port file', async () => {
    const portFile = join(dataDir, 'port.json')
    const node = await start('--port-file', portFile)
    const about = JSON.parse(readFileSync(portFile, 'utf8')) as Record<string, unknown>
    const { body } = await call(node.url, 'capabilities')
    expect(about).toEqual({
      url: node.url,
      pid: expect.any(Number),
      serverName: 'node.test',
      signingKey: body.signing_key.ed25519,
    })
  })
})

describe('the data folder and the log', () => {
  it('hold no password, token, private key or message text', async () => {
    const node = await start()
    const alice = await register(node, 'alice')
    const bob = await register(node, 'bob')
    const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
    await bob.setState(room, joinBody(bob.member, bob.userId))
    const text = 'a text that nobody else should ever see'
    await alice.say(room, text)
    await alice.call('login', {
      token: null,
      body: {
        user: 'alice',
        password: 'a password that is wrong',
        device: {
          id: alice.id,
          ed25519: toBase64Url(alice.local.ed25519),
          x25519: toBase64Url(alice.local.x25519),
          min_suite: 1,
        },
        proof: alice.proof(),
      },
    })
    const secrets: (string | Uint8Array)[] = [
      text,
      passwordOf('alice'),
      'a password that is wrong',
      alice.token,
      bob.token,
      alice.secrets.ed25519,
      alice.secrets.x25519,
      alice.recovery.ed25519,
    ]
    const places = [Buffer.from(node.output()), ...(await stored(dataDir))]
    // The search itself must find what is there.
    expect(places.some((place) => place.includes(alice.member))).toBe(true)
    for (const secret of secrets)
      for (const form of forms(secret))
        expect(places.some((place) => place.includes(form))).toBe(false)
    await node.kill('SIGTERM')
    const left = await stored(dataDir)
    for (const secret of secrets)
      for (const form of forms(secret))
        expect(left.some((place) => place.includes(form))).toBe(false)
    expect(node.output()).not.toContain(room)
    for (const name of readdirSync(dataDir))
      expect([name, statSync(join(dataDir, name)).mode & 0o077]).toEqual([name, 0])
  })
})

/** The files, and what the database says to whoever may read it. */
async function stored(folder: string): Promise<Buffer[]> {
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name)))
  const database = await databaseOf(folder)
  return database === null ? files : [...files, Buffer.from(await contentsOf(database))]
}

function forms(secret: string | Uint8Array): Buffer[] {
  const bytes = Buffer.from(secret)
  const encoded = (['base64', 'base64url', 'hex'] as const).map((encoding) =>
    Buffer.from(bytes.toString(encoding).replaceAll('=', '')),
  )
  const wide = typeof secret === 'string' ? [Buffer.from(secret, 'utf16le')] : []
  return [bytes, ...wide, ...encoded]
}
