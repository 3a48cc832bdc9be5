/**
 * Other servers that do what a test tells them, good or bad: they sign requests, publish keys, order events of their
 * own users, and share nothing with the node but the protocol. All of them listen at one address and are told apart
 * by the `Host` that a node asks for.
 */
import { createServer as createHttp } from 'node:http'
import type { IncomingMessage, RequestListener, Server, ServerResponse } from 'node:http'
import { createServer as createHttps } from 'node:https'
import type { AddressInfo } from 'node:net'
import {
  applyEvent,
  createRoomGraph,
  decodePdu,
  emptyState,
  joinBody,
  makeEvent,
  originTsAfter,
  sealRoster,
  selectAuthEvents,
  toBase64Url,
} from '../src-shared/protocol/index.ts'
import type {
  EnvelopeHeader,
  Json,
  NodeKey,
  Pdu,
  RoomEvent,
  RoomState,
  SignedEntry,
} from '../src-shared/protocol/index.ts'
import {
  FEDERATION_VERSIONS,
  serverApi,
  signServerKeys,
  signServerRequest,
} from '../src-shared/api/index.ts'
import type { ServerRequest, Submission } from '../src-shared/api/index.ts'
import { crypto, draftAccount, random } from './device.ts'
import type { TestDevice } from './device.ts'

export interface Answered {
  readonly status: number
  readonly body: Record<string, unknown>
}

export interface Asking {
  readonly path: string
  readonly method?: string
  readonly body?: unknown
  /** The very bytes, in place of `body`. */
  readonly bytes?: Uint8Array
  /** Changes what is signed. */
  readonly sign?: (request: ServerRequest) => ServerRequest
  readonly key?: NodeKey
  /** Repeats an earlier request's signature. */
  readonly authorization?: string
}

/** The node that a peer speaks to. */
export interface Target {
  readonly serverName: string
  readonly federationUrl: string
}

export interface Listening {
  readonly host: string
  readonly port: number
  /** PEM; null: plain HTTP. */
  readonly tls: { readonly cert: string; readonly key: string } | null
}

export class PeerListener {
  readonly #server: Server
  readonly #peers = new Map<string, FakePeer>()
  readonly #scheme: string

  private constructor(server: Server, scheme: string) {
    this.#server = server
    this.#scheme = scheme
  }

  static async open({ host, port, tls }: Listening): Promise<PeerListener> {
    const serve: RequestListener = (request, response) => {
      const name = hostOf(request.headers.host ?? '')
      const peer = listener.#peers.get(name)
      if (peer !== undefined) peer.take(request, response)
      else response.writeHead(404).end()
    }
    const server = tls === null ? createHttp(serve) : createHttps({ ...tls }, serve)
    const listener = new PeerListener(server, tls === null ? 'http' : 'https')
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, host, resolve)
    })
    return listener
  }

  get url(): string {
    const { address, port } = this.#server.address() as AddressInfo
    return `${this.#scheme}://${address.includes(':') ? `[${address}]` : address}:${port}`
  }

  /** A server of this name; nodes must be able to reach it here. */
  add(name: string): FakePeer {
    const peer = new FakePeer(name)
    this.#peers.set(hostOf(name), peer)
    return peer
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
  }
}

function hostOf(name: string): string {
  return /^(.*?)(?::\d+)?$/.exec(name)?.[1]?.toLowerCase() ?? name
}

/** What a peer answers with: JSON; null: there is no such thing; undefined: nothing, ever, unless `response` is used. */
export type Answering = (asked: {
  readonly path: string
  readonly body: unknown
  readonly response: ServerResponse
}) => unknown

/** Endpoints about which a peer says what it is told to. */
const told = ['version', 'keys', 'missing', 'roomKeys', 'manifest', 'transaction'] as const

export class FakePeer {
  readonly name: string
  /** Key ids are new in each run: a node keeps the keys of a name for ever. */
  key: NodeKey = newKey()
  retired: { key: NodeKey; until: number }[] = []
  /** In place of what an honest server says, by the endpoint's name. */
  readonly answers: Partial<Record<(typeof told)[number], Answering>> = {}
  /** Items of transactions as they came. */
  readonly received: Record<string, unknown>[] = []
  asked = 0
  /** How many of those that asked have signed. */
  signed = 0
  lastAuthorization = ''
  readonly #events = new Map<string, RoomEvent>()
  readonly #logs = new Map<string, { member: string; head: string; entries: SignedEntry[] }>()

  constructor(name: string) {
    this.name = name
  }

  /** Somebody on this server, whose manifest it gives. */
  newUser(name: string): TestDevice {
    const { device, body } = draftAccount({ url: '', serverName: this.name }, name)
    const { member, manifest } = device
    const entries = [body.genesis as unknown as SignedEntry]
    this.#logs.set(device.userId, { member, head: manifest.head, entries })
    return device
  }

