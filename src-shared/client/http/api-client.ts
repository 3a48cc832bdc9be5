/**
 * Calls to the homeserver, typed by the endpoint descriptions of the API.
 *
 * An answer is either a value or a *refusal*: the node has decided and nothing happened. Everything
 * else (no answer, a 5xx, an answer that does not parse) is *ambiguous* and thrown as `Unanswered`:
 * whether it had an effect is unknown, and the caller repeats the same bytes.
 */
import { clientApi, errorBodySchema } from '../../api/index.ts'
import type { Body, EndpointName, Errcode, Params, Query, Response } from '../../api/index.ts'
import { EncodingError, parseJson, toUtf8 } from '../../protocol/index.ts'
import { TransportError } from '../ports.ts'
import type {
  Cancel,
  HttpRequest,
  HttpResponse,
  Link,
  LinkListener,
  LinkRequest,
  Log,
  Transport,
  TransportErrorCode,
} from '../ports.ts'

export type UnansweredCode =
  | TransportErrorCode
  | 'server_error'
  | 'not_a_homeserver'
  /** The node answers; another one, which it would have to ask, does not. */
  | 'peer_unreachable'

export class Unanswered extends Error {
  override readonly name = 'Unanswered'
  readonly code: UnansweredCode
  constructor(code: UnansweredCode) {
    super(`no answer: ${code}`)
    this.code = code
  }
}

export interface Refusal {
  readonly status: number
  readonly errcode: Errcode
  readonly retryAfter: number
  readonly rule: string | undefined
  readonly head: string | undefined
  /** The next free place in the device's own chain, where it was already taken. */
  readonly nextSeq: number | undefined
  /** The node's clock, where the caller's was refused; milliseconds. */
  readonly serverTime: number | undefined
  readonly roster: readonly { readonly member: string; readonly head: string }[] | undefined
}

export type Answer<N extends EndpointName> =
  | { readonly ok: true; readonly value: Response<N> }
  | { readonly ok: false; readonly refusal: Refusal }

/** Signed out: work stays where it is until someone signs in again. */
const SIGNED_OUT_PAUSE = 60_000

/** Milliseconds after which a refusal may turn into an answer; null where it is final, or no refusal. */
export function waitAfter(answer: Answer<EndpointName>): number | null {
  if (answer.ok) return null
  const { status, retryAfter } = answer.refusal
  if (status === 401) return SIGNED_OUT_PAUSE
  return status === 429 ? Math.max(1_000, retryAfter) : null
}

export interface CallOptions<N extends EndpointName> {
  readonly params?: Params<N>
  readonly query?: Query<N>
  readonly body?: Body<N>
  /** The exact bytes of the body, where they must not change between tries. */
  readonly bytes?: Uint8Array
  readonly cancel?: Cancel
  /** The long poll's own waiting time is added. */
  readonly waitMs?: number
  /** Leaves out of an answer what does not fit its schema, where the rest can stand alone. */
  readonly salvage?: (json: unknown) => unknown
}

export interface ApiClientOptions {
  readonly transport: Transport
  readonly log: Log
  /** The token now; null before sign-in. */
  readonly token: () => string | null
  /** The node no longer knows the token; told once per answer. */
  readonly onSignedOut?: (errcode: Errcode) => void
  /** A call other than the long poll was not answered. */
  readonly onSilence?: () => void
}

const TIMEOUT_MS = 20_000
const MAX_ANSWER_BYTES = 32 * 1024 * 1024

export class ApiClient {
  readonly #options: ApiClientOptions

  constructor(options: ApiClientOptions) {
    this.#options = options
  }

