import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { Server } from 'node:https'
import type { RequestListener } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { isolated } from '../config.ts'
import type { FederationConfig } from '../config.ts'
import { allGuards } from '../guards.ts'
import { keptLog } from '../testing/kept-log.ts'
import { startNode } from '../testing/start-node.ts'
import { createDirectory } from './directory.ts'
import { createExchange } from './exchange.ts'
import type { Endpoint, Network } from './exchange.ts'
import { openRoots } from './roots.ts'

const file = (name: string): string =>
  join(import.meta.dirname, '..', 'testing', 'certificates', name)
const config: FederationConfig = { ...isolated, mode: 'open', rootFile: file('root.pem') }

const ends: (() => unknown)[] = []
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end()
})

/** An HTTPS server on a free port of loopback that shows the certificate of `b.test`, or another. */
async function serve(answer: RequestListener, certificate = 'good'): Promise<number> {
  const pem = (kind: string): Buffer => readFileSync(file(`${certificate}.${kind}`))
  const server: Server = createServer({ cert: pem('pem'), key: pem('key') }, answer)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  ends.push(() => {
    server.closeAllConnections()
    server.close()
  })
  return (server.address() as AddressInfo).port
}

/** Leads `b.test:443` to loopback; every other endpoint is where it says. */
function ledTo(port: number): (to: Endpoint) => Endpoint {
  return (to) =>
    to.host === 'b.test' && to.port === 443
      ? { ...to, host: '127.0.0.1', port, trustedAddress: true }
      : to
}

/** The way to other servers, where some are elsewhere. */
function led(reach: (to: Endpoint) => Endpoint): Network {
  return (stopping, guards) => {
    const exchange = createExchange(stopping, guards)
    return { ...exchange, send: (to, request) => exchange.send(reach(to), request) }
  }
}

interface Found {
  find(server: string): Promise<string>
  /** Connects to where it is. */
  ask(server: string): Promise<void>
  readonly asked: string[]
  now: number
}

/** A directory over real TLS. `timeoutMs` shortens how long a document is waited for. */
function directory(port: number, change: Partial<FederationConfig> = {}, timeoutMs = 5000): Found {
  const stop = new AbortController()
  const roots = openRoots({ ...config, ...change }, keptLog().log)
  const exchange = led(ledTo(port))(stop.signal, allGuards)
  ends.push(() => {
    stop.abort()
    exchange.close()
    roots.close()
  })
  const asked: string[] = []
  const found: Found = {
    asked,
    now: 1_000_000,
    async find(server) {
      const { host, port: at, certificateFor, plain, trustedAddress } = await listed.find(server)
      expect(plain).toBe(false)
      if (trustedAddress) return `${host}:${at} for ${certificateFor}, as configured`
      expect(certificateFor).toBe(host)
      return `${host}:${at}`
    },
    async ask(server) {
      const { host, port: at } = await listed.find(server)
      const to = { host, port: at, plain: false, certificateFor: host, roots: null }
      const asks = { method: 'GET', path: '/', headers: {}, body: new Uint8Array() }
      const bounds = { maxAnswer: 1, timeoutMs }
      await exchange.send({ ...to, trustedAddress: false }, { ...asks, ...bounds })
    },
  }
  const listed = createDirectory(
    { ...config, ...change },
    {
      ...exchange,
      send(to, request) {
        asked.push(`${to.host}:${to.port}${request.path}`)
        expect([request.timeoutMs, request.maxAnswer]).toEqual([5000, 4096])
        return exchange.send(to, { ...request, timeoutMs })
      },
    },
    roots,
    () => found.now,
  )
  return found
}

const says =
  (text: string, status = 200, headers: Record<string, string> = {}): RequestListener =>
  (request, response) => {
    const known = request.url === '/.well-known/eccp/server' && request.headers.host === 'b.test'
    response.writeHead(known ? status : 404, headers).end(text)
  }
const names = (server: unknown): string => JSON.stringify({ 'm.server': server })

