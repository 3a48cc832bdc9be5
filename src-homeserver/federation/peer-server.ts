/**
 * HTTP for other servers, apart from the clients' (Federation §15): its own listener, limits and quotas. A body is
 * read as JSON only once the signature over its bytes holds.
 */
import type { Server as TlsServer } from 'node:tls'
import fastify from 'fastify'
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { EncodingError, isJsonObject, parseJson } from '../../src-shared/protocol/index.ts'
import type { JsonObject } from '../../src-shared/protocol/index.ts'
import { serverApi } from '../../src-shared/api/index.ts'
import type { ServerEndpoint, ServerEndpointName } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import { answerError, sendJson } from '../http/answers.ts'
import { createQuota } from '../quota.ts'
import type { Certificate } from './certificate.ts'
import { registerDiscovery } from './discovery.ts'
import { holdsTooMuch } from './json-size.ts'
import type { PeerCall } from './peer-call.ts'
import { peerRoutes } from './peer-routes.ts'
import { createRequestGuard } from './request-guard.ts'
import type { RequestGuard } from './request-guard.ts'

const MAX_CONNECTIONS = 2000
const HEADERS_MS = 20_000
/** Bytes of bodies that may be on their way here at once, whoever sends them. */
const MAX_HELD = 64 * 1024 * 1024
const BUSY_RETRY_MS = 2000

/** `certificate`: null where plain HTTP is spoken. */
export function createPeerServer(
  context: Context,
  certificate: Certificate | null,
): FastifyInstance {
  const options = {
    logger: false,
    exposeHeadRoutes: false,
    forceCloseConnections: 'idle',
    bodyLimit: 16 * 1024,
    requestTimeout: 60_000,
    connectionTimeout: 120_000,
    routerOptions: { maxParamLength: 1024 },
    frameworkErrors: (error: unknown, _request: unknown, reply: FastifyReply) =>
      answerError(context, error, reply),
  } as const
  const app = (
    certificate === null
      ? fastify(options)
      : fastify({ ...options, https: { ...certificate.pair } })
  ) as FastifyInstance
  if (certificate !== null) certificate.serve(app.server as unknown as TlsServer)
  app.removeAllContentTypeParsers()
  app.addContentTypeParser('*', { parseAs: 'buffer' }, (_request, body, done) => done(null, body))
  app.setErrorHandler((error, _request, reply) => answerError(context, error, reply))
  app.setNotFoundHandler((_request, reply) =>
    answerError(context, new ApiError('M_UNRECOGNIZED'), reply),
  )
  app.addHook('onSend', async (_request, reply) => {
    reply.header('cache-control', 'no-store')
    if (context.stopping.aborted) reply.header('connection', 'close')
  })
  app.addHook('onResponse', async (request, reply) => {
    const route = request.routeOptions.url ?? 'none'
    context.metrics.request(route, request.method, reply.statusCode, reply.elapsedTime / 1000)
    context.log.debug({ route, status: reply.statusCode }, 'peer request')
  })
  const guard = createRequestGuard(context)
  const { rateLimits } = context.config
  const byAddress = createQuota(rateLimits?.peerAddress ?? null)
  const byServer = createQuota(rateLimits?.peer ?? null)
  app.server.maxConnections = MAX_CONNECTIONS
  app.server.headersTimeout = HEADERS_MS
  let held = 0
  app.addHook('onRequest', async (request, reply) => {
    if (!byAddress.take(request.ip, context.now())) throw new ApiError('M_LIMIT_EXCEEDED')
    const bytes = announced(request)
    if (held + bytes > MAX_HELD)
      throw new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: BUSY_RETRY_MS })
    held += bytes
    reply.raw.once('close', () => (held -= bytes))
  })
  for (const name of Object.keys(serverApi) as ServerEndpointName[])
    addRoute(app, context, name, guard, (origin) => byServer.take(origin, context.now()))
  registerDiscovery(app, context)
  return app
}

function addRoute<N extends ServerEndpointName>(
  app: FastifyInstance,
  context: Context,
  name: N,
  guard: RequestGuard,
  mayAsk: (origin: string) => boolean,
): void {
  const endpoint: ServerEndpoint = serverApi[name]
  const handler = peerRoutes[name]
  app.route({
    method: endpoint.method,
    url: endpoint.path.replaceAll(/\{(\w+)\}/g, ':$1'),
    bodyLimit: context.guards.holds('body_size', false)
      ? Number.MAX_SAFE_INTEGER
      : Math.max(1, endpoint.maxBytes),
    async handler(request, reply) {
      const bytes = bodyOf(request)
      let origin = ''
      if (endpoint.signed) {
        const { method, url: path } = request
        const { authorization } = request.headers
        origin = await guard.check({ method, path, authorization, body: bytes })
        if (!mayAsk(origin)) throw new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: 10_000 })
        context.peers.heard(origin)
        context.outbound.heard(origin)
        context.comeback.heard(origin)
      }
      // The schemas of exactly this endpoint have made the value.
      const call = readCall(context, endpoint, request, bytes, origin) as unknown as PeerCall<N>
      const answer = await handler(context, call)
      if (context.config.checkAnswers) endpoint.response.parse(answer)
      return sendJson(reply, answer)
    },
  })
}

/** What the body may come to: it is in memory before it is known who sends it. */
function announced({ method, headers, routeOptions }: FastifyRequest): number {
  if (method === 'GET' || method === 'HEAD') return 0
  const most = routeOptions.bodyLimit ?? 0
  const length = headers['content-length']
  return length === undefined ? most : Math.min(Number(length), most)
}

function bodyOf(request: FastifyRequest): Uint8Array {
  const { body } = request
  return body instanceof Buffer ? new Uint8Array(body) : new Uint8Array()
}

function readCall(
  context: Context,
  endpoint: ServerEndpoint,
  request: FastifyRequest,
  bytes: Uint8Array,
  origin: string,
): Record<'origin' | 'params' | 'query' | 'body' | 'raw', unknown> {
  const params = endpoint.params.safeParse({ ...(request.params as object) })
  const query = endpoint.query.safeParse({ ...(request.query as object) })
  if (!params.success || !query.success) throw new ApiError('M_INVALID_PARAM')
  let raw: JsonObject = {}
  let body: unknown
  if (endpoint.maxBytes > 0) {
    raw = parseObject(context, bytes)
    const checked = endpoint.body.safeParse(raw)
    if (!checked.success) throw new ApiError('M_BAD_JSON')
    body = checked.data
  }
  return { origin, params: params.data, query: query.data, body, raw }
}

function parseObject({ guards }: Context, bytes: Uint8Array): JsonObject {
  if (holdsTooMuch(bytes)) throw new ApiError('M_TOO_LARGE')
  try {
    const json = parseJson(bytes, { maxBytes: bytes.length })
    if (isJsonObject(json)) return json
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error
    if (guards.holds('strict_json', false))
      return JSON.parse(new TextDecoder().decode(bytes)) as JsonObject
    throw new ApiError('M_NOT_JSON')
  }
  throw new ApiError('M_BAD_JSON')
}
