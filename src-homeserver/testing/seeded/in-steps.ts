/**
 * Nodes in one process between which nothing happens by itself: clock, chance, timers and the way to other nodes
 * are the run's. A step is done to its very end before the next is chosen, so the same choices give the same run,
 * to the byte, however busy the machine is.
 *
 * Requests between nodes are held as parcels, and so are the answers; whoever drives the run says which one goes
 * on and what becomes of it. No socket is involved: a request is handed to the other node's listener as it would
 * have come off one.
 */
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, InjectOptions } from 'fastify'
import { defaults, isolated } from '../../config.ts'
import type { NodeConfig } from '../../config.ts'
import { createContext } from '../../context.ts'
import type { Context } from '../../context.ts'
import { ExchangeError } from '../../federation/exchange.ts'
import type { Exchange, Incoming, Outgoing } from '../../federation/exchange.ts'
import { createPeerServer } from '../../federation/peer-server.ts'
import type { Guards } from '../../guards.ts'
import { createServer } from '../../http/server.ts'
import { buildRequest } from '../../../conformance/device.ts'
import type { Ask } from '../../../conformance/device.ts'
import { seededBytes } from './chance.ts'
import { NODES } from './schedule.ts'
import type { Fate, Schedule } from './schedule.ts'

/** When every run begins. */
const BEGINNING = 1_800_000_000_000
/** Turns of the event loop in which nothing may happen before all is said to be still. */
const STILL = 25

export interface Parcel {
  /** `from to`. */
  readonly link: string
  /** The number of the request on its link. */
  readonly number: number
  readonly what: 'request' | 'answer' | 'repetition'
  readonly path: string
  /** What it says, in short. */
  readonly says: string
  /** Takes it on, or away. */
  pass(fate: Fate): void
}

interface Timer {
  readonly at: number
  readonly node: SteppedNode
  readonly work: () => void
}

interface SteppedNode {
  readonly name: string
  readonly context: Context
  readonly app: FastifyInstance
  readonly peerApp: FastifyInstance
  alive: boolean
  /** Ends what waits for this node as a broken connection would. */
  readonly hungUp: Set<() => void>
}

export class Steps {
  readonly #seed: number
  readonly #skew: readonly number[]
  readonly #folders: ReadonlyMap<string, string>
  readonly #guards: Guards
  readonly #nodes = new Map<string, SteppedNode>()
  readonly #lives = new Map<string, number>()
  readonly #requests = new Map<string, number>()
  readonly #cut = new Set<string>()
  #timers: Timer[] = []
  #stirrings = 0
  readonly #stir = (): void => void this.#stirrings++
  now = BEGINNING
  parcels: Parcel[] = []

