import { connect } from 'node:net'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import fc from 'fast-check'
import { clientApi, errorBodySchema } from '../../src-shared/api/index.ts'
import type { Endpoint } from '../../src-shared/api/index.ts'
import { defaultRateLimits } from '../config.ts'
import { startNode } from '../testing/start-node.ts'
import type { TestNode } from '../testing/start-node.ts'
import { call, draftAccount, register } from '../../conformance/device.ts'
import type { TestDevice } from '../../conformance/device.ts'

let node: TestNode
let alice: TestDevice
beforeAll(async () => {
  node = await startNode()
  alice = await register(node, 'alice')
})
afterAll(() => node.stop())

async function post(
  path: string,
  body: string | Uint8Array,
  headers: Record<string, string> = {},
): Promise<{ status: number; errcode: unknown; text: string }> {
  const response = await fetch(`${node.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  const text = await response.text()
  return {
    status: response.status,
    errcode: (JSON.parse(text) as { errcode?: unknown }).errcode,
    text,
  }
}

const login = '/_eccp/client/v1/login'

describe('requests', () => {
  it('refuses what is not strict JSON', async () => {
    const texts = [
      '{',
      '{"user":"a","user":"b"}',
      '{"__proto__":{}}',
      '{"a":1.5}',
      '{"a":1e3}',
      '{"a":-0}',
      '{"a":"\\ud800"}',
      '{"a":9007199254740993}',
      `${'['.repeat(17)}${']'.repeat(17)}`,
      '\ufeff{}',
      'undefined',
    ]
    for (const text of texts) {
      const answer = await post(login, text)
      expect([answer.status, answer.errcode], text).toEqual([400, 'M_NOT_JSON'])
    }
    const invalidUtf8 = await post(login, new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d]))
    expect(invalidUtf8.errcode).toBe('M_NOT_JSON')
  })

  it('refuses a body of another type or shape', async () => {
    expect((await post(login, '[]')).errcode).toBe('M_BAD_JSON')
    expect((await post(login, '')).errcode).toBe('M_BAD_JSON')
    expect((await post(login, '{"user":1}')).errcode).toBe('M_BAD_JSON')
    expect((await post(login, 'a=b', { 'content-type': 'text/plain' })).errcode).toBe('M_NOT_JSON')
  })

  it('refuses a body larger than the endpoint takes, announced or not', async () => {
    const large = JSON.stringify({ user: 'x'.repeat(20_000) })
    expect(await post(login, large)).toMatchObject({ status: 413, errcode: 'M_TOO_LARGE' })
    const response = await fetch(`${node.url}${login}`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: new ReadableStream<Uint8Array>({
        pull(controller) {
          controller.enqueue(new Uint8Array(8192).fill(0x20))
        },
      }),
      duplex: 'half',
    } as RequestInit).catch(() => null)
    if (response !== null) expect(response.status).toBe(413)
  })

  it('answers an unknown path or method with M_UNRECOGNIZED', async () => {
    for (const [method, path] of [
      ['GET', '/'],
      ['GET', '/_eccp/client/v2/health'],
      ['POST', '/_eccp/client/v1/health'],
      ['PATCH', '/_eccp/client/v1/login'],
    ] as const) {
      const response = await fetch(`${node.url}${path}`, { method })
      expect(response.status).toBe(404)
      expect(await response.json()).toMatchObject({ errcode: 'M_UNRECOGNIZED' })
    }
  })

  it('refuses malformed parameters and queries', async () => {
    const bad = [
      ['manifest', '/_eccp/client/v1/manifests/nobody'],
      ['state', '/_eccp/client/v1/rooms/!short:node.test/state'],
      ['escape', '/_eccp/client/v1/manifests/%E0%A4%A'],
      ['timeout', '/_eccp/client/v1/sync?timeout=60001'],
      ['timeout twice', '/_eccp/client/v1/sync?timeout=1&timeout=2'],
      ['negative', '/_eccp/client/v1/sync?timeout=-1'],
    ]
    for (const [what, path] of bad) {
      const response = await fetch(`${node.url}${path}`, {
        headers: { authorization: `Bearer ${alice.token}` },
      })
      const body = await response.json()
      expect([what, response.status, body]).toEqual([
        what,
        400,
        expect.objectContaining({ errcode: 'M_INVALID_PARAM' }),
      ])
    }
  })

  it('asks for a token and refuses one it does not know', async () => {
    const none = await call(node.url, 'whoami')
    expect([none.status, none.body.errcode]).toEqual([401, 'M_MISSING_TOKEN'])
    const unknown = await call(node.url, 'whoami', { token: 'x'.repeat(43) })
    expect([unknown.status, unknown.body.errcode]).toEqual([401, 'M_UNKNOWN_TOKEN'])
    const response = await fetch(`${node.url}/_eccp/client/v1/account/whoami`, {
      headers: { authorization: 'Basic YTpi' },
    })
    expect(response.status).toBe(401)
  })

  it('answers every endpoint that wants a token with 401 without one', async () => {
    for (const [name, endpoint] of Object.entries<Endpoint>(clientApi)) {
      if (endpoint.auth === 'none') continue
      const response = await fetch(`${node.url}${endpoint.path}`, { method: endpoint.method })
      expect([name, response.status]).toEqual([name, 401])
    }
  })

  it('answers bytes that are not HTTP with an error, and goes on', async () => {
    const answer = await new Promise<string>((resolve, reject) => {
      const { port, hostname } = new URL(node.url)
      const socket = connect(Number(port), hostname, () => socket.write('\x00\x01garbage\r\n\r\n'))
      let text = ''
      socket.on('data', (data) => (text += data.toString()))
      socket.on('close', () => resolve(text))
      socket.on('error', reject)
    })
    expect(answer).toContain('400 Bad Request')
    expect((await call(node.url, 'health')).status).toBe(200)
  })

  it('tells nothing about itself in an error', async () => {
    const { text } = await post(login, '{"user":"\\u0000","password":"secret-word"}')
    expect(text).not.toContain('secret-word')
    expect(text).not.toMatch(/stack|\.ts|node_modules|Zod/i)
  })
})

describe('any JSON on any endpoint', () => {
  const text = fc.oneof(
    fc.constantFrom(
      'e.message',
      'e.room.member',
      '@alice:node.test',
      'start',
      'A'.repeat(16),
      'A'.repeat(43),
      `!${'A'.repeat(43)}:node.test`,
      `$${'A'.repeat(43)}`,
      'A'.repeat(86),
    ),
    fc.string({ maxLength: 40 }),
  )
  const leaf = fc.oneof(text, fc.maxSafeInteger(), fc.constantFrom(null, true, false, 0, 1))
  const keys = fc.constantFrom(
    'user',
    'username',
    'password',
    'genesis',
    'entry',
    'signatures',
    'proof',
    'ts',
    'sig',
    'device',
    'devices',
    'envelope',
    'envelope_sig',
    'body',
    'wraps',
    'submissions',
    'txn',
    'visibility',
    'receipts',
    'messages',
    'message',
    'signed',
    'one_time',
    'id',
    'key',
    'name',
    'display_name',
    'member',
    'room',
    'v',
  )
  const json = fc.letrec((tie) => ({
    value: fc.oneof({ maxDepth: 4 }, leaf, tie('object'), fc.array(tie('value'), { maxLength: 3 })),
    object: fc.dictionary(fc.oneof({ weight: 5, arbitrary: keys }, fc.string()), tie('value'), {
      maxKeys: 6,
    }),
  }))

  it('is never answered with 5xx, and every error has its form', async () => {
    const endpoints = Object.entries<Endpoint>(clientApi).filter(([name]) => name !== 'logout')
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom(...endpoints),
        json.object,
        fc.array(text, { minLength: 3, maxLength: 3 }),
        async ([, endpoint], body, values) => {
          let at = 0
          const path = endpoint.path.replaceAll(/\{\w+\}/g, () =>
            encodeURIComponent((values[at++] ?? 'x').toWellFormed() || 'x'),
          )
          const response = await fetch(`${node.url}${path}`, {
            method: endpoint.method,
            headers: {
              authorization: `Bearer ${alice.token}`,
              'content-type': 'application/json',
            },
            ...(endpoint.method === 'GET' ? {} : { body: JSON.stringify(body) }),
          })
          const answer: unknown = await response.json()
          expect(response.status).toBeLessThan(500)
          if (response.status !== 200) expect(errorBodySchema.safeParse(answer).success).toBe(true)
        },
      ),
      { numRuns: 400 },
    )
    expect((await call(node.url, 'health')).body).toEqual({ status: 'ok' })
  })

  it('is never answered with 5xx when one field of a good request is spoilt', async () => {
    const good = draftAccount(node, 'mallory').body as unknown as Record<string, unknown>
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(good)), json.value, async (field, value) => {
        const spoilt = JSON.stringify({ ...good, [field]: value, registration_token: undefined })
        const { status } = await post('/_eccp/client/v1/register', spoilt)
        expect(status).toBeLessThan(500)
      }),
      { numRuns: 60 },
    )
  })
})

describe('limits', () => {
  it('refuses the one request too many, and says when to come back', async () => {
    const limited = await startNode({
      rateLimits: { ...defaultRateLimits, login: { max: 2, windowMs: 60_000 } },
    })
    try {
      const attempt = () =>
        fetch(`${limited.url}${login}`, {
          method: 'POST',
          headers: { 'content-type': 'application/json' },
          body: '{}',
        })
      expect((await attempt()).status).toBe(400)
      expect((await attempt()).status).toBe(400)
      const refused = await attempt()
      expect(refused.status).toBe(429)
      const body = errorBodySchema.parse(await refused.json())
      expect(body.errcode).toBe('M_LIMIT_EXCEEDED')
      expect(body.retry_after_ms).toBeGreaterThan(0)
      expect((await call(limited.url, 'health')).status).toBe(200)
    } finally {
      await limited.stop()
    }
  })

  it('counts devices, not addresses, once there is a token', async () => {
    const limited = await startNode({
      rateLimits: { ...defaultRateLimits, device: { max: 1, windowMs: 60_000 } },
    })
    try {
      const one = await register(limited, 'one')
      const two = await register(limited, 'two')
      expect((await one.call('whoami')).status).toBe(200)
      expect((await one.call('whoami')).status).toBe(429)
      expect((await two.call('whoami')).status).toBe(200)
    } finally {
      await limited.stop()
    }
  })
})

describe('documents', () => {
  it('describes every endpoint in the OpenAPI document', async () => {
    const response = await fetch(`${node.url}/_eccp/client/v1/openapi.json`)
    const document = (await response.json()) as {
      openapi: string
      paths: Record<string, Record<string, { operationId: string }>>
    }
    expect(document.openapi).toBe('3.1.0')
    const described = Object.values(document.paths).flatMap((methods) =>
      Object.values(methods).map(({ operationId }) => operationId),
    )
    expect(described.sort()).toEqual(Object.keys(clientApi).sort())
  })

  it('refers in the OpenAPI document only to schemas that are in it', async () => {
    const response = await fetch(`${node.url}/_eccp/client/v1/openapi.json`)
    const text = await response.text()
    const { components } = JSON.parse(text) as { components: { schemas: Record<string, object> } }
    const named = [...text.matchAll(/"\$ref":"([^"]*)"/g)].map(([, target]) => target ?? '')
    const known = Object.keys(components.schemas).map((name) => `#/components/schemas/${name}`)
    expect(named).toContain('#/components/schemas/pdu')
    expect(named.filter((target) => !known.includes(target))).toEqual([])
  })

  it('publishes its signing key and where to find it', async () => {
    const version = (await (
      await fetch(`${node.url}/_eccp/federation/v1/version`)
    ).json()) as Record<string, unknown>
    const { body } = await call(node.url, 'capabilities')
    expect(version).toMatchObject({
      server_name: 'node.test',
      signing_keys: [{ ...body.signing_key, until: null }],
    })
    const server = await fetch(`${node.url}/.well-known/eccp/server`)
    expect(await server.json()).toEqual({ 'm.server': 'node.test:8448' })
    const client = await fetch(`${node.url}/.well-known/eccp/client`)
    expect(await client.json()).toEqual({ 'm.homeserver': { base_url: node.url } })
  })

  it('serves metrics on the admin address alone', async () => {
    const watched = await startNode({ adminListen: { host: '127.0.0.1', port: 0 } })
    try {
      await call(watched.url, 'health')
      expect((await fetch(`${watched.url}/metrics`)).status).toBe(404)
      const metrics = await (await fetch(`${watched.adminUrl}/metrics`)).text()
      expect(metrics).toContain('route="/_eccp/client/v1/health"')
    } finally {
      await watched.stop()
    }
  })
})
