/** People on a node that is killed and started on a backup: what they notice, and what the operators of both see. */
import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { environmentOf, filesOfCopy, putBack } from './testing/data-copy.ts'
import { conversation, messages, newUser, say, texts, until } from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'
import { FederationNet } from './testing/federation-net.ts'
import type { Member } from './testing/federation-net.ts'
import { startProcess } from './testing/start-process.ts'
import type { NodeProcess } from './testing/start-process.ts'
import type { TestNode } from './testing/start-node.ts'

vi.setConfig({ testTimeout: 180_000 })

const run = promisify(execFile)
const main = join(import.meta.dirname, 'main.ts')

let net: FederationNet
let folder: string
let node: NodeProcess
let b: Member
const users: TestUser[] = []
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-restored-'))
  net = await FederationNet.open(['a.test', 'b.test'])
  b = await net.start('b.test')
  await start()
})
afterEach(async () => {
  await Promise.all(users.splice(0).map(({ engine }) => engine.stop()))
  await node.kill('SIGKILL')
  await net.close()
  rmSync(folder, { recursive: true, force: true })
})

/** `a.test` as a process, with its data in `folder/data`. */
async function start(): Promise<void> {
  const data = join(folder, 'data')
  mkdirSync(data, { recursive: true })
  const [[, peer] = ['', undefined]] = Object.entries(net.federation('a.test').peers)
  const settings = {
    server_name: 'a.test',
    data,
    listen: [
      { type: 'client', port: 0 },
      { type: 'federation', port: 0 },
    ],
    federation: {
      plain_http_on_loopback: true,
      outbound_retry_backoff: { first: '50ms', max: '400ms' },
      peers: { 'b.test': { address: `127.0.0.1:${peer?.port ?? 0}`, plain_http: true } },
    },
  }
  const config = join(folder, 'node.yaml')
  writeFileSync(config, JSON.stringify(settings))
  node = await startProcess(data, { name: 'a.test', config })
  net.aim('a.test', node.federationUrl)
}

/** Whoever is at `a.test` finds it wherever it is now. */
const home: TestNode = {
  get url() {
    return node.url
  },
  serverName: 'a.test',
} as unknown as TestNode

async function person(at: Parameters<typeof newUser>[0], name: string): Promise<TestUser> {
  const user = await newUser(at, name)
  users.push(user)
  return user
}

async function exchange(room: string, from: TestUser, to: TestUser, text: string): Promise<void> {
  await say(from, room, text)
  await until(async () => (await texts(to, room)).includes(text))
  // Told of it by the node, so that it is no longer in the outbox.
  await until(async () =>
    (await messages(from, room)).every(({ delivery }) => delivery !== 'sending'),
  )
}

describe('people whose node is started on a backup', () => {
  it('keep what they have, talk on, and have nothing twice', async () => {
    const ada = await person(home, 'ada')
    const lea = await person(home, 'lea')
    const ben = await person(b, 'ben')
    const far = await conversation(ada, ben)
    const near = await conversation(ada, lea)
    await exchange(far, ada, ben, 'before')
    await exchange(near, ada, lea, 'here before')

    const copy = join(folder, 'copy')
    const data = join(folder, 'data')
    const command = [main, 'backup', '--config', join(folder, 'node.yaml'), '--to', copy]
    await run(process.execPath, command, { env: await environmentOf(data) })
    expect(readdirSync(copy).sort()).toEqual(await filesOfCopy(data))
    await exchange(far, ada, ben, 'since')
    await exchange(far, ben, ada, 'since, too')
    await exchange(near, ada, lea, 'here since')

    await node.kill('SIGKILL')
    await putBack(copy, data)
    await say(ben, far, 'are you there?')
    await start()

    await until(async () => (await texts(ada, far)).includes('are you there?'))
    await exchange(far, ada, ben, 'again')
    await exchange(far, ben, ada, 'indeed')
    await exchange(near, ada, lea, 'here again')
    await exchange(near, lea, ada, 'and I')
    const all = ['before', 'since', 'since, too', 'are you there?', 'again', 'indeed'].sort()
    for (const user of [ada, ben]) expect([...(await texts(user, far))].sort()).toEqual(all)
    // Where nobody else had it the node has lost it; those who had it have not.
    for (const user of [ada, lea])
      expect(await texts(user, near)).toEqual(['here before', 'here since', 'here again', 'and I'])

    const log = node.output()
    expect(log).toContain('the data was set back to an earlier state: asking other servers')
    await until(() => node.output().includes('what other servers had is here again'))
    const metrics = await b.node?.context.metrics.registry.metrics()
    expect(metrics).toContain('eccp_peer_alarms_total{what="restored"} 1')
  })
})