  /** `folders`: of the nodes' data, by name. */
  constructor(
    { seed, skew }: Pick<Schedule, 'seed' | 'skew'>,
    folders: ReadonlyMap<string, string>,
    guards: Guards,
  ) {
    this.#seed = seed
    this.#skew = skew
    this.#folders = folders
    this.#guards = guards
    subscribe('eccp:boundary', this.#stir)
  }

  async start(name: string): Promise<void> {
    const life = (this.#lives.get(name) ?? 0) + 1
    this.#lives.set(name, life)
    const clock = this.#skew[NODES.findIndex((one) => one === name)] ?? 0
    let node: SteppedNode | null = null
    const context = await createContext(this.#config(name), new AbortController().signal, {
      now: () => this.now + clock,
      random: seededBytes(this.#seed, `${name} ${life}`),
      guards: this.#guards,
      after: (ms, work) => {
        if (node === null) throw new Error('a timer before the node')
        return this.#after(node, ms, work)
      },
      network: () => this.#network(() => node),
    })
    const app = await createServer(context)
    const peerApp = createPeerServer(context, null)
    await Promise.all([app.ready(), peerApp.ready()])
    node = { name, context, app, peerApp, alive: true, hungUp: new Set() }
    this.#nodes.set(name, node)
    await context.outbound.start()
    await this.still()
  }

  #config(name: string): NodeConfig {
    const dataDir = this.#folders.get(name)
    if (dataDir === undefined) throw new Error(`no folder for ${name}`)
    const address = { host: '127.0.0.1', port: 1, rootFile: null, plainHttp: true }
    const peers = Object.fromEntries(
      NODES.filter((one) => one !== name).map((one) => [one, address]),
    )
    return {
      ...defaults,
      serverName: name,
      dataDir,
      rateLimits: null,
      passwordCost: { memoryCost: 64, timeCost: 1 },
      logLevel: 'silent',
      checkAnswers: true,
      federation: {
        ...isolated,
        mode: 'open',
        plainHttpOnLoopback: true,
        peers,
        retry: { firstMs: 200, maxMs: 2000 },
      },
    }
  }

  isUp(name: string): boolean {
    return this.#nodes.get(name)?.alive === true
  }

  context(name: string): Context {
    const node = this.#nodes.get(name)
    if (node?.alive !== true) throw new Error(`${name} is down`)
    return node.context
  }

  /** What a node had in memory is gone, and nobody hears of it any more; what it had stored is stored. */
  async kill(name: string): Promise<void> {
    const node = this.#nodes.get(name)
    if (node?.alive !== true) return
    node.alive = false
    this.#timers = this.#timers.filter((timer) => timer.node !== node)
    this.parcels = this.parcels.filter(({ link }) => !link.startsWith(`${name} `))
    for (const hangUp of node.hungUp) hangUp()
    node.hungUp.clear()
    // Nothing is under way between two steps: this lets go of the files and writes nothing.
    await node.context.storage.close()
    await this.still()
  }

  async close(): Promise<void> {
    for (const { name } of this.#nodes.values()) await this.kill(name)
    unsubscribe('eccp:boundary', this.#stir)
  }

  cut(from: string, to: string, oneWay: boolean): void {
    this.#cut.add(`${from} ${to}`)
    if (!oneWay) this.#cut.add(`${to} ${from}`)
  }

  heal(): void {
    this.#cut.clear()
  }

  /** For devices of this node's: as `call`, without a socket. Rejects where the node is down, or goes. */
  asker(name: string): Ask {
    return async (_url, endpoint, options = {}) => {
      const { path, method, headers, body } = buildRequest(endpoint, options)
      const answer = await this.#hand(name, 'app', {
        method: method as 'GET',
        url: path,
        headers,
        ...(body === undefined ? {} : { payload: body }),
      })
      const text = Buffer.from(answer.body).toString()
      return { status: answer.status, body: JSON.parse(text) as never }
    }
  }

  /** Until nothing moves any more without a parcel or a timer. */
  async still(): Promise<void> {
    let seen = this.#stirrings
    for (let quiet = 0; quiet < STILL; quiet++) {
      await new Promise((resolve) => setImmediate(resolve))
      if (seen === this.#stirrings) continue
      seen = this.#stirrings
      quiet = -1
    }
  }

  async pass(parcel: Parcel, fate: Fate): Promise<void> {
    this.parcels.splice(this.parcels.indexOf(parcel), 1)
    parcel.pass(fate)
    await this.still()
  }

  /** Moves the clock on, and does on the way what was to be done. */
  async time(ms: number): Promise<void> {
    const end = this.now + ms
    for (;;) {
      const due = this.#nextTimer()
      if (due === undefined || due.at > end) break
      this.#timers.splice(this.#timers.indexOf(due), 1)
      this.now = Math.max(this.now, due.at)
      due.work()
      await this.still()
    }
    this.now = end
  }

  /** Milliseconds until something is to be done; null where nothing is. */
  untilNext(): number | null {
    const next = this.#nextTimer()
    return next === undefined ? null : Math.max(0, next.at - this.now)
  }

  #nextTimer(): Timer | undefined {
    let first = this.#timers[0]
    for (const timer of this.#timers) if (first !== undefined && timer.at < first.at) first = timer
    return first
  }

  #after(node: SteppedNode, ms: number, work: () => void): () => void {
    this.#stir()
    const timer: Timer = { at: this.now + Math.ceil(ms), node, work }
    if (node.alive) this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((one) => one !== timer)
    }
  }

