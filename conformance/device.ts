/**
 * A device that tests speak through: keys, a token, calls by endpoint name, and sealing into rooms. It knows a
 * node by its address alone, and keeps nothing but its own keys and places in the rooms' sequences.
 */
import { randomBytes } from 'node:crypto'
import {
  addDevice,
  appendEntry,
  createBody,
  createGenesis,
  deviceKeysOf,
  draftAddDevice,
  formatRoomId,
  fromBase64Url,
  generatePrekeys,
  historyVisibilityBody,
  joinBody,
  newDeviceId,
  pendingUpload,
  powerBody,
  recoverySecretsFromEntropy,
  removeDevices,
  rosterHash,
  rosterPairs,
  sealClearEnvelope,
  sealEnvelope,
  signEntry,
  statePosition,
  toBase64Url,
  verifyGenesis,
} from '../src-shared/protocol/index.ts'
import type {
  DeviceSecrets,
  HistoryVisibilityContent,
  LocalDevice,
  ManifestState,
  RecoverySecrets,
  RoomState,
  SignedEntry,
  StateBody,
  Wrap,
} from '../src-shared/protocol/index.ts'
import { clientApi, makeLoginProof } from '../src-shared/api/index.ts'
import type {
  Body,
  EndpointName,
  ErrorBody,
  Params,
  Query,
  Response as Answer,
  Submission,
} from '../src-shared/api/index.ts'
import { decodePdu, stateOf, withoutEvent } from '../src-shared/protocol/index.ts'
import type { Json, Pdu } from '../src-shared/protocol/index.ts'
import { createNativeCrypto } from '../src-platform/crypto/native-crypto.ts'

export const crypto = createNativeCrypto()

/** Where devices take chance and time from. */
export interface Source {
  random(length: number): Uint8Array
  /** Milliseconds. */
  now(): number
}

const ofThisMachine: Source = {
  random: (length) => new Uint8Array(randomBytes(length)),
  now: () => Date.now(),
}
let source = ofThisMachine

/** For runs that can be repeated; null: back to this machine's own. */
export function drawFrom(other: Source | null): void {
  source = other ?? ofThisMachine
}

export const random = (length: number): Uint8Array => source.random(length)
let counter = 0
export const newTxn = (): string => `t${++counter}-${toBase64Url(random(6))}`

export interface Result<N extends EndpointName> {
  readonly status: number
  readonly body: Answer<N> & Partial<ErrorBody>
}

export interface CallOptions<N extends EndpointName> {
  readonly params?: Params<N>
  readonly query?: Query<N>
  readonly body?: Body<N>
  readonly token?: string | null
  readonly signal?: AbortSignal
}

export interface BuiltRequest {
  /** Path and query. */
  readonly path: string
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | undefined
  readonly signal: AbortSignal | undefined
}

/** A request as the table of endpoints has it (Client API §10). */
export function buildRequest<N extends EndpointName>(
  name: N,
  options: CallOptions<N>,
): BuiltRequest {
  const endpoint = clientApi[name]
  const params = (options.params ?? {}) as Record<string, string>
  const path = endpoint.path.replaceAll(/\{(\w+)\}/g, (_, key: string) =>
    encodeURIComponent(params[key] ?? ''),
  )
  const query = new URLSearchParams()
  for (const [key, value] of Object.entries(options.query ?? {})) query.set(key, String(value))
  const headers: Record<string, string> = {}
  if (typeof options.token === 'string') headers['authorization'] = `Bearer ${options.token}`
  if (options.body !== undefined) headers['content-type'] = 'application/json'
  return {
    path: `${path}${query.size > 0 ? `?${query}` : ''}`,
    method: endpoint.method,
    headers,
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.signal,
  }
}

export async function call<N extends EndpointName>(
  url: string,
  name: N,
  options: CallOptions<N> = {},
): Promise<Result<N>> {
  const { path, method, headers, body, signal } = buildRequest(name, options)
  const response = await fetch(`${url}${path}`, {
    method,
    headers,
    ...(body === undefined ? {} : { body }),
    ...(signal === undefined ? {} : { signal }),
  })
  return { status: response.status, body: (await response.json()) as Result<N>['body'] }
}

/** How a request is made and its answer read. */
export type Ask = typeof call

