/** What every request and answer of the client API has in common, and what a node says about itself. */
import { strict as assert } from 'node:assert'
import { clientApi } from '../../src-shared/api/index.ts'
import type { Endpoint } from '../../src-shared/api/index.ts'
import type { Case } from '../case.ts'
import { checkAnswer, raw } from '../place.ts'
import type { RawAnswer } from '../place.ts'
import { expectError } from '../setting.ts'
import type { Setting } from '../setting.ts'

const prefix = '/_eccp/client/v1'

interface Posting {
  readonly path?: string
  readonly headers?: Record<string, string>
}

async function post(
  { node, schemas }: Setting,
  body: string | Uint8Array,
  { path = `${prefix}/login`, headers = {} }: Posting = {},
): Promise<{ status: number; body: object; text: string }> {
  const answer = await raw(`${node.url}${path}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', ...headers },
    body,
  })
  checkAnswer(schemas, `POST ${path}`, answer, null)
  return { status: answer.status, body: answer.json as object, text: answer.text }
}

async function get({ node }: Setting, path: string, token?: string): Promise<RawAnswer> {
  return raw(`${node.url}${path}`, {
    ...(token === undefined ? {} : { headers: { authorization: `Bearer ${token}` } }),
  })
}

const bodyOf = (answer: RawAnswer): { status: number; body: object } => ({
  status: answer.status,
  body: answer.json as object,
})

export const clientRequests: readonly Case[] = [
  {
    name: 'says that it lives',
    section: '10.12',
    async run({ node }) {
      const { status, body } = await node.ask(node.url, 'health')
      assert.deepEqual([status, body], [200, { status: 'ok' }])
    },
  },
  {
    name: 'refuses what is not strict JSON',
    section: '1.2',
    async run(setting) {
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
      for (const text of texts) expectError(await post(setting, text), 400, 'M_NOT_JSON')
      const noUtf8 = new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x7d])
      expectError(await post(setting, noUtf8), 400, 'M_NOT_JSON')
    },
  },
  {
    name: 'refuses a body of another media type or shape',
    section: '10.1',
    async run(setting) {
      for (const text of ['[]', '{}', '{"user":1}'])
        expectError(await post(setting, text), 400, 'M_BAD_JSON')
      const form = await post(setting, 'a=b', { headers: { 'content-type': 'text/plain' } })
      expectError(form, 400, 'M_NOT_JSON')
    },
  },
  {
    name: 'refuses a body larger than the endpoint takes',
    section: '10.1',
    async run(setting) {
      for (const name of ['login', 'register'] as const) {
        const { path, maxBytes } = clientApi[name]
        const large = `{"user":"${'x'.repeat(maxBytes)}"}`
        expectError(await post(setting, large, { path }), 413, 'M_TOO_LARGE')
      }
    },
  },
  {
    name: 'knows no other endpoints',
    section: '10.1',
    async run({ node }) {
      for (const [method, path] of [
        ['GET', '/_eccp/client/v2/health'],
        ['POST', `${prefix}/health`],
        ['PATCH', `${prefix}/login`],
      ] as const)
        expectError(bodyOf(await raw(`${node.url}${path}`, { method })), 404, 'M_UNRECOGNIZED')
    },
  },
  {
    name: 'refuses malformed parameters and queries',
    section: '10.1',
    async run(setting) {
      const { token } = await setting.regular('alice')
      for (const path of [
        '/manifests/nobody',
        `/rooms/${encodeURIComponent(`!short:${setting.node.serverName}`)}/state`,
        '/manifests/%E0%A4%A',
        '/sync?timeout=60001',
        '/sync?timeout=1&timeout=2',
        '/sync?timeout=-1',
      ]) {
        const answer = await get(setting, `${prefix}${path}`, token)
        expectError(bodyOf(answer), 400, 'M_INVALID_PARAM')
      }
    },
  },
  {
    name: 'asks for a token wherever one is needed, and refuses unknown ones',
    section: '10.1',
    async run({ node }) {
      const wanted = Object.values<Endpoint>(clientApi).filter(({ auth }) => auth !== 'none')
      assert.ok(wanted.length > 10)
      for (const { method, path } of wanted) {
        const none = await raw(`${node.url}${path}`, { method })
        expectError(bodyOf(none), 401, 'M_MISSING_TOKEN')
      }
      const unknown = await node.ask(node.url, 'whoami', { token: 'x'.repeat(43) })
      expectError(unknown, 401, 'M_UNKNOWN_TOKEN')
      const long = await node.ask(node.url, 'whoami', { token: 'x'.repeat(129) })
      assert.equal(long.status, 401)
    },
  },
  {
    name: 'repeats nothing of a request in an error, and tells nothing of its inside',
    section: '10.1',
    async run(setting) {
      const secret = 'very-secret-word'
      const { text } = await post(setting, `{"user":"\\u0000","password":"${secret}"}`)
      assert.ok(!text.includes(secret))
      assert.doesNotMatch(text, /stack|node_modules|\bat .*:\d+:\d+/i)
    },
  },
  {
    name: 'describes itself: its name, versions, limits no higher than the draft’s, its key and time',
    section: '10.3',
    async run(setting) {
      const { node } = setting
      const { body } = await node.ask(node.url, 'capabilities')
      assert.equal(body.server_name, node.serverName)
      assert.ok(body.versions.includes('v0.1'))
      assert.ok(body.transports.includes('long_poll'))
      const most = {
        envelope_bytes: 65_536,
        request_bytes: 1_048_576,
        pairwise_devices: 64,
        active_devices: 16,
        sync_timeout_ms: 60_000,
      }
      for (const [name, limit] of Object.entries(most)) {
        const said = body.limits[name as keyof typeof most]
        assert.ok(said > 0 && said <= limit, `${name}: ${said}`)
      }
      const own = await (
        await setting.regular('alice')
      ).ok('serverKeys', {
        params: { serverName: node.serverName },
      })
      assert.ok(own.keys.some(({ ed25519 }) => ed25519 === body.signing_key.ed25519))
    },
  },
  {
    name: 'says where clients find it, and where other nodes do',
    section: '10.2',
    async run(setting) {
      const client = await get(setting, '/.well-known/eccp/client')
      const { base_url: base } = (client.json as Record<string, { base_url: string }>)[
        'm.homeserver'
      ] ?? { base_url: '' }
      const url = new URL(base)
      assert.ok(url.search === '' && url.hash === '')
      assert.ok(url.protocol === 'https:' || /^(127\.|localhost|\[::1\])/.test(url.host))
      const server = await get(setting, '/.well-known/eccp/server')
      const named = (server.json as Record<string, unknown>)['m.server']
      assert.match(String(named), /^[a-z0-9.:[\]-]{1,263}$/)
      assert.ok(server.text.length <= 4096 && client.text.length <= 65_536)
    },
  },
  {
    name: 'serves an OpenAPI document of its client API',
    section: '10',
    async run(setting) {
      const { json } = await get(setting, `${prefix}/openapi.json`)
      const document = json as { openapi?: string; paths?: Record<string, object> }
      assert.match(document.openapi ?? '', /^3\.1\./)
      const described = new Set(
        Object.entries(document.paths ?? {}).flatMap(([path, methods]) =>
          Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
        ),
      )
      for (const { method, path } of Object.values<Endpoint>(clientApi))
        assert.ok(described.has(`${method} ${path}`), `${method} ${path} is not described`)
    },
  },
]
