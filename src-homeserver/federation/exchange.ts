/**
 * One HTTP request to another server and its answer: bounded in time and size, over a checked certificate.
 * It follows no redirect and knows nothing of what is said.
 */
import { lookup } from 'node:dns'
import { Agent as HttpAgent, request as httpRequest } from 'node:http'
import type { IncomingMessage, RequestOptions } from 'node:http'
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https'
import { isIP } from 'node:net'
import type { LookupFunction } from 'node:net'
import type { Guards } from '../guards.ts'
import { isInnerAddress } from './inner-address.ts'

export interface Endpoint {
  readonly host: string
  readonly port: number
  readonly plain: boolean
  /** Whose certificate it must be. */
  readonly certificateFor: string
  /** PEM roots; null: the system's. */
  readonly roots: string | null
  /** Configured by the operator: may be anywhere. */
  readonly trustedAddress: boolean
}

export type ExchangeCode = 'unreachable' | 'certificate' | 'timeout' | 'too_large' | 'inner_address'

export class ExchangeError extends Error {
  override readonly name = 'ExchangeError'
  readonly code: ExchangeCode
  /** The system's own code. */
  readonly detail: string | null
  constructor(code: ExchangeCode, detail: string | null = null) {
    super(code)
    this.code = code
    this.detail = detail
  }
}

export interface Outgoing {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array
  readonly maxAnswer: number
  readonly timeoutMs: number
}

export interface Incoming {
  readonly status: number
  readonly body: Uint8Array
}

export interface Exchange {
  /** Throws `ExchangeError`. */
  send(to: Endpoint, request: Outgoing): Promise<Incoming>
  close(): void
}

export type Network = (stopping: AbortSignal, guards: Guards) => Exchange

const SOCKETS_PER_SERVER = 8
const IDLE_MS = 30_000

const CERTIFICATE =
  /^(CERT_|ERR_TLS|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)/

export const createExchange: Network = (stopping, guards) => {
  const options = { keepAlive: true, maxSockets: SOCKETS_PER_SERVER, timeout: IDLE_MS }
  const plain = new HttpAgent(options)
  // A session that is resumed would be one whose certificate is not looked at again.
  const secure = new HttpsAgent({ ...options, maxCachedSessions: 0 })
  return {
    send: (to, request) => exchange(to, request, { plain, secure, stopping, guards }),
    close() {
      plain.destroy()
      secure.destroy()
    },
  }
}

interface Means {
  readonly plain: HttpAgent
  readonly secure: HttpsAgent
  readonly stopping: AbortSignal
  readonly guards: Guards
}

async function exchange(
  to: Endpoint,
  { method, path, headers, body, maxAnswer, timeoutMs }: Outgoing,
  { plain, secure, stopping, guards }: Means,
): Promise<Incoming> {
  if (!to.trustedAddress && isIP(to.host) !== 0 && isInnerAddress(to.host))
    throw new ExchangeError('inner_address')
  const limit = guards.holds('answer_deadline', false)
    ? new AbortController().signal
    : AbortSignal.timeout(timeoutMs)
  const common: RequestOptions = {
    host: to.host,
    port: to.port,
    method,
    path,
    headers: { ...headers, host: to.certificateFor, 'content-length': body.length },
    signal: AbortSignal.any([limit, stopping]),
    ...(to.trustedAddress ? {} : { lookup: outwardLookup }),
  }
  try {
    const answer = await new Promise<IncomingMessage>((resolve, reject) => {
      const named = isIP(to.certificateFor) === 0 ? { servername: to.certificateFor } : {}
      const request = to.plain
        ? httpRequest({ ...common, agent: plain })
        : httpsRequest({
            ...common,
            ...named,
            agent: secure,
            minVersion: 'TLSv1.2',
            ...(to.roots === null ? {} : { ca: to.roots }),
          })
      request.once('response', resolve)
      request.once('error', reject)
      request.end(body)
    })
    return {
      status: answer.statusCode ?? 0,
      body: await readLimited(answer, guards.holds('answer_size', false) ? Infinity : maxAnswer),
    }
  } catch (error) {
    if (error instanceof ExchangeError) throw error
    const detail = detailOf(error)
    throw new ExchangeError(limit.aborted ? 'timeout' : codeOf(detail), detail)
  }
}

async function readLimited(answer: IncomingMessage, most: number): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    size += chunk.length
    if (size > most) {
      answer.destroy()
      throw new ExchangeError('too_large')
    }
    chunks.push(chunk)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

/** Whoever owns a name may let it point anywhere, also between two look-ups: so the address itself is checked. */
const outwardLookup: LookupFunction = (hostname, options, callback) => {
  lookup(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) {
      callback(error, [])
      return
    }
    const outward = addresses.filter(({ address }) => !isInnerAddress(address))
    const [first] = outward
    if (first === undefined)
      callback(Object.assign(new Error('inner address'), { code: 'INNER_ADDRESS' }), [])
    else if (options.all === true) callback(null, outward)
    else callback(null, first.address, first.family)
  })
}

function detailOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code).slice(0, 64) : ''
}

function codeOf(code: string): ExchangeCode {
  if (code === 'INNER_ADDRESS') return 'inner_address'
  return CERTIFICATE.test(code) ? 'certificate' : 'unreachable'
}
