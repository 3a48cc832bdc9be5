/**
 * What other nodes and clients find before they speak: version, signing keys, and the `.well-known`
 * documents (Federation §1). Exchanging events is not built yet; the mode says so.
 */
import type { FastifyInstance, FastifyRequest } from 'fastify'
import { parseServerName } from '../../src-shared/protocol/index.ts'
import { software } from '../config.ts'
import type { NodeConfig } from '../config.ts'
import { publicRateLimit } from '../http/rate-limit.ts'
import type { Context } from '../context.ts'

const FEDERATION_PORT = 8448

export function registerFederation(app: FastifyInstance, context: Context): void {
  const config = { rateLimit: publicRateLimit(context.config.rateLimits) }
  app.get('/_eccp/federation/v1/version', { config }, async () => ({
    server: software,
    server_name: context.config.serverName,
    versions: ['v0.1'],
    mode: 'isolated',
    signing_keys: context.keys.published,
  }))
  app.get('/.well-known/eccp/server', { config }, async (_request, reply) => {
    reply.header('cache-control', 'public, max-age=3600')
    return { 'm.server': federationAddress(context.config.serverName) }
  })
  app.get('/.well-known/eccp/client', { config }, async (request, reply) => {
    reply.header('cache-control', 'public, max-age=3600')
    return { 'm.homeserver': { base_url: context.config.publicBaseUrl ?? ownAddress(request) } }
  })
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
