/** A running node: composed, listening, and stoppable. */
import type { AddressInfo } from 'node:net'
import { createServer as createHttpServer } from 'node:http'
import type { Server } from 'node:http'
import { makeBootstrapToken } from './bootstrap.ts'
import { createContext, realWorld } from './context.ts'
import type { Context, World } from './context.ts'
import type { NodeConfig } from './config.ts'
import { askForAll } from './federation/ask-for-all.ts'
import { openCertificate } from './federation/certificate.ts'
import { createPeerServer } from './federation/peer-server.ts'
import { createServer } from './http/server.ts'
import { startHousekeeping } from './housekeeping.ts'
import { collectProcessMetrics } from './metrics.ts'

/** How long requests under way may take once the node is told to stop. */
const STOP_PATIENCE_MS = 5000

export interface RunningNode {
  /** `http://address:port`. */
  readonly url: string
  readonly adminUrl: string | null
  /** Where other nodes are served; null: nowhere. */
  readonly federationUrl: string | null
  /** By which the first administrator registers; null once there is one, or none was named. */
  readonly bootstrapToken: string | null
  readonly context: Context
  /** Looks at the files of certificate and roots now, rather than within a minute. */
  reload(): void
  /** Answers what is under way, ends waiting syncs, closes the data. */
  stop(): Promise<void>
}

/** Throws `StorageError`, or the system's error where the address is taken. */
export async function startRunning(
  config: NodeConfig,
  world: World = realWorld,
): Promise<RunningNode> {
  const stopping = new AbortController()
  const context = await createContext(config, stopping.signal, world)
  const app = await createServer(context)
  const { listen: peerListen, mode, tls } = config.federation
  const federates = peerListen !== null && mode !== 'isolated'
  const certificate = federates && tls !== null ? openCertificate(tls, context) : null
  const peerApp = federates ? createPeerServer(context, certificate) : null
  let admin: Server | null = null
  try {
    await context.comeback.open()
    await app.listen({ host: config.listen.host, port: config.listen.port })
    if (peerListen !== null) await peerApp?.listen({ ...peerListen })
    if (config.adminListen !== null) admin = await serveAdmin(context, config.adminListen)
  } catch (error) {
    await Promise.all([app.close(), peerApp?.close()])
    await context.storage.close()
    throw error
  }
  const bootstrapToken = await makeBootstrapToken(context.storage, world, config)
  const stopHousekeeping = startHousekeeping(context)
  await context.outbound.start()
  context.comeback.start((server) => askForAll(context, server))
  let stopped: Promise<void> | undefined
  return {
    url: urlOf(app.server),
    adminUrl: admin === null ? null : urlOf(admin),
    federationUrl:
      peerApp === null
        ? null
        : urlOf(peerApp.server, config.federation.tls === null ? 'http' : 'https'),
    bootstrapToken,
    context,
    reload() {
      certificate?.reload()
      context.roots.reload()
    },
    stop: () =>
      (stopped ??= (async () => {
        stopHousekeeping()
        certificate?.close()
        context.roots.close()
        context.clock.close()
        stopping.abort()
        admin?.close()
        const overdue = setTimeout(() => {
          app.server.closeAllConnections()
          peerApp?.server.closeAllConnections()
        }, STOP_PATIENCE_MS)
        await Promise.all([app.close(), peerApp?.close()])
        clearTimeout(overdue)
        context.typing.close()
        await context.outbound.close()
        await context.comeback.close()
        context.exchange.close()
        await context.acks.close()
        await context.storage.close()
      })()),
  }
}

async function serveAdmin(
  context: Context,
  listen: { readonly host: string; readonly port: number },
): Promise<Server> {
  collectProcessMetrics(context.metrics, context.config.dataDir)
  const { registry } = context.metrics
  const server = createHttpServer((request, response) => {
    if (request.method !== 'GET' || request.url !== '/metrics') {
      response.writeHead(404).end()
      return
    }
    void registry.metrics().then(
      (text) => response.writeHead(200, { 'content-type': registry.contentType }).end(text),
      () => response.writeHead(500).end(),
    )
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(listen.port, listen.host, resolve)
  })
  return server
}

function urlOf(server: Pick<Server, 'address'>, scheme = 'http'): string {
  const { address, port, family } = server.address() as AddressInfo
  return `${scheme}://${family === 'IPv6' ? `[${address}]` : address}:${port}`
}