describe('a server is looked up by its name', () => {
  it('where its document says, over a checked certificate', async () => {
    const port = await serve(says(names('matrix.b.test:4433')))
    const one = directory(port)
    expect(await one.find('b.test')).toBe('matrix.b.test:4433')
    expect(one.asked).toEqual(['b.test:443/.well-known/eccp/server'])
  })

  it('at port 8448 where the document names none', async () => {
    expect(await directory(await serve(says(names('c.test')))).find('b.test')).toBe('c.test:8448')
  })

  const tooLarge = `${names('c.test')}${' '.repeat(5000)}`
  const elsewhere = { location: 'https://c.test/.well-known/eccp/server' }
  it.each([
    ['that is not there', says('no', 404)],
    ['that leads elsewhere', says(names('c.test'), 302, elsewhere)],
    ['of more than 4 KiB', says(tooLarge)],
    ['without end', (_: unknown, to: Parameters<RequestListener>[1]) => void to.write(tooLarge)],
    ['that is no JSON', says('c.test')],
    ['of another form', says('["c.test"]')],
    ['that names nothing', says(names(''))],
    ['that names more than a server', says(names('c.test/evil'))],
    ['that names no port there is', says(names('c.test:70000'))],
  ])('at its own name for a document %s', async (_name, answer) => {
    expect(await directory(await serve(answer)).find('b.test')).toBe('b.test:8448')
  })

  it('at its own name where the document does not come, or nobody is there', async () => {
    const never = await serve(() => undefined)
    expect(await directory(never, {}, 100).find('b.test')).toBe('b.test:8448')
    expect(await directory(1).find('b.test')).toBe('b.test:8448')
  })

  it.each(['other', 'expired'])('at its own name under a bad certificate: %s', async (shown) => {
    const port = await serve(says(names('c.test')), shown)
    expect(await directory(port).find('b.test')).toBe('b.test:8448')
    const untrusted = directory(await serve(says(names('c.test'))), { rootFile: null })
    expect(await untrusted.find('b.test')).toBe('b.test:8448')
  })

  it('once an hour, and again after ten minutes where that failed', async () => {
    let answer = says('no', 500)
    const one = directory(await serve((request, response) => answer(request, response)))
    const at = async (minutes: number): Promise<string> => {
      one.now = 1_000_000 + minutes * 60_000
      return one.find('b.test')
    }
    expect(await at(0)).toBe('b.test:8448')
    answer = says(names('c.test:1'))
    expect([await at(9.9), await at(10)]).toEqual(['b.test:8448', 'c.test:1'])
    answer = says(names('d.test:1'))
    expect([await at(69.9), await at(70), one.asked.length]).toEqual(['c.test:1', 'd.test:1', 3])
  })

  it('and not at all where name or configuration say where it is', async () => {
    const one = directory(1, {
      peers: { 'b.test': { host: '127.0.0.1', port: 7, rootFile: null, plainHttp: false } },
    })
    expect(await one.find('c.test:9')).toBe('c.test:9')
    expect(await one.find('192.0.2.1')).toBe('192.0.2.1:8448')
    expect(await one.find('b.test')).toBe('127.0.0.1:7 for b.test, as configured')
    expect(one.asked).toEqual([])
  })
})

describe('a document that leads into the operator’s own network', () => {
  it.each(['127.0.0.1:1', 'localhost:1', '10.0.0.7', '[::1]:1', '169.254.169.254'])(
    'is not followed: %s',
    async (target) => {
      const one = directory(await serve(says(names(target))))
      await expect(one.ask('b.test')).rejects.toMatchObject({ code: 'inner_address' })
    },
  )
})

it('two nodes meet by a document alone', async () => {
  const tls = { certificate: file('good.pem'), key: file('good.key') }
  const listen = { host: '127.0.0.1', port: 0 }
  const b = await startNode({ serverName: 'b.test', federation: { ...config, listen, tls } })
  ends.push(() => b.stop())
  const federation = Number(new URL(b.federationUrl ?? '').port)
  const document = await serve(says(names(`b.test:${federation}`)))
  const reach = (to: Endpoint): Endpoint =>
    to.port === federation
      ? { ...to, host: '127.0.0.1', trustedAddress: true }
      : ledTo(document)(to)
  const a = await startNode({
    serverName: 'a.test',
    federation: config,
    world: { network: led(reach) },
  })
  ends.push(() => a.stop())
  expect(await a.context.peers.call('b.test', 'keys')).toMatchObject({
    ok: true,
    value: { server_name: 'b.test' },
  })
})
