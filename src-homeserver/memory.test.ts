/** What the operating system gives a node whose peers try to fill its memory. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { connect } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { register } from '../conformance/device.ts'
import { FakePeer } from '../conformance/fake-peer.ts'
import { startProcess } from './testing/start-process.ts'
import type { NodeProcess } from './testing/start-process.ts'

const MIB = 1024 * 1024
const TRANSACTION = '/_eccp/federation/v1/transactions/x'
/**
 * Bodies on their way take 64 MiB, twice while they are put together (Federation §15.8); four of a server's are read
 * as JSON at a time, of at most 200,000 values each; connections, and what the collector has not yet swept up.
 */
const BOUND_MIB = 2 * 64 + 4 * 32 + 64

let folder: string
let node: NodeProcess
const sockets: Socket[] = []
const peer = new FakePeer('evil.test')
const evil = createServer((request, response) => peer.take(request, response))

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-memory-'))
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
  const { port } = evil.address() as AddressInfo
  const config = join(folder, 'node.yaml')
  const settings = [
    'server_name: a.test',
    'data: .',
    'rate_limits: "off"',
    'listen:',
    '  - { type: client, port: 0 }',
    '  - { type: federation, port: 0 }',
    'federation:',
    '  plain_http_on_loopback: true',
    '  peers:',
    `    evil.test: { address: "127.0.0.1:${port}", plain_http: true }`,
  ]
  writeFileSync(config, `${settings.join('\n')}\n`)
  node = await startProcess(folder, { name: 'a.test', config })
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  await node.kill('SIGKILL')
  evil.closeAllConnections()
  await new Promise((resolve) => evil.close(resolve))
  rmSync(folder, { recursive: true, force: true })
})

/** MiB, from the kernel: `VmRSS` now, `VmHWM` the most there ever was. */
function resident(which: 'VmRSS' | 'VmHWM'): number {
  const status = readFileSync(`/proc/${node.pid}/status`, 'utf8')
  const found = new RegExp(`^${which}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]
  if (found === undefined) throw new Error('the kernel does not say')
  return Number(found) / 1024
}

const target = () => ({ serverName: 'a.test', federationUrl: node.federationUrl ?? '' })

/** A connection that says this and never more. */
async function stalled(...parts: (string | Buffer)[]): Promise<void> {
  const socket = connect(Number(new URL(target().federationUrl).port), '127.0.0.1')
  sockets.push(socket)
  socket.on('error', () => undefined)
  socket.resume()
  await new Promise((resolve) => socket.once('connect', resolve))
  for (const part of parts) socket.write(part)
}

async function served(name: string): Promise<void> {
  const somebody = await register(node, name)
  expect(await somebody.ok('whoami')).toMatchObject({ member: somebody.member })
  const path = `/_eccp/federation/v1/manifests/${encodeURIComponent('@nobody:a.test')}`
  expect((await peer.ask(target(), { path })).status).toBe(404)
}

it.skipIf(process.platform !== 'linux')(
  'a node that is flooded stays small, and serves others',
  async () => {
    await served('before')
    const before = resident('VmRSS')
    const head =
      `PUT ${TRANSACTION} HTTP/1.1\r\nhost: a.test\r\ncontent-type: application/json\r\n` +
      `content-length: ${4 * MIB}\r\n\r\n`
    const body = Buffer.alloc(4 * MIB - 1, ' ')
    await Promise.all([
      ...Array.from({ length: 400 }, () => stalled('GET / HTTP/1.1\r\nx: ', 'y'.repeat(8000))),
      ...Array.from({ length: 120 }, () => stalled(head, body)),
    ])
    await served('meanwhile')
    for (const socket of sockets.splice(0)) socket.destroy()
    const ask = (text: string) =>
      peer.ask(target(), { method: 'PUT', path: TRANSACTION, bytes: Buffer.from(text) })
    // An item that passes for one, and would be kept while it waits in line.
    const many = `{"items":[{"id":"x","kind":"event","wraps":[],"pdu":{"x":[${'[],'.repeat((4 * MIB - 99) / 3)}[]]}}]}`
    const deep = `{"items":${'['.repeat(2 * MIB)}${']'.repeat(2 * MIB - 64)}}`
    for (let round = 0; round < 3; round++) {
      const answers = await Promise.all(
        Array.from({ length: 12 }, (_, index) => ask(index % 3 === 0 ? deep : many)),
      )
      for (const { status, body } of answers)
        expect([status, body['errcode']]).toEqual([413, 'M_TOO_LARGE'])
    }
    await served('afterwards')
    expect(resident('VmHWM') - before).toBeLessThan(BOUND_MIB)
  },
)