/** A node as a device knows it. */
export interface Place {
  readonly url: string
  readonly serverName: string
  /** In place of `call`. */
  readonly ask?: Ask
}

export class TestDevice {
  /** Another one once the node was started again. */
  url: string
  ask: Ask = call
  readonly server: string
  readonly name: string
  readonly secrets: DeviceSecrets
  readonly recovery: RecoverySecrets
  manifest: ManifestState
  token = ''
  readonly #sequences = new Map<string, { seq: number; prev: string | null }>()

  constructor(
    url: string,
    server: string,
    name: string,
    secrets: DeviceSecrets,
    recovery: RecoverySecrets,
    manifest: ManifestState,
  ) {
    this.url = url
    this.server = server
    this.name = name
    this.secrets = secrets
    this.recovery = recovery
    this.manifest = manifest
  }

  get userId(): string {
    return `@${this.name}:${this.server}`
  }

  get member(): string {
    return this.manifest.fingerprint
  }

  get id(): string {
    return this.secrets.id
  }

  get local(): LocalDevice {
    const keys = deviceKeysOf(crypto, this.secrets)
    return {
      member: this.member,
      device: this.id,
      head: this.manifest.head,
      ed25519: fromBase64Url(keys.ed25519),
      x25519: fromBase64Url(keys.x25519),
      minSuite: keys.min_suite,
      ed25519Secret: this.secrets.ed25519,
      x25519Secret: this.secrets.x25519,
    }
  }

  async call<N extends EndpointName>(name: N, options: CallOptions<N> = {}): Promise<Result<N>> {
    return this.ask(this.url, name, { token: this.token, ...options })
  }

  /** As `call`, and throws on anything but 200. */
  async ok<N extends EndpointName>(name: N, options: CallOptions<N> = {}): Promise<Answer<N>> {
    const { status, body } = await this.call(name, options)
    if (status !== 200)
      throw new Error(`${name}: ${status} ${body.errcode ?? ''} ${body.rule ?? ''}`)
    return body
  }

  proof(now = source.now()): { ts: number; sig: string } {
    const claim = { server: this.server, user: this.userId, device: this.id }
    return makeLoginProof(crypto, this.secrets.ed25519, claim, now)
  }

  async uploadKeys(stock = 5): Promise<void> {
    const made = generatePrekeys({ crypto, random, now: source.now(), local: this.local, stock })
    const upload = pendingUpload(made)
    if (upload === null) throw new Error('nothing to upload')
    await this.ok('uploadKeys', { body: upload })
  }

  /** The room's state as the node tells it. */
  async state(roomId: string): Promise<RoomState> {
    const { events, lapsed } = await this.ok('state', { params: { roomId } })
    return stateFrom(events, lapsed)
  }

