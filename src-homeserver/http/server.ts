/**
 * HTTP: the endpoints of the contract as Fastify routes. Owns parsing, validation, authentication, limits
 * and the shape of every answer; what an endpoint does is in `routes/`.
 */
import { createHash } from 'node:crypto'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import rateLimit from '@fastify/rate-limit'
import { clientApi } from '../../src-shared/api/index.ts'
import type { Endpoint, EndpointName } from '../../src-shared/api/index.ts'
import { passBoundary } from '../../src-platform/boundary.ts'
import { EncodingError, isJsonObject, parseJson } from '../../src-shared/protocol/index.ts'
import type { Json, JsonObject } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { registerDiscovery, registerVersion } from '../federation/discovery.ts'
import { routes } from '../routes/index.ts'
import { answerError, sendJson } from './answers.ts'
import { ApiError } from './api-error.ts'
import { authenticate } from './bearer.ts'
import type { Call, Caller } from './call.ts'
import { openApiDocument } from './openapi.ts'
import { publicRateLimit, rateLimitFor } from './rate-limit.ts'
import { createSharedLimits } from './shared-limits.ts'
import type { SharedLimits } from './shared-limits.ts'
import { serveStreams } from './upgrade.ts'

interface ParsedBody {
  readonly json: Json
  readonly digest: string
}

const callers = new WeakMap<FastifyRequest, Caller>()
const callerOf = (request: FastifyRequest): Caller | null => callers.get(request) ?? null

export async function createServer(context: Context): Promise<FastifyInstance> {
  const app = fastify({
    logger: false,
    trustProxy: context.config.trustProxy,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    bodyLimit: 16 * 1024,
    requestTimeout: 60_000,
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: (error, _request, reply) => answerError(context, error, reply),
    clientErrorHandler(_error, socket) {
      if (!socket.writable) return
      const body = JSON.stringify(new ApiError('M_UNRECOGNIZED').body())
      socket.end(
        `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\n` +
          `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
      )
    },
  })
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (request, body, done) => {
    try {
      done(null, parseBody(request, body))
    } catch (error) {
      done(error instanceof Error ? error : new Error('unreadable body'))
    }
  })
  app.setErrorHandler((error, _request, reply) => answerError(context, error, reply))
  app.setNotFoundHandler((_request, reply) =>
    answerError(context, new ApiError('M_UNRECOGNIZED'), reply),
  )
  app.addHook('onSend', async (_request, reply) => {
    reply.header('x-content-type-options', 'nosniff').header('referrer-policy', 'no-referrer')
    if (!reply.hasHeader('cache-control')) reply.header('cache-control', 'no-store')
    if (context.stopping.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    const { method } = request
    const ms = Math.round(reply.elapsedTime * 10) / 10
    context.metrics.request(route, method, reply.statusCode, ms / 1000)
    context.log.debug({ route, method, status: reply.statusCode, ms }, 'request')
  })
  if (context.config.rateLimits !== null)
    await app.register(rateLimit, { global: false, cache: 50_000 })
  const shared = createSharedLimits(context.storage, context.config.rateLimits, context.now)
  for (const name of Object.keys(clientApi) as EndpointName[]) addRoute(app, context, shared, name)
  addOpenApi(app, context)
  registerDiscovery(app, context)
  registerVersion(app, context)
  serveStreams(app.server, context)
  return app
}

function addRoute<N extends EndpointName>(
  app: FastifyInstance,
  context: Context,
  shared: SharedLimits,
  name: N,
): void {
  const endpoint: Endpoint = clientApi[name]
  const handler = routes[name]
  app.route({
    method: endpoint.method,
    url: endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    bodyLimit: Math.max(1, endpoint.maxBytes),
    config: { rateLimit: rateLimitFor(name, endpoint.auth, context.config.rateLimits, callerOf) },
    async onRequest(request) {
      await shared.check(name, request.ip)
      const caller = await authenticate(context, endpoint.auth, request.headers.authorization)
      if (caller !== null) callers.set(request, caller)
    },
    async handler(request, reply) {
      // The schemas of exactly this endpoint have made the value.
      const call = readCall(context, endpoint, request, reply) as unknown as Call<N>
      passBoundary('http.before', name)
      const answer = await handler(context, call)
      passBoundary('http.after', name)
      if (context.config.checkAnswers) endpoint.response.parse(answer)
      return sendJson(reply, answer)
    },
  })
}

/** A call whose types only the endpoint's own schemas vouch for. */
type Unchecked = Omit<Call<'health'>, 'caller' | 'params' | 'query' | 'body'> &
  Record<'caller' | 'params' | 'query' | 'body', unknown>

function readCall(
  context: Context,
  endpoint: Endpoint,
  request: FastifyRequest,
  reply: FastifyReply,
): Unchecked {
  const params = endpoint.params.safeParse({ ...asRecord(request.params) })
  const query = endpoint.query.safeParse({ ...asRecord(request.query) })
  if (!params.success || !query.success) throw new ApiError('M_INVALID_PARAM')
  const parsed = (request.body ?? null) as ParsedBody | null
  let body: unknown
  let raw: JsonObject = {}
  if (endpoint.maxBytes > 0) {
    if (parsed === null || !isJsonObject(parsed.json)) throw new ApiError('M_BAD_JSON')
    raw = parsed.json
    const checked = endpoint.body.safeParse(raw)
    if (!checked.success) throw new ApiError('M_BAD_JSON')
    body = checked.data
  }
  return {
    caller: callerOf(request),
    params: params.data,
    query: query.data,
    body,
    raw,
    digest: parsed?.digest ?? '',
    gone: goneSignal(context, reply),
  }
}

function asRecord(value: unknown): object {
  return typeof value === 'object' && value !== null ? value : {}
}

function goneSignal(context: Context, reply: FastifyReply): AbortSignal {
  const hungUp = new AbortController()
  reply.raw.once('close', () => hungUp.abort())
  return AbortSignal.any([hungUp.signal, context.stopping])
}

function parseBody(request: FastifyRequest, body: string | Buffer): ParsedBody | null {
  const bytes = typeof body === 'string' ? Buffer.from(body) : body
  if (bytes.length === 0) return null
  const type = request.headers['content-type']?.split(';')[0]?.trim().toLowerCase()
  if (type !== undefined && type !== 'application/json') throw new ApiError('M_NOT_JSON')
  try {
    const json = parseJson(new Uint8Array(bytes), { maxBytes: bytes.length })
    return { json, digest: createHash('sha256').update(bytes).digest('base64url') }
  } catch (error) {
    if (error instanceof EncodingError) throw new ApiError('M_NOT_JSON')
    throw error
  }
}

function addOpenApi(app: FastifyInstance, context: Context): void {
  let text: string | undefined
  const config = { rateLimit: publicRateLimit(context.config.rateLimits) }
  app.get('/_eccp/client/v1/openapi.json', { config }, async (_request, reply) => {
    text ??= JSON.stringify(openApiDocument(context.config))
    return reply.type('application/json; charset=utf-8').send(text)
  })
}
