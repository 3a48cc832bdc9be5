/**
 * Another server that does what a test tells it, good or bad: it signs requests, publishes keys, orders events of
 * its own user, and shares nothing with the node but the protocol.
 */
import { createServer } from 'node:http'
import type { Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import {
  applyEvent,
  createRoomGraph,
  decodePdu,
  joinBody,
  makeEvent,
  originTsAfter,
  sealRoster,
  selectAuthEvents,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type {
  EnvelopeHeader,
  Json,
  NodeKey,
  Pdu,
  RoomEvent,
  RoomState,
} from '../../src-shared/protocol/index.ts'
import { serverApi, signServerKeys, signServerRequest } from '../../src-shared/api/index.ts'
import type { ServerRequest, Submission } from '../../src-shared/api/index.ts'
import { crypto, draftAccount, random } from './test-device.ts'
import type { TestDevice } from './test-device.ts'

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

export class FakePeer {
  readonly name: string
  key: NodeKey = newKey('one')
  retired: { key: NodeKey; until: number }[] = []
  /** Answers `missing`; null: does not answer at all. */
  missing: ((body: unknown) => unknown) | null = () => ({ events: [], more: false, next: null })
  asked = 0
  lastAuthorization = ''
  readonly #server: Server
  readonly user: TestDevice
  readonly #events = new Map<string, RoomEvent>()

  private constructor(name: string, server: Server) {
    this.name = name
    this.#server = server
    this.user = draftAccount({ url: '', serverName: name }, 'eve').device
  }

  static async start(name: string): Promise<FakePeer> {
    const server = createServer()
    const peer = new FakePeer(name, server)
    server.on('request', (request, response) => {
      const chunks: Buffer[] = []
      request.on('data', (chunk: Buffer) => chunks.push(chunk))
      request.on('end', () => {
        const answer = peer.#answer(request.url ?? '', Buffer.concat(chunks).toString())
        if (answer === undefined) return
        response
          .writeHead(answer === null ? 404 : 200, { 'content-type': 'application/json' })
          .end(JSON.stringify(answer ?? { errcode: 'M_NOT_FOUND', error: '' }))
      })
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return peer
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  #answer(path: string, body: string): unknown {
    this.asked++
    if (path === serverApi.keys.path) return this.keys()
    if (path.endsWith('/missing')) return this.missing?.(JSON.parse(body) as unknown)
    if (path.includes('/transactions/')) {
      const { items } = JSON.parse(body) as { items: { id: string }[] }
      return { results: items.map(({ id }) => ({ id, outcome: 'taken' })) }
    }
    return null
  }

  keys(): unknown {
    const published = [
      { ...publicOf(this.key), since: 1, until: null },
      ...this.retired.map(({ key, until }) => ({ ...publicOf(key), since: 1, until })),
    ]
    return signServerKeys(crypto, this.key, this.name, published)
  }

  async ask(url: string, destination: string, asking: Asking): Promise<Answered> {
    const { path, body, method = body === undefined ? 'GET' : 'POST' } = asking
    const bytes =
      asking.bytes ?? new Uint8Array(Buffer.from(body === undefined ? '' : JSON.stringify(body)))
    const request: ServerRequest = {
      method,
      path,
      origin: this.name,
      destination,
      body: bytes,
      ts: Date.now(),
      nonce: toBase64Url(random(16)),
    }
    const signed = asking.sign?.(request) ?? request
    const authorization =
      asking.authorization ?? signServerRequest(crypto, asking.key ?? this.key, signed)
    this.lastAuthorization = authorization
    const response = await fetch(`${url}${path}`, {
      method,
      headers: { authorization, 'content-type': 'application/json' },
      ...(bytes.length === 0 ? {} : { body: bytes }),
    })
    return { status: response.status, body: (await response.json()) as Record<string, unknown> }
  }

  /** Outcomes of one transaction's items, by their order. */
  async push(url: string, destination: string, items: readonly object[]): Promise<string[]> {
    const named = items.map((item) => ({ id: toBase64Url(random(12)), ...item }))
    const path = `/_eccp/federation/v1/transactions/${toBase64Url(random(12))}`
    const { status, body } = await this.ask(url, destination, {
      method: 'PUT',
      path,
      body: { items: named },
    })
    if (status !== 200) throw new Error(`transaction: ${status} ${String(body['errcode'])}`)
    const results = body['results'] as { outcome: string; code?: string }[]
    return results.map(({ outcome, code }) => (code === undefined ? outcome : `${outcome} ${code}`))
  }

  async fetchRoom(url: string, destination: string, room: string): Promise<Room> {
    let after: string | null = null
    do {
      const { status, body } = await this.ask(url, destination, {
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

  room(id: string): Room {
    const all = [...this.#events.values()].filter((event) => event.roomId === id)
    const named = new Set(all.flatMap(({ pdu }) => pdu.event.prev_events))
    const ends = all.filter((event) => !named.has(event.id))
    const graph = createRoomGraph({ getEvent: (one) => this.#events.get(one) })
    return { id, ends, state: graph.resolve(ends.map((event) => event.id)) }
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

  /** States the user's roster and joins; both pushed. */
  async join(url: string, destination: string, id: string): Promise<Room> {
    let room = await this.fetchRoom(url, destination, id)
    const { manifest, local } = this.user
    const sealed = sealRoster({
      crypto,
      state: room.state,
      node: this.name,
      member: this.user.member,
      content: {
        user_id: this.user.userId,
        head: manifest.head,
        height: manifest.height,
        devices: [{ id: this.user.id, ed25519: toBase64Url(local.ed25519) }],
      },
      now: Date.now(),
    })
    const roster = this.order(room, {
      envelope: sealed.header,
      envelope_sig: '',
      body: toBase64Url(sealed.body),
    })
    room = follow(room, roster)
    const join = this.order(
      room,
      this.user.sealState(id, room.state, joinBody(this.user.member, this.user.userId)),
    )
    room = follow(room, join)
    const outcomes = await this.push(url, destination, [eventItem(roster), eventItem(join)])
    if (outcomes.join() !== 'taken,taken') throw new Error(outcomes.join())
    this.remember(roster)
    this.remember(join)
    return room
  }

  close(): void {
    this.#server.closeAllConnections()
    this.#server.close()
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

export function newKey(name: string): NodeKey {
  return { keyId: `ed25519:${name}`, secret: random(32) }
}

function publicOf({ keyId, secret }: NodeKey): { key_id: string; ed25519: string } {
  return { key_id: keyId, ed25519: toBase64Url(crypto.ed25519PublicKey(secret)) }
}