  /** Takes the next place in this device's own sequence. */
  #draft(room: string, type: string, roster: string) {
    const own = this.#sequences.get(room) ?? { seq: 0, prev: null }
    return { room, seq: own.seq, prev_own: own.prev, type, ts: source.now(), roster }
  }

  #took(room: string, seq: number, id: string): void {
    this.#sequences.set(room, { seq: seq + 1, prev: id })
  }

  /** Goes back to a number that was used: what an honest device never does. */
  rewind(room: string, seq: number): void {
    this.#sequences.set(room, { seq, prev: null })
  }

  /** The founding state and, after it, whatever `more` says; sealed against a simulated state. */
  createRoomBody(
    more: readonly StateBody[] = [],
    options: { visibility?: 'private' | 'invite_only' | 'shadow'; history?: HistoryOf } = {},
  ): Body<'createRoom'> & { readonly submissions: Submission[] } {
    const visibility = options.visibility ?? 'private'
    const founder = {
      head: this.manifest.head,
      height: this.manifest.height,
      ed25519: toBase64Url(this.local.ed25519),
    }
    const creator = this.userId
    const bodies = [
      createBody({ kind: 'group', visibility, creator, server: this.server, founder }, random),
      joinBody(this.member, this.userId),
      powerBody(),
      historyVisibilityBody(options.history ?? 'shared'),
      ...more,
    ]
    const submissions: Submission[] = []
    let room = ''
    const known = new Map<string, string>()
    for (const { type, stateKey, content } of bodies) {
      const joined = known.has(`e.room.member/${this.member}`)
      const pairs = joined ? [{ member: this.member, head: this.manifest.head }] : []
      const member = known.get(`e.room.member/${this.member}`)
      const power = known.get('e.room.power/')
      const basis = [
        ...(member === undefined || stateKey === this.member ? [] : [member]),
        ...(power === undefined ? [] : [power]),
      ]
      const result = sealClearEnvelope({
        crypto,
        local: this.local,
        draft: this.#draft(room, type, rosterHash(crypto, pairs)),
        state: {
          state_key: stateKey,
          replaces: known.get(`${type}/${stateKey}`) ?? null,
          basis: type === 'e.room.create' ? [] : basis,
        },
        content,
      })
      if (!result.ok) throw new Error(result.code)
      const { sealed } = result
      if (room === '') room = formatRoomId(sealed.id, this.server)
      this.#took(room, sealed.header.seq, sealed.id)
      known.set(`${type}/${stateKey}`, sealed.id)
      submissions.push({
        envelope: sealed.header,
        envelope_sig: sealed.sig,
        body: toBase64Url(sealed.body),
      })
    }
    return { txn: newTxn(), visibility, submissions }
  }

  async createRoom(
    more: readonly StateBody[] = [],
    options: Parameters<TestDevice['createRoomBody']>[1] = {},
  ): Promise<string> {
    const body = this.createRoomBody(more, options)
    return (await this.ok('createRoom', { body })).room_id
  }

  sealState(room: string, state: RoomState, body: StateBody): Submission {
    const { type, stateKey, content } = body
    const position = statePosition(crypto, state, this.member, { type, stateKey })
    const result = sealClearEnvelope({
      crypto,
      local: this.local,
      draft: this.#draft(room, type, position.roster),
      state: position.state,
      content,
    })
    if (!result.ok) throw new Error(result.code)
    this.#took(room, result.sealed.header.seq, result.sealed.id)
    const { header, sig, body: bytes } = result.sealed
    return { envelope: header, envelope_sig: sig, body: toBase64Url(bytes) }
  }

  sealMessage(
    room: string,
    state: RoomState,
    text: string,
    wraps: Wrap[] = [],
    expiresAt?: number,
  ): Submission {
    const draft = this.#draft(room, 'e.message', rosterHash(crypto, rosterPairs(state)))
    const result = sealEnvelope({
      crypto,
      random,
      local: this.local,
      draft: expiresAt === undefined ? draft : { ...draft, expires_at: expiresAt },
      content: { v: 1, kind: 'text', text },
    })
    if (!result.ok) throw new Error(result.code)
    this.#took(room, result.sealed.header.seq, result.sealed.id)
    const { header, sig, body } = result.sealed
    return { envelope: header, envelope_sig: sig, body: toBase64Url(body), wraps }
  }

  sealRedaction(room: string, state: RoomState, target: string): Submission {
    const result = sealClearEnvelope({
      crypto,
      local: this.local,
      draft: this.#draft(room, 'e.redaction', rosterHash(crypto, rosterPairs(state))),
      content: { target },
    })
    if (!result.ok) throw new Error(result.code)
    this.#took(room, result.sealed.header.seq, result.sealed.id)
    const { header, sig, body } = result.sealed
    return { envelope: header, envelope_sig: sig, body: toBase64Url(body) }
  }

  async submit(room: string, body: Submission, txnId = newTxn()): Promise<Result<'send'>> {
    const params = { roomId: room, eventType: body.envelope.type, txnId }
    return this.call('send', { params, body })
  }

  async setState(room: string, body: StateBody): Promise<Result<'send'>> {
    return this.submit(room, this.sealState(room, await this.state(room), body))
  }

  async say(room: string, text: string, wraps: Wrap[] = []): Promise<Answer<'send'>> {
    const result = await this.submit(
      room,
      this.sealMessage(room, await this.state(room), text, wraps),
    )
    if (result.status !== 200) throw new Error(`say: ${result.body.errcode} ${result.body.rule}`)
    return result.body
  }

  /** Envelope ids of `count` messages, one after the other. */
  async sayMany(room: string, count: number): Promise<string[]> {
    const state = await this.state(room)
    const ids: string[] = []
    for (let index = 0; index < count; index++) {
      const { status, body } = await this.submit(room, this.sealMessage(room, state, String(index)))
      if (status !== 200) throw new Error(`say: ${body.errcode} ${body.rule}`)
      ids.push(body.envelope_id)
    }
    return ids
  }

  async sync(since?: string, timeout = 0): Promise<Answer<'sync'>> {
    return this.ok('sync', { query: { timeout, ...(since === undefined ? {} : { since }) } })
  }
}