  /** Another log for a user, true or not. */
  setLog(userId: string, member: string, head: string, entries: readonly SignedEntry[]): void {
    this.#logs.set(userId, { member, head, entries: [...entries] })
  }

  log(userId: string): readonly SignedEntry[] {
    return this.#logs.get(userId)?.entries ?? []
  }

  /** Honest again. */
  behave(): void {
    for (const name of told) Reflect.deleteProperty(this.answers, name)
  }

  take(request: IncomingMessage, response: ServerResponse): void {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('error', () => response.destroy())
    request.on('end', () => {
      const text = Buffer.concat(chunks).toString()
      const body: unknown = text === '' ? undefined : JSON.parse(text)
      if (request.headers.authorization !== undefined) this.signed++
      const answer = this.#answer(request.url ?? '', body, response)
      if (answer === undefined || response.headersSent) return
      response
        .writeHead(answer === null ? 404 : 200, { 'content-type': 'application/json' })
        .end(JSON.stringify(answer ?? { errcode: 'M_NOT_FOUND', error: '' }))
    })
  }

  #answer(path: string, body: unknown, response: ServerResponse): unknown {
    this.asked++
    const asked = { path, body, response }
    if (path === serverApi.keys.path) return (this.answers.keys ?? (() => this.keys()))(asked)
    if (path === serverApi.version.path)
      return (this.answers.version ?? (() => this.version()))(asked)
    if (path.endsWith('/missing')) {
      const nothing = { events: [], more: false, next: null }
      return (this.answers.missing ?? (() => nothing))(asked)
    }
    if (path.includes('/rooms/') && path.endsWith('/keys'))
      return (this.answers.roomKeys ?? (() => ({ documents: [] })))(asked)
    if (path.includes('/manifests/'))
      return (this.answers.manifest ?? (() => this.#log(path)))(asked)
    if (path.includes('/transactions/')) {
      const { items } = body as { items: Record<string, unknown>[] }
      this.received.push(...items)
      const results = items.map(({ id }) => ({ id, outcome: 'taken' }))
      return (this.answers.transaction ?? (() => ({ results })))(asked)
    }
    return null
  }

  version(): Record<string, unknown> {
    return {
      server: { name: 'fake peer', version: '0' },
      server_name: this.name,
      versions: [...FEDERATION_VERSIONS],
      features: [],
      mode: 'open',
      signing_keys: [{ ...publicOf(this.key), since: 1, until: null }],
    }
  }

  #log(path: string): unknown {
    const url = new URL(path, 'http://peer')
    const userId = decodeURIComponent(url.pathname.split('/').at(-1) ?? '')
    const known = this.#logs.get(userId)
    if (known === undefined) return null
    const { member, head, entries } = known
    const from = Number(url.searchParams.get('from') ?? 0)
    const height = entries.length - 1
    return { user_id: userId, member, head, height, entries: entries.slice(from) }
  }

  keys(): unknown {
    const published = [
      { ...publicOf(this.key), since: 1, until: null },
      ...this.retired.map(({ key, until }) => ({ ...publicOf(key), since: 1, until })),
    ]
    return signServerKeys(crypto, this.key, this.name, published)
  }

