import { describe, expect, it } from 'vitest'
import { toUtf8 } from '../../protocol/index.ts'
import { TransportError } from '../ports.ts'
import type { HttpRequest, HttpResponse } from '../ports.ts'
import { seededRandom } from '../testing/simulation.ts'
import { ApiClient, Unanswered } from './api-client.ts'
import { Backoff } from './backoff.ts'
import { expectAnswer } from './errors.ts'

function client(answer: HttpResponse | TransportError, token: string | null = 'secret') {
  const requests: HttpRequest[] = []
  const signedOut: string[] = []
  const api = new ApiClient({
    transport: {
      request: (request) => {
        requests.push(request)
        return answer instanceof TransportError ? Promise.reject(answer) : Promise.resolve(answer)
      },
    },
    log: () => undefined,
    token: () => token,
    onSignedOut: (errcode) => signedOut.push(errcode),
  })
  return { api, requests, signedOut }
}

const json = (status: number, body: unknown): HttpResponse => ({
  status,
  body: toUtf8(JSON.stringify(body)),
})

describe('calling the homeserver', () => {
  it('fills in the path and the query, and sends the token only where one is asked for', async () => {
    const { api, requests } = client(json(200, { status: 'ok' }))
    await api.call('health')
    expect(requests[0]).toMatchObject({ path: '/_eccp/client/v1/health', token: null })
    await api
      .call('manifest', { params: { userId: '@ada:a.test:80' }, query: { from: 3 } })
      .catch(() => undefined)
    expect(requests[1]).toMatchObject({
      path: '/_eccp/client/v1/manifests/%40ada%3Aa.test%3A80?from=3',
      token: 'secret',
    })
  })

  it('repeats the exact bytes it is given', async () => {
    const { api, requests } = client(json(200, {}))
    const bytes = toUtf8('{"a": 1 }')
    await api.call('logout', { bytes })
    expect(requests[0]?.body).toBe(bytes)
  })

  it('tells a refusal, in which nothing happened, from silence, in which anything may have', async () => {
    const refused = client(json(409, { errcode: 'E_TXN_REUSED', error: 'no' }))
    expect(await refused.api.call('health')).toMatchObject({
      ok: false,
      refusal: { errcode: 'E_TXN_REUSED', status: 409 },
    })
    const silent = [
      json(500, { errcode: 'M_UNKNOWN', error: 'broken' }),
      json(502, {}),
      json(200, { status: 'other' }),
      { status: 200, body: toUtf8('<html>') },
      { status: 200, body: toUtf8('{"status":"ok","status":"ok"}') },
      { status: 404, body: toUtf8('not here') },
      new TransportError('timeout'),
    ]
    for (const answer of silent)
      await expect(client(answer).api.call('health')).rejects.toBeInstanceOf(Unanswered)
  })

  it('says once that the token is no longer known', async () => {
    const { api, signedOut } = client(json(401, { errcode: 'M_UNKNOWN_TOKEN', error: 'gone' }))
    await api.call('whoami')
    expect(signedOut).toEqual(['M_UNKNOWN_TOKEN'])
  })

  it('puts what went wrong into the words of the engine', async () => {
    const code = async (answer: HttpResponse | TransportError) =>
      expectAnswer(client(answer).api.call('health')).catch((error: unknown) => error)
    expect(await code(new TransportError('unreachable'))).toMatchObject({
      code: 'homeserver_unreachable',
    })
    const limited = { errcode: 'M_LIMIT_EXCEEDED', error: 'slow', retry_after_ms: 900 }
    expect(await code(json(429, limited))).toMatchObject({ code: 'rate_limited', retryAfter: 900 })
    expect(await code(json(403, { errcode: 'M_FORBIDDEN', error: 'no' }))).toMatchObject({
      code: 'not_allowed',
    })
  })
})

describe('pauses between tries', () => {
  it('grow, are jittered, stay below a minute and start over after a success', () => {
    const backoff = new Backoff(seededRandom(7))
    const pauses = Array.from({ length: 30 }, () => backoff.failed())
    expect(Math.max(...pauses)).toBeLessThanOrEqual(60_000)
    expect(Math.min(...pauses)).toBeGreaterThanOrEqual(200)
    expect(new Set(pauses).size).toBeGreaterThan(20)
    expect(Math.max(...pauses.slice(10))).toBeGreaterThan(20_000)
    expect(backoff.failed(90_000)).toBe(90_000)
    backoff.succeeded()
    expect(backoff.failed()).toBeLessThanOrEqual(500)
  })
})
