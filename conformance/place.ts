/**
 * The node under test as a stranger meets it: its addresses, and requests whose answers are all held against
 * what the draft publishes (10.1), whatever the case that makes them is about.
 */
import { strict as assert } from 'node:assert'
import { setTimeout as wait } from 'node:timers/promises'
import { endpointSchemas, serverApi, statusOf } from '../src-shared/api/index.ts'
import type { Capabilities, ErrorBody } from '../src-shared/api/index.ts'
import { EncodingError, parseJson } from '../src-shared/protocol/index.ts'
import { buildRequest } from './device.ts'
import type { Ask, Place } from './device.ts'
import type { PublishedSchemas } from './published.ts'

/** A rate limit is waited for so often, and at most this long in all. */
const MAX_WAIT_MS = 11 * 60_000
const DEADLINE_MS = 90_000

export interface NodePlace extends Place {
  readonly ask: Ask
  /** Where other nodes reach it; null: nowhere known. */
  readonly federationUrl: string | null
  readonly registerCode: string | null
  readonly capabilities: Capabilities
  /** Names of endpoints that answered as the draft says. */
  readonly asked: ReadonlySet<string>
}

export interface Given {
  readonly url: string
  readonly federationUrl: string | null
  readonly registerCode: string | null
}

export async function meet(given: Given, schemas: PublishedSchemas): Promise<NodePlace> {
  const url = given.url.replace(/\/+$/, '')
  const asked = new Set<string>()
  const ask = checkedAsk(schemas, asked)
  const { status, body } = await ask(url, 'capabilities')
  assert.equal(status, 200, 'GET /capabilities')
  const federationUrl = given.federationUrl ?? (await publishedFederation(url, body.server_name))
  return {
    url,
    serverName: body.server_name,
    ask,
    federationUrl: federationUrl === null ? null : federationUrl.replace(/\/+$/, ''),
    registerCode: given.registerCode,
    capabilities: body,
    asked,
  }
}

/** 15.1: what `.well-known` names, if that answers as this node. */
async function publishedFederation(url: string, serverName: string): Promise<string | null> {
  try {
    const found = await raw(`${url}/.well-known/eccp/server`)
    const named = (found.json as { 'm.server'?: unknown } | null)?.['m.server']
    if (typeof named !== 'string') return null
    const at = `https://${named}`
    const version = await raw(`${at}${serverApi.version.path}`)
    const parsed = serverApi.version.response.safeParse(version.json)
    return parsed.success && parsed.data.server_name === serverName ? at : null
  } catch {
    return null
  }
}

export interface RawAnswer {
  readonly status: number
  readonly headers: Headers
  readonly text: string
  /** Null where it is not JSON. */
  readonly json: unknown
}

export interface RawRequest {
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly body?: string | Uint8Array | undefined
  readonly signal?: AbortSignal | undefined
}

/** One request with these very bytes. No redirect is followed (10.1). */
export async function raw(url: string, request: RawRequest = {}): Promise<RawAnswer> {
  const { method = 'GET', headers = {}, body, signal } = request
  const deadline = AbortSignal.timeout(DEADLINE_MS)
  const response = await fetch(url, {
    method,
    headers: { ...headers },
    redirect: 'manual',
    signal: signal === undefined ? deadline : AbortSignal.any([signal, deadline]),
    ...(body === undefined ? {} : { body: typeof body === 'string' ? body : Buffer.from(body) }),
  })
  const text = await response.text()
  let json: unknown = null
  try {
    json = JSON.parse(text)
  } catch {
    // Whoever needs JSON says so.
  }
  return { status: response.status, headers: response.headers, text, json }
}

/** 10.1: strict JSON, an object, never kept by anyone on the way; an error has its form and status. */
export function checkAnswer(
  schemas: PublishedSchemas,
  what: string,
  answer: RawAnswer,
  schema: string | null,
): void {
  const { status, headers, text, json } = answer
  assert.match(headers.get('content-type') ?? '', /^application\/json\b/, `${what}: content type`)
  assert.equal(headers.get('cache-control'), 'no-store', `${what}: Cache-Control (10.1)`)
  try {
    parseJson(new TextEncoder().encode(text), { maxBytes: 16 * 1024 * 1024 })
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error
    assert.fail(`${what}: the answer is not JSON as 1.2 has it (${error.code})`)
  }
  assert.ok(typeof json === 'object' && json !== null && !Array.isArray(json), `${what}: no object`)
  if (status === 200) {
    const fault = schema === null ? null : schemas.faultOf(schema, json)
    assert.equal(fault, null, `${what}: ${String(fault)}`)
    return
  }
  const fault = schemas.faultOf('error', json)
  assert.equal(fault, null, `${what}: ${String(fault)}`)
  const { errcode } = json as ErrorBody
  assert.equal(status, statusOf[errcode], `${what}: status of ${errcode} (14.2)`)
}

function checkedAsk(schemas: PublishedSchemas, asked: Set<string>): Ask {
  return async (url, name, options = {}) => {
    asked.add(name)
    const request = buildRequest(name, options)
    for (let waited = 0; ;) {
      const answer = await raw(`${url}${request.path}`, request)
      checkAnswer(
        schemas,
        `${request.method} ${request.path}`,
        answer,
        endpointSchemas[name]?.response ?? null,
      )
      const found = answer.json as ErrorBody
      // 10.11: a limit is waited for.
      const pause = answer.status === 429 ? found.retry_after_ms : undefined
      if (pause !== undefined && waited + pause <= MAX_WAIT_MS) {
        waited += pause
        await wait(pause)
        continue
      }
      // The published schema of exactly this endpoint holds.
      return { status: answer.status, body: answer.json } as never
    }
  }
}
