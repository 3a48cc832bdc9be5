/** Certificates that end, and are renewed, under nodes that go on running. */
import { X509Certificate } from 'node:crypto'
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import type { TLSSocket } from 'node:tls'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inviteBody, membershipOf } from '../../src-shared/protocol/index.ts'
import { register, stateFrom } from '../../conformance/device.ts'
import { isolated } from '../config.ts'
import type { FederationConfig } from '../config.ts'
import { until } from '../testing/engine-users.ts'
import { keptLog, metricOf } from '../testing/kept-log.ts'
import { startNode } from '../testing/start-node.ts'
import type { StartOptions, TestNode } from '../testing/start-node.ts'
import { startProcess } from '../testing/start-process.ts'

const certificates = join(import.meta.dirname, '..', 'testing', 'certificates')
const DAY_MS = 24 * 60 * 60_000

let folder: string
const nodes: TestNode[] = []
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-certificate-'))
})
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
  rmSync(folder, { recursive: true, force: true })
})

/** Where the operator's tool puts what it has got. */
const files = () => ({ certificate: join(folder, 'cert.pem'), key: join(folder, 'key.pem') })

function install(name: 'good' | 'expired' | 'other', parts = ['pem', 'key']): void {
  const { certificate, key } = files()
  if (parts.includes('pem')) copyFileSync(join(certificates, `${name}.pem`), certificate)
  if (parts.includes('key')) copyFileSync(join(certificates, `${name}.key`), key)
}

async function start(options: StartOptions): Promise<TestNode> {
  const node = await startNode(options)
  nodes.push(node)
  return node
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  await new Promise((resolve) => server.close(resolve))
  return port
}

const loopback = { host: '127.0.0.1', rootFile: null, plainHttp: false }
const open: FederationConfig = {
  ...isolated,
  mode: 'open',
  listen: { host: '127.0.0.1', port: 0 },
  plainHttpOnLoopback: true,
  rootFile: join(certificates, 'root.pem'),
  retry: { firstMs: 50, maxMs: 200 },
}

describe('a peer whose certificate has expired', () => {
  it('is not spoken to; what waits for it waits, is named, and goes when it is renewed', async () => {
    install('expired')
    const port = await freePort()
    const { log, said } = keptLog()
    const peers = { 'b.test': { ...loopback, port } }
    const a = await start({ serverName: 'a.test', federation: { ...open, peers }, world: { log } })
    const own = keptLog()
    const b = await start({
      serverName: 'b.test',
      world: { log: own.log },
      federation: {
        ...open,
        tls: files(),
        listen: { host: '127.0.0.1', port },
        peers: {
          'a.test': {
            ...loopback,
            port: Number(new URL(a.federationUrl ?? '').port),
            plainHttp: true,
          },
        },
      },
    })
    expect(own.said('the certificate for other servers has expired')).toHaveLength(1)
    expect(await metricOf(b, 'eccp_certificate_days_left')).toBeLessThan(-2000)

    // Whom it meets by being asked: `b.test` may ask, its key it can't prove.
    const alice = await register(a, 'alice')
    const bob = await register(b, 'bob')
    const room = await alice.createRoom([inviteBody(bob.member, bob.userId)])
    await until(() => said('the certificate of another server is not accepted').length > 0)
    expect(said('the certificate of another server is not accepted')).toEqual([
      expect.objectContaining({ server: 'b.test', why: 'CERT_HAS_EXPIRED' }),
    ])
    const bad = 'eccp_peer_certificate_bad{server="b.test",why="CERT_HAS_EXPIRED"}'
    expect(await metricOf(a, bad)).toBe(1)
    expect(await metricOf(a, 'eccp_peer_queue{destination="b.test"}')).toBe(1)
    const invited = async (): Promise<boolean> => {
      const { status, body } = await bob.call('state', { params: { roomId: room } })
      return status === 200 && membershipOf(stateFrom(body.events), bob.member) === 'invite'
    }
    expect(await invited()).toBe(false)

    install('good')
    b.reload()
    expect(own.said('a new certificate is served')).toHaveLength(1)
    await until(invited)
    await until(async () => (await metricOf(a, 'eccp_peer_queue{destination="b.test"}')) === null)
    expect(await metricOf(a, bad)).toBeNull()
    expect(await metricOf(b, 'eccp_certificate_days_left')).toBeGreaterThan(30_000)
  })
})

describe('the own certificate', () => {
  const served = async (node: TestNode): Promise<[TLSSocket, number]> => {
    const port = Number(new URL(node.federationUrl ?? '').port)
    const ca = readFileSync(join(certificates, 'root.pem'))
    const socket = connect({
      port,
      host: '127.0.0.1',
      servername: 'b.test',
      ca,
      rejectUnauthorized: false,
    })
    await new Promise((resolve) => socket.once('secureConnect', resolve))
    return [socket, Date.parse(socket.getPeerCertificate().valid_to)]
  }

  it('is replaced while connections go on, and not by files that do not belong together', async () => {
    install('expired')
    const { log, said } = keptLog()
    const b = await start({
      serverName: 'b.test',
      federation: { ...open, tls: files() },
      world: { log },
    })
    const [before, ended] = await served(b)
    expect(ended).toBeLessThan(Date.now())
    // Half of it is there.
    install('good', ['pem'])
    b.reload()
    b.reload()
    expect(said('the certificate files can not be used')).toHaveLength(1)
    const [meanwhile, still] = await served(b)
    expect(still).toBe(ended)
    install('good')
    b.reload()
    const [after, renewed] = await served(b)
    expect(renewed).toBeGreaterThan(Date.now())
    const answer = new Promise<string>((resolve) =>
      before.once('data', (data: Buffer) => resolve(data.toString())),
    )
    before.write('GET /_eccp/federation/v1/version HTTP/1.1\r\nhost: b.test\r\n\r\n')
    expect(await answer).toMatch(/^HTTP\/1\.1 200 /)
    for (const socket of [before, meanwhile, after]) socket.destroy()
  })

  it('is warned of before it ends', async () => {
    install('good')
    const { validTo } = new X509Certificate(readFileSync(files().certificate))
    const { log, said } = keptLog()
    const now = (): number => Date.parse(validTo) - 5.5 * DAY_MS
    const b = await start({
      serverName: 'b.test',
      federation: { ...open, tls: files() },
      world: { log, now },
    })
    expect(said('the certificate for other servers ends soon')).toEqual([
      expect.objectContaining({ days: 5 }),
    ])
    expect(await metricOf(b, 'eccp_certificate_days_left')).toBe(5.5)
  })

  const inLongRuns = process.env['ECCP_LONG'] === '1' ? it : () => undefined
  inLongRuns('is taken up by a process that is told so', async () => {
    install('expired')
    const config = join(folder, 'node.yaml')
    const listen = [
      { type: 'client', port: 0 },
      { type: 'federation', port: 0, ...files() },
    ]
    writeFileSync(config, JSON.stringify({ server_name: 'b.test', data: folder, listen }))
    const node = await startProcess(folder, {
      name: 'b.test',
      config,
      more: ['--port-file', join(folder, 'port.json')],
    })
    try {
      expect(node.output()).toContain('the certificate for other servers has expired')
      install('good')
      const { pid } = JSON.parse(readFileSync(join(folder, 'port.json'), 'utf8')) as { pid: number }
      process.kill(pid, 'SIGHUP')
      await until(() => node.output().includes('a new certificate is served'))
    } finally {
      await node.kill('SIGTERM')
    }
  })
})