  /** Throws `Unanswered`. */
  async call<N extends EndpointName>(name: N, options: CallOptions<N> = {}): Promise<Answer<N>> {
    const endpoint = clientApi[name]
    const { transport, log, token, onSilence } = this.#options
    const { body } = options
    const bytes = options.bytes ?? (body === undefined ? null : toUtf8(JSON.stringify(body)))
    log('http.before', { what: name })
    const request: HttpRequest = {
      method: endpoint.method,
      path: pathOf(endpoint.path, options.params, options.query),
      token: endpoint.auth === 'none' ? null : token(),
      body: bytes,
      timeoutMs: TIMEOUT_MS + (options.waitMs ?? 0),
      maxBytes: MAX_ANSWER_BYTES,
    }
    const response = await transport.request(request, options.cancel).catch((error: unknown) => {
      if (!(error instanceof TransportError)) throw error
      if (name !== 'sync' && name !== 'syncWindows' && error.code !== 'cancelled') onSilence?.()
      throw new Unanswered(error.code)
    })
    log('http.after', { what: name, status: response.status })
    if (response.status >= 200 && response.status < 300) {
      const json = jsonOf(response)
      let parsed = endpoint.response.safeParse(json)
      // One malformed thing among many must not keep the others from being read.
      if (!parsed.success && options.salvage !== undefined)
        parsed = endpoint.response.safeParse(options.salvage(json))
      if (!parsed.success) throw new Unanswered('not_a_homeserver')
      // The schema that parsed it is the one `Response<N>` is inferred from.
      return { ok: true, value: parsed.data as Response<N> }
    }
    const refusal = refusalOf(response)
    this.refusedToken(refusal.errcode)
    return { ok: false, refusal }
  }

  /** Null where there is no link to be had. Throws `Unanswered`. */
  async link(
    request: Omit<LinkRequest, 'token' | 'timeoutMs'>,
    listener: LinkListener,
    cancel: Cancel,
  ): Promise<Link | null> {
    const { transport, token } = this.#options
    if (transport.link === undefined) return null
    const whole = { ...request, token: token(), timeoutMs: TIMEOUT_MS }
    return transport.link(whole, listener, cancel).catch((error: unknown) => {
      if (error instanceof TransportError) throw new Unanswered(error.code)
      throw error
    })
  }

  /** Passes on where the node says that it does not know the token any more. */
  refusedToken(errcode: Errcode): void {
    if (errcode === 'M_UNKNOWN_TOKEN' || errcode === 'E_DEVICE_REMOVED')
      this.#options.onSignedOut?.(errcode)
  }
}

function jsonOf(response: HttpResponse): unknown {
  if (response.body.length === 0) return {}
  try {
    return parseJson(response.body, { maxBytes: MAX_ANSWER_BYTES })
  } catch (error) {
    if (error instanceof EncodingError) throw new Unanswered('not_a_homeserver')
    throw error
  }
}

function failureOf({ body }: HttpResponse): UnansweredCode {
  try {
    const json = parseJson(body, { maxBytes: MAX_ANSWER_BYTES })
    const { errcode } = errorBodySchema.parse(json)
    return errcode === 'E_PEER_UNREACHABLE' ? 'peer_unreachable' : 'server_error'
  } catch {
    return 'server_error'
  }
}

function refusalOf(response: HttpResponse): Refusal {
  if (response.status >= 500) throw new Unanswered(failureOf(response))
  const parsed = errorBodySchema.safeParse(jsonOf(response))
  // A proxy's or another service's error page decides nothing.
  if (!parsed.success) throw new Unanswered('not_a_homeserver')
  const { errcode, retry_after_ms, rule, head, roster } = parsed.data
  return {
    status: response.status,
    errcode,
    retryAfter: retry_after_ms ?? 0,
    rule,
    head,
    nextSeq: parsed.data.next_seq,
    serverTime: parsed.data.server_time,
    roster,
  }
}

function pathOf(template: string, params: unknown, query: unknown): string {
  const values = new Map<string, unknown>(Object.entries(params ?? {}))
  const path = template.replace(/\{([A-Za-z]+)\}/g, (_, name: string) =>
    encodeURIComponent(String(values.get(name))),
  )
  const pairs = Object.entries(query ?? {})
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`)
  return pairs.length === 0 ? path : `${path}?${pairs.join('&')}`
}
