/**
 * Nodes with different names on loopback, each link through a proxy of its own that can be cut, and that loses,
 * delays and repeats by a seed. Nodes run inside the test's process, or as processes that a test may kill.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, request as httpRequest } from 'node:http'
import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isolated } from '../config.ts'
import type { FederationConfig } from '../config.ts'
import { startNode } from './start-node.ts'
import type { TestNode } from './start-node.ts'
import { seededBy } from './seeded/chance.ts'
import { startProcess } from './start-process.ts'

/** What happens to a request on its way, each in a thousand. */
export interface Faults {
  readonly lost: number
  readonly answerLost: number
  readonly repeated: number
  readonly maxDelayMs: number
}

const calm: Faults = { lost: 0, answerLost: 0, repeated: 0, maxDelayMs: 0 }

interface Link {
  readonly server: Server
  readonly port: number
  target: URL | null
  cut: boolean
  /** Requests that have come so far: with seed and link, the number of each says what becomes of it. */
  requests: number
}

export interface Member {
  readonly name: string
  readonly dataDir: string
  /** Of the clients' listener. */
  url: string
  readonly serverName: string
  node: TestNode | null
  stop(): Promise<void>
}

export class FederationNet {
  readonly #links = new Map<string, Link>()
  readonly #members = new Map<string, Member>()
  readonly #seed: number
  readonly names: readonly string[]
  faults: Faults = calm

  private constructor(names: readonly string[], seed: number) {
    this.names = names
    this.#seed = seed
  }

  static async open(names: readonly string[], seed = 1): Promise<FederationNet> {
    const net = new FederationNet(names, seed)
    for (const from of names)
      for (const to of names) if (from !== to) await net.#openLink(`${from} ${to}`)
    return net
  }

  async #openLink(key: string): Promise<void> {
    const server = createServer((request, response) => {
      void this.#pass(key, request, response).catch(() => response.destroy())
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    const { port } = server.address() as AddressInfo
    this.#links.set(key, { server, port, target: null, cut: false, requests: 0 })
  }

  async #pass(key: string, request: IncomingMessage, response: ServerResponse): Promise<void> {
    const link = this.#links.get(key)
    const draw = seededBy(this.#seed, `${key} ${link?.requests ?? 0}`)
    if (link !== undefined) link.requests++
    const chunks: Buffer[] = []
    for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
    const [lost, answerLost, repeated] = [draw() * 1000, draw() * 1000, draw() * 1000]
    const { faults } = this
    if (faults.maxDelayMs > 0)
      await new Promise((resolve) => setTimeout(resolve, draw() * faults.maxDelayMs))
    if (link === undefined || link.cut || link.target === null || lost < faults.lost) {
      request.socket.destroy()
      return
    }
    const { target } = link
    const answer = await forward(target, request, Buffer.concat(chunks))
    if (repeated < faults.repeated)
      await forward(target, request, Buffer.concat(chunks)).catch(() => undefined)
    if (link.cut || answerLost < faults.answerLost) {
      request.socket.destroy()
      return
    }
    response.writeHead(answer.status, { 'content-type': 'application/json' }).end(answer.body)
  }

  /** Nothing that `a` says passes to `b`, and, unless it is one way, the other way round. */
  cut(a: string, b: string, oneWay = false): void {
    for (const key of oneWay ? [`${a} ${b}`] : [`${a} ${b}`, `${b} ${a}`]) {
      const link = this.#links.get(key)
      if (link === undefined) continue
      link.cut = true
      link.server.closeAllConnections()
    }
  }

  heal(): void {
    for (const link of this.#links.values()) link.cut = false
  }

  federation(name: string): FederationConfig {
    const peers = Object.fromEntries(
      this.names
        .filter((other) => other !== name)
        .map((other) => {
          const port = this.#links.get(`${name} ${other}`)?.port ?? 0
          return [other, { host: '127.0.0.1', port, rootFile: null, plainHttp: true }]
        }),
    )
    return {
      ...isolated,
      mode: 'open',
      listen: { host: '127.0.0.1', port: 0 },
      plainHttpOnLoopback: true,
      peers,
      retry: { firstMs: 50, maxMs: 400 },
    }
  }

  /** A node inside this process. */
  async start(name: string, change: Partial<FederationConfig> = {}): Promise<Member> {
    const known = this.#members.get(name)
    const dataDir = known?.dataDir ?? mkdtempSync(join(tmpdir(), 'eccp-fed-'))
    const federation = { ...this.federation(name), ...change }
    const node = await startNode({ serverName: name, dataDir, federation })
    this.aim(name, node.federationUrl)
    return this.#join(name, dataDir, node.url, node, () => node.stop())
  }

  /** A node as a process; `stop` kills it as a crash would. `database`: of PostgreSQL. */
  async startProcess(name: string, database?: string): Promise<Member> {
    const known = this.#members.get(name)
    const dataDir = known?.dataDir ?? mkdtempSync(join(tmpdir(), 'eccp-fed-'))
    const file = join(dataDir, 'node.yaml')
    const peers = Object.entries(this.federation(name).peers).map(
      ([peer, { port }]) => `    ${peer}: { address: "127.0.0.1:${port}", plain_http: true }`,
    )
    const settings = [
      `server_name: ${name}`,
      'data: .',
      'rate_limits: "off"',
      'listen:',
      '  - { type: client, port: 0 }',
      '  - { type: federation, port: 0 }',
      'federation:',
      '  plain_http_on_loopback: true',
      '  outbound_retry_backoff: { first: 50ms, max: 400ms }',
      '  peers:',
      ...peers,
    ]
    writeFileSync(file, `${settings.join('\n')}\n`)
    const process = await startProcess(dataDir, {
      name,
      config: file,
      ...(database === undefined ? {} : { database }),
    })
    this.aim(name, process.federationUrl)
    return this.#join(name, dataDir, process.url, null, async () => {
      await process.kill('SIGKILL')
    })
  }

  /** Leads to `name` from everywhere; for a server that is no node of this net. */
  aim(name: string, url: string | null): void {
    for (const [key, link] of this.#links)
      if (key.endsWith(` ${name}`)) link.target = url === null ? null : new URL(url)
  }

  #join(
    name: string,
    dataDir: string,
    url: string,
    node: TestNode | null,
    end: () => Promise<void>,
  ): Member {
    const stop = async (): Promise<void> => {
      this.aim(name, null)
      await end()
    }
    const known = this.#members.get(name)
    if (known !== undefined) return Object.assign(known, { url, node, stop })
    const member: Member = { name, serverName: name, dataDir, url, node, stop }
    this.#members.set(name, member)
    return member
  }

  async close(): Promise<void> {
    for (const member of this.#members.values()) await member.stop()
    for (const { server } of this.#links.values()) {
      server.closeAllConnections()
      server.close()
    }
    for (const { dataDir } of this.#members.values())
      rmSync(dataDir, { recursive: true, force: true })
  }
}

function forward(
  target: URL,
  { method, url, headers }: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const { hostname: host, port } = target
    const onward = httpRequest(
      { host, port, method, path: url, headers, agent: false },
      (answer) => {
        const chunks: Buffer[] = []
        answer.on('data', (chunk: Buffer) => chunks.push(chunk))
        answer.once('error', reject)
        answer.once('end', () =>
          resolve({ status: answer.statusCode ?? 502, body: Buffer.concat(chunks) }),
        )
      },
    )
    onward.once('error', reject)
    onward.end(body)
  })
}
