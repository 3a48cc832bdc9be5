/**
 * The upgrade to a WebSocket for streams (Sync §8): who may, how large frames are, and whether somebody is
 * still there. What goes over it is `sync/stream.ts`.
 */
import type { IncomingMessage, Server } from 'node:http'
import type { Duplex } from 'node:stream'
import { WebSocketServer } from 'ws'
import type { RawData, WebSocket } from 'ws'
import { syncStream } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { failure } from '../log.ts'
import { createQuota } from '../quota.ts'
import { openStream } from '../sync/stream.ts'
import { ApiError } from './api-error.ts'
import { authenticate } from './bearer.ts'
import type { Caller } from './call.ts'

const GOING_AWAY = 1001
const BAD_FRAME = 4400
/** How long a client may take to answer a close. */
const CLOSE_PATIENCE_MS = 1000

export function serveStreams(server: Server, context: Context): void {
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    maxPayload: syncStream.maxAsked,
    perMessageDeflate: false,
    handleProtocols: () => syncStream.subprotocol,
  })
  const { rateLimits } = context.config
  const byAddress = createQuota(rateLimits?.address ?? null)
  const byDevice = createQuota(rateLimits?.device ?? null)

  async function admit(request: IncomingMessage): Promise<Caller> {
    const url = new URL(request.url ?? '/', 'http://node')
    if (url.pathname !== syncStream.path) throw new ApiError('M_UNRECOGNIZED')
    if (!isOwnPage(context, request.headers.origin)) throw new ApiError('M_FORBIDDEN')
    const offered = request.headers['sec-websocket-protocol'] ?? ''
    if (!offered.split(',').some((one) => one.trim() === syncStream.subprotocol))
      throw new ApiError('M_INVALID_PARAM')
    const now = context.now()
    // Behind a proxy every address is the proxy's; its own limits hold there.
    const address = context.config.trustProxy ? null : (request.socket.remoteAddress ?? '')
    if (address !== null && !byAddress.take(address, now)) throw new ApiError('M_LIMIT_EXCEEDED')
    const caller = await authenticate(context, 'any_device', request.headers.authorization)
    if (caller === null) throw new ApiError('M_MISSING_TOKEN')
    if (!byDevice.take(`${caller.member}/${caller.device}`, now))
      throw new ApiError('M_LIMIT_EXCEEDED')
    if (context.stopping.aborted) throw new ApiError('M_UNKNOWN')
    return caller
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    const drop = (): void => void socket.destroy()
    socket.on('error', drop)
    admit(request).then(
      (caller) => {
        socket.off('error', drop)
        sockets.handleUpgrade(request, socket, head, (opened) => {
          context.metrics.request(syncStream.path, 'GET', 101, 0)
          serve(context, caller, opened)
        })
      },
      (error: unknown) => refuse(context, socket, error),
    )
  })
}

/** Pages of other sites have no business here; a program sends no origin. */
function isOwnPage({ config }: Context, origin: string | undefined): boolean {
  if (origin === undefined) return true
  return config.publicBaseUrl !== null && new URL(config.publicBaseUrl).origin === origin
}

function refuse(context: Context, socket: Duplex, error: unknown): void {
  const known = error instanceof ApiError ? error : new ApiError('M_UNKNOWN')
  if (known !== error) context.log.error(failure(error), 'upgrade failed')
  context.metrics.request(syncStream.path, 'GET', known.statusCode, 0)
  const body = JSON.stringify(known.body())
  socket.end(
    `HTTP/1.1 ${known.statusCode} Refused\r\nContent-Type: application/json; charset=utf-8\r\n` +
      `Connection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  )
}

function serve(context: Context, caller: Caller, socket: WebSocket): void {
  const { pingMs, silenceMs } = context.config.stream
  let heard = performance.now()
  const hear = (): void => {
    heard = performance.now()
  }
  const close = (code: number): void => {
    socket.close(code)
    setTimeout(() => socket.terminate(), CLOSE_PATIENCE_MS).unref()
  }
  const stream = openStream(context, caller, {
    send: (text) =>
      new Promise((resolve, reject) => {
        socket.send(text, (error) => (error ? reject(error) : resolve()))
      }),
    close,
  })
  const beat = setInterval(() => {
    if (performance.now() - heard > silenceMs) socket.terminate()
    else socket.ping()
  }, pingMs)
  const stop = (): void => {
    stream.end()
    close(GOING_AWAY)
  }
  context.stopping.addEventListener('abort', stop, { once: true })
  socket.on('ping', hear).on('pong', hear)
  socket.on('message', (data: RawData, isBinary) => {
    hear()
    if (isBinary || !Buffer.isBuffer(data)) {
      stream.end()
      close(BAD_FRAME)
    } else stream.take(new Uint8Array(data))
  })
  // A broken frame or connection; `close` follows.
  socket.on('error', () => undefined)
  socket.on('close', () => {
    clearInterval(beat)
    context.stopping.removeEventListener('abort', stop)
    stream.end()
  })
}
