/**
 * Calls to other servers by endpoint name: found, signed, sent in a version that both know, and the answer held
 * against its schema. An answer is a value or a refusal; anything else is a `PeerError`, and says nothing about what
 * was asked.
 */
import type * as z from 'zod'
import {
  EncodingError,
  isJsonObject,
  parseJson,
  toBase64Url,
} from '../../src-shared/protocol/index.ts'
import type { Crypto, JsonObject, NodeKey } from '../../src-shared/protocol/index.ts'
import {
  errorBodySchema,
  FEDERATION_VERSIONS,
  NONCE_BYTES,
  serverApi,
  signServerRequest,
} from '../../src-shared/api/index.ts'
import type {
  ErrorBody,
  ServerAnswer,
  ServerBody,
  ServerEndpoint,
  ServerEndpointName,
  ServerParams,
  ServerQuery,
} from '../../src-shared/api/index.ts'
import type { FederationConfig } from '../config.ts'
import type { Guards } from '../guards.ts'
import type { Metrics } from '../metrics.ts'
import { isAdmitted } from './admission.ts'
import type { Directory } from './directory.ts'
import { ExchangeError } from './exchange.ts'
import type { Exchange, ExchangeCode } from './exchange.ts'
import { holdsTooMuch } from './json-size.ts'
import { createVersionBook } from './versions.ts'

export type PeerErrorCode =
  | ExchangeCode
  /** This server does not speak with that one. */
  | 'not_admitted'
  /** That one knows no version of the API that is known here. */
  | 'no_common_version'
  /** No JSON, another shape, or an error of its own. */
  | 'bad_answer'
  | 'server_error'
  /** Too many are being asked. */
  | 'busy'

export class PeerError extends Error {
  override readonly name = 'PeerError'
  readonly code: PeerErrorCode
  /** The system's own code, where it is the system's error; versions that are offered, where there is none in common. */
  readonly detail: string | null
  constructor(code: PeerErrorCode, detail: string | null = null) {
    super(code)
    this.code = code
    this.detail = detail
  }
}

export interface PeerCallOptions<N extends ServerEndpointName> {
  readonly params?: ServerParams<N>
  readonly query?: ServerQuery<N>
  readonly body?: ServerBody<N>
  readonly timeoutMs?: number
}

export type PeerAnswer<N extends ServerEndpointName> =
  | { readonly ok: true; readonly value: ServerAnswer<N>; readonly raw: JsonObject }
  | { readonly ok: false; readonly status: number; readonly refusal: Partial<ErrorBody> }

export interface PeerCalls {
  /** Throws `PeerError`. */
  call<N extends ServerEndpointName>(
    server: string,
    name: N,
    options?: PeerCallOptions<N>,
  ): Promise<PeerAnswer<N>>
  /** A server has just asked something. */
  heard(server: string): void
}

const TIMEOUT_MS = 20_000
const VERSION_MS = 8000

export interface PeerCallParts {
  readonly serverName: string
  readonly config: FederationConfig
  readonly crypto: Crypto
  readonly signingKey: () => NodeKey
  readonly directory: Directory
  readonly exchange: Exchange
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly metrics: Metrics
  readonly guards: Guards
}

export function createPeerCalls(parts: PeerCallParts): PeerCalls {
  const { serverName, config, crypto, directory, exchange, now, random, metrics, guards } = parts
  const versions = createVersionBook(offeredBy, now)

  async function offeredBy(server: string): Promise<readonly string[]> {
    try {
      const answer = await call(server, 'version', { timeoutMs: VERSION_MS })
      if (answer.ok && answer.value.server_name === server) return answer.value.versions
    } catch (error) {
      const answered =
        error instanceof PeerError && (error.code === 'bad_answer' || error.code === 'too_large')
      if (!answered) throw error
    }
    if (guards.holds('version_answer', false)) return FEDERATION_VERSIONS
    throw new PeerError('bad_answer')
  }

  async function ask(
    server: string,
    name: ServerEndpointName,
    options: PeerCallOptions<ServerEndpointName>,
  ): Promise<PeerAnswer<ServerEndpointName>> {
    if (server === serverName || !isAdmitted(config, server)) throw new PeerError('not_admitted')
    const endpoint: ServerEndpoint = serverApi[name]
    const path = pathOf(endpoint.path, options.params, options.query)
    const text = options.body === undefined ? '' : JSON.stringify(options.body)
    const body = new Uint8Array(Buffer.from(text))
    const headers: Record<string, string> = { accept: 'application/json' }
    if (body.length > 0) headers['content-type'] = 'application/json'
    if (endpoint.signed) {
      const { version, offered } = await versions.with(server)
      if (!guards.holds('common_version', version !== null))
        throw new PeerError('no_common_version', offered.join(' '))
    }
    const to = await directory.find(server)
    if (endpoint.signed)
      headers['authorization'] = signServerRequest(crypto, parts.signingKey(), {
        method: endpoint.method,
        path,
        origin: serverName,
        destination: server,
        body,
        ts: now(),
        nonce: toBase64Url(random(NONCE_BYTES)),
      })
    const { status, body: answer } = await exchange.send(to, {
      method: endpoint.method,
      path,
      headers,
      body,
      maxAnswer: endpoint.maxAnswer,
      timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    })
    if (status >= 500) throw new PeerError('server_error')
    const most = guards.holds('answer_size', false) ? answer.length : endpoint.maxAnswer
    const json = read(answer, most)
    if (status !== 200) {
      const refusal = errorBodySchema.safeParse(json)
      return { ok: false, status, refusal: refusal.success ? refusal.data : {} }
    }
    const parsed = endpoint.response.safeParse(json)
    if (!parsed.success) throw new PeerError('bad_answer')
    const value = parsed.data as ServerAnswer<ServerEndpointName>
    return { ok: true, value, raw: json }
  }

  async function call<N extends ServerEndpointName>(
    server: string,
    name: N,
    options: PeerCallOptions<N> = {},
  ): Promise<PeerAnswer<N>> {
    try {
      const answer = await ask(server, name, options as PeerCallOptions<ServerEndpointName>)
      metrics.peerCall(name, answer.ok ? 'answered' : 'refused')
      if (!answer.ok && answer.refusal.errcode === 'M_UNRECOGNIZED') versions.doubt(server)
      // The schema of exactly this endpoint has made the value.
      return answer as PeerAnswer<N>
    } catch (error) {
      const known = error instanceof ExchangeError ? new PeerError(error.code, error.detail) : error
      metrics.peerCall(name, known instanceof PeerError ? known.code : 'failed')
      versions.doubt(server)
      throw known
    }
  }

  return { call, heard: (server) => versions.heard(server) }
}

function read(bytes: Uint8Array, most: number): JsonObject {
  if (holdsTooMuch(bytes)) throw new PeerError('bad_answer')
  try {
    const json = parseJson(bytes, { maxBytes: most })
    if (isJsonObject(json)) return json
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error
  }
  throw new PeerError('bad_answer')
}

function pathOf(
  template: string,
  params: z.input<z.ZodType> | undefined,
  query: z.input<z.ZodType> | undefined,
): string {
  const values = new Map<string, unknown>(Object.entries(params ?? {}))
  const path = template.replaceAll(/\{(\w+)\}/g, (_, name: string) =>
    encodeURIComponent(String(values.get(name))),
  )
  const pairs = Object.entries(query ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}