  #network(nodeOf: () => SteppedNode | null): Exchange {
    return {
      send: ({ certificateFor }, request) =>
        new Promise((resolve, reject) => {
          const node = nodeOf()
          if (node === null) throw new Error('a request before the node')
          if (!node.alive) return
          const late = this.#after(node, request.timeoutMs, () =>
            reject(new ExchangeError('timeout')),
          )
          this.#send(node.name, certificateFor, request, (outcome) => {
            late()
            if (!node.alive) return
            if (outcome instanceof ExchangeError) reject(outcome)
            else resolve(outcome)
          })
        }),
      close: () => undefined,
    }
  }

  #send(
    from: string,
    to: string,
    request: Outgoing,
    answered: (outcome: Incoming | ExchangeError) => void,
  ): void {
    const link = `${from} ${to}`
    const number = this.#requests.get(link) ?? 0
    this.#requests.set(link, number + 1)
    const put = (what: Parcel['what'], says: string, pass: Parcel['pass']): void => {
      this.#stir()
      this.parcels.push({ link, number, what, path: request.path, says, pass })
    }
    const broken = (): void => answered(new ExchangeError('unreachable'))
    const hand = async (): Promise<Incoming | ExchangeError> =>
      this.#hand(to, 'peerApp', {
        method: request.method as 'GET',
        url: request.path,
        headers: request.headers,
        ...(request.body.length === 0 ? {} : { payload: Buffer.from(request.body) }),
      }).catch(() => new ExchangeError('unreachable'))
    put('request', itemsIn(request.body), (fate) => {
      if (fate === 'lost' || this.#cut.has(link)) return broken()
      if (fate === 'again') put('repetition', '', () => this.#cut.has(link) || void hand())
      void hand().then((outcome) =>
        put('answer', outcomesIn(outcome), (then) => {
          if (then === 'lost' || this.#cut.has(`${to} ${from}`)) broken()
          else answered(outcome)
        }),
      )
    })
  }

  async #hand(name: string, which: 'app' | 'peerApp', options: InjectOptions): Promise<Incoming> {
    const node = this.#nodes.get(name)
    if (node?.alive !== true) throw new Error(`${name} is down`)
    this.#stir()
    return new Promise((resolve, reject) => {
      const hangUp = (): void => reject(new Error(`${name} is gone`))
      node.hungUp.add(hangUp)
      node[which].inject(options).then(
        ({ statusCode, rawPayload }) => {
          this.#stir()
          node.hungUp.delete(hangUp)
          if (node.alive) resolve({ status: statusCode, body: new Uint8Array(rawPayload) })
        },
        (error: unknown) => reject(error instanceof Error ? error : new Error('inject')),
      )
    })
  }
}

/** Events and how many wraps go with each. */
function itemsIn(body: Uint8Array): string {
  if (body.length === 0) return ''
  const said = JSON.parse(Buffer.from(body).toString()) as {
    items?: { kind: string; id: string; wraps?: unknown[] }[]
    wanted?: string[]
  }
  if (said.wanted !== undefined) return `wants ${said.wanted.join(' ')}`
  const items = said.items ?? []
  return items.map(({ kind, id, wraps }) => `${kind} ${id}+${wraps?.length ?? 0}`).join(', ')
}

function outcomesIn(outcome: Incoming | ExchangeError): string {
  if (outcome instanceof ExchangeError) return outcome.code
  const said = JSON.parse(Buffer.from(outcome.body).toString()) as {
    results?: { outcome: string; code?: string }[]
    errcode?: string
  }
  const results = said.results?.map(({ outcome: what, code = '' }) => `${what} ${code}`.trim())
  return [outcome.status, said.errcode ?? '', results?.join(', ') ?? ''].join(' ').trim()
}
