/** What other nodes and clients find before they speak: the `.well-known` documents and the version (Federation §15). */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { FEDERATION_VERSIONS } from '../../src-shared/api/index.ts'
import type { ServerAnswer } from '../../src-shared/api/index.ts'
import { parseServerName } from '../../src-shared/protocol/index.ts'
import { software } from '../config.ts'
import type { NodeConfig } from '../config.ts'
import { publicRateLimit } from '../http/rate-limit.ts'
import type { Context } from '../context.ts'
import { FEDERATION_PORT } from './directory.ts'

export function versionAnswer({ config, keys }: Context): ServerAnswer<'version'> {
  return {
    server: software,
    server_name: config.serverName,
    versions: [...FEDERATION_VERSIONS],
    features: [],
    mode: config.federation.mode,
    signing_keys: keys.published.slice(0, 64),
  }
}

export function registerDiscovery(app: FastifyInstance, context: Context): void {
  const config = { rateLimit: publicRateLimit(context.config.rateLimits) }
  app.get('/.well-known/eccp/server', { config }, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=3600')
    return { 'm.server': federationAddress(context.config.serverName) }
  })
  app.get('/.well-known/eccp/client', { config }, async (request, reply) => {
    reply.header('cache-control', 'public, max-age=3600')
    return { 'm.homeserver': { base_url: context.config.publicBaseUrl ?? ownAddress(request) } }
  })
}

/** On the clients' listener, where people look a node up. */
export function registerVersion(app: FastifyInstance, context: Context): void {
  const config = { rateLimit: publicRateLimit(context.config.rateLimits) }
  app.get('/_eccp/federation/v1/version', { config }, async () => versionAnswer(context))
}

/** Never from the Host header: the answer may be cached for others. */
function ownAddress(request: FastifyRequest): string {
  const { localAddress = '127.0.0.1', localPort = 0 } = request.socket
  return `http://${localAddress.includes(':') ? `[${localAddress}]` : localAddress}:${localPort}`
}

function federationAddress(serverName: NodeConfig['serverName']): string {
  const parsed = parseServerName(serverName)
  return parsed?.port === null ? `${serverName}:${FEDERATION_PORT}` : serverName
}