  async ask({ federationUrl, serverName }: Target, asking: Asking): Promise<Answered> {
    const { path, body, method = body === undefined ? 'GET' : 'POST' } = asking
    const bytes =
      asking.bytes ?? new Uint8Array(Buffer.from(body === undefined ? '' : JSON.stringify(body)))
    const request: ServerRequest = {
      method,
      path,
      origin: this.name,
      destination: serverName,
      body: bytes,
      ts: Date.now(),
      nonce: toBase64Url(random(16)),
    }
    const signed = asking.sign?.(request) ?? request
    const authorization =
      asking.authorization ?? signServerRequest(crypto, asking.key ?? this.key, signed)
    this.lastAuthorization = authorization
    const response = await fetch(`${federationUrl}${path}`, {
      method,
      signal: AbortSignal.timeout(120_000),
      headers: { authorization, 'content-type': 'application/json' },
      ...(bytes.length === 0 ? {} : { body: bytes }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  /** Outcomes of one transaction's items, by their order. */
  async push(to: Target, items: readonly object[]): Promise<string[]> {
    const named = items.map((item) => ({ id: toBase64Url(random(12)), ...item }))
    const path = `/_eccp/federation/v1/transactions/${toBase64Url(random(12))}`
    const { status, body } = await this.ask(to, {
      method: 'PUT',
      path,
      body: { items: named },
    })
    if (status !== 200) throw new Error(`transaction: ${status} ${String(body['errcode'])}`)
    const results = body['results'] as { outcome: string; code?: string }[]
    return results.map(({ outcome, code }) => (code === undefined ? outcome : `${outcome} ${code}`))
  }

  async fetchRoom(to: Target, room: string): Promise<Room> {
    let after: string | null = null
    do {
      const { status, body } = await this.ask(to, {
        path: `/_eccp/federation/v1/rooms/${encodeURIComponent(room)}/missing`,
        body: { wanted: [], known: [], limit: 200, ...(after === null ? {} : { after }) },
      })
      if (status !== 200) throw new Error(`missing: ${status}`)
      for (const json of body['events'] as Json[]) {
        const decoded = decodePdu(crypto, json)
        if (decoded.ok) this.#events.set(decoded.event.id, decoded.event)
      }
      after = body['next'] as string | null
    } while (after !== null)
    return this.room(room)
  }

  remember(event: RoomEvent): void {
    this.#events.set(event.id, event)
  }

  eventsIn(room: string): RoomEvent[] {
    return [...this.#events.values()].filter((event) => event.roomId === room)
  }

  room(id: string): Room {
    const all = this.eventsIn(id)
    const named = new Set(all.flatMap(({ pdu }) => pdu.event.prev_events))
    const ends = all.filter((event) => !named.has(event.id))
    const graph = createRoomGraph({ getEvent: (one) => this.#events.get(one) })
    return { id, ends, state: graph.resolve(ends.map((event) => event.id)) }
  }

  /** The create event of a room of this server's. */
  beginRoom(submission: Submission): RoomEvent {
    const nowhere: Room = { id: '', ends: [], state: emptyState }
    const event = this.order(nowhere, submission)
    this.remember(event)
    return event
  }

  /** An event around an envelope, as an honest server would make it unless told otherwise. */
  order(room: Room, submission: Submission, change: Partial<Ordering> = {}): RoomEvent {
    const header = submission.envelope as EnvelopeHeader
    return makeEvent(crypto, {
      envelope: header,
      body: Buffer.from(submission.body ?? '', 'base64url'),
      sig: submission.envelope_sig === '' ? null : submission.envelope_sig,
      prevEvents: room.ends.map((event) => event.id),
      authEvents: selectAuthEvents(room.state, header).map((event) => event.id),
      origin: this.name,
      originTs: originTsAfter(Date.now(), room.ends),
      nodeKey: this.key,
      ...change,
    })
  }

  /** The event that states a user's roster, on the ends of `room`. */
  roster(room: Room, user: TestDevice): RoomEvent {
    const { manifest, local, member, userId, id } = user
    const sealed = sealRoster({
      crypto,
      state: room.state,
      node: this.name,
      member,
      content: {
        user_id: userId,
        head: manifest.head,
        height: manifest.height,
        devices: [{ id, ed25519: toBase64Url(local.ed25519) }],
      },
      now: Date.now(),
    })
    const body = toBase64Url(sealed.body)
    return this.order(room, { envelope: sealed.header, envelope_sig: '', body })
  }

  /** States the user's roster and joins; both pushed. */
  async join(to: Target, id: string, user: TestDevice): Promise<Room> {
    const before = await this.fetchRoom(to, id)
    const roster = this.roster(before, user)
    const stated = follow(before, roster)
    const join = this.order(
      stated,
      user.sealState(id, stated.state, joinBody(user.member, user.userId)),
    )
    const outcomes = await this.push(to, [eventItem(roster), eventItem(join)])
    if (outcomes.join() !== 'taken,taken') throw new Error(`joining: ${outcomes.join()}`)
    this.remember(roster)
    this.remember(join)
    return follow(stated, join)
  }
}

export interface Room {
  readonly id: string
  readonly ends: readonly RoomEvent[]
  readonly state: RoomState
}

export interface Ordering {
  readonly prevEvents: readonly string[]
  readonly authEvents: readonly string[]
  readonly origin: string
  readonly originTs: number
  readonly nodeKey: NodeKey
}

export function follow(room: Room, event: RoomEvent): Room {
  return { ...room, ends: [event], state: applyEvent(room.state, event) }
}

export function eventItem({ pdu }: { readonly pdu: Pdu }, wraps: readonly object[] = []): object {
  return { kind: 'event', pdu, wraps }
}

export function newKey(keyId = `ed25519:${toBase64Url(random(8))}`): NodeKey {
  return { keyId, secret: random(32) }
}

function publicOf({ keyId, secret }: NodeKey): { key_id: string; ed25519: string } {
  return { key_id: keyId, ed25519: toBase64Url(crypto.ed25519PublicKey(secret)) }
}