type HistoryOf = HistoryVisibilityContent['history_visibility']

/** As a node tells it (9.3), believed without a check. */
export function stateFrom(pdus: readonly Pdu[], lapsed: readonly string[] = []): RoomState {
  const events = pdus.map((pdu) => {
    const decoded = decodePdu(crypto, pdu as unknown as Json)
    if (!decoded.ok) throw new Error(decoded.code)
    return decoded.event
  })
  const gone = events.filter(({ id }) => lapsed.includes(id))
  return gone.reduce(withoutEvent, stateOf(events))
}

export function newSecrets(): DeviceSecrets {
  return { id: newDeviceId(random), ed25519: random(32), x25519: random(32), minSuite: 1 }
}

/** Something shaped like a wrap; the node can't tell. */
export function fakeWrap(to: { member: string; device: string }): Wrap {
  return {
    ...to,
    session: toBase64Url(random(32)),
    message: {
      header: { handshake: null, key: toBase64Url(random(32)), n: 0, pn: 0 },
      ciphertext: toBase64Url(random(80)),
    },
  }
}

export interface Registered {
  readonly device: TestDevice
  readonly body: Body<'register'>
}

export function draftAccount(node: Place, name: string): Registered {
  const secrets = newSecrets()
  const recovery = recoverySecretsFromEntropy(crypto, random(32))
  const userId = `@${name}:${node.serverName}`
  const genesis: SignedEntry = createGenesis(crypto, {
    userId,
    nonce: random(32),
    device: secrets,
    recovery,
    bot: false,
  })
  const verified = verifyGenesis(crypto, genesis)
  if (!verified.ok) throw new Error(verified.code)
  const { state } = verified
  const device = new TestDevice(node.url, node.serverName, name, secrets, recovery, state)
  if (node.ask !== undefined) device.ask = node.ask
  const body: Body<'register'> = {
    username: name,
    password: passwordOf(name),
    genesis: genesis as unknown as Body<'register'>['genesis'],
    proof: device.proof(),
  }
  return { device, body }
}

export function passwordOf(name: string): string {
  return `a long password of ${name}`
}

/** An account with its first device, signed in. */
export async function register(node: Place, name: string): Promise<TestDevice> {
  const { device, body } = draftAccount(node, name)
  device.token = (await device.ok('register', { body, token: null })).access_token
  return device
}

/** A further device of the same account, pending. */
export async function signIn(first: TestDevice): Promise<TestDevice> {
  const device = new TestDevice(
    first.url,
    first.server,
    first.name,
    newSecrets(),
    first.recovery,
    first.manifest,
  )
  device.ask = first.ask
  const session = await device.ok('login', {
    token: null,
    body: {
      user: first.name,
      password: passwordOf(first.name),
      device: deviceKeysOf(crypto, device.secrets),
      proof: device.proof(),
    },
  })
  device.token = session.access_token
  return device
}

/** `by` adds `device` to the manifest; both go by the new head. */
export async function letIn(by: TestDevice, device: TestDevice): Promise<void> {
  const draft = draftAddDevice(by.manifest, by.id, deviceKeysOf(crypto, device.secrets))
  const possession = signEntry(crypto, 'device', device.secrets.ed25519, draft)
  await append(by, addDevice(crypto, draft, by.secrets, possession))
  device.manifest = by.manifest
}

export async function removeDevice(by: TestDevice, device: TestDevice): Promise<void> {
  await append(by, removeDevices(crypto, by.manifest, by.secrets, [device.id]))
}

async function append(by: TestDevice, signed: SignedEntry): Promise<void> {
  const result = appendEntry(crypto, by.manifest, signed)
  if (!result.ok) throw new Error(result.code)
  const entry = signed as unknown as Body<'appendManifest'>['entry']
  await by.ok('appendManifest', { body: { entry } })
  by.manifest = result.state
}
