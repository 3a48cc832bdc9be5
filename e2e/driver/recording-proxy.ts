/**
 * An HTTP proxy on loopback between apps and a node. It keeps an independent record of what crossed,
 * and can cut a connection at a chosen place: before a request reaches the node, or after the node has
 * answered and before the client hears it. Streams are relayed frame by frame: each frame of a client is an
 * exchange of its own (method `FRAME`), each frame of the node waits as answers do, and either can be cut,
 * which ends the stream. It understands no message.
 */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocket, WebSocketServer } from 'ws'

export interface Exchange {
  readonly method: string
  readonly path: string
  readonly requestBody: Buffer
  /** The Authorization header. */
  readonly authorization: string | null
  /** Null where the request was cut before it reached the node, or the node did not answer. */
  status: number | null
  responseBody: Buffer | null
}

export type Cut = 'before_node' | 'after_node' | null

export interface RecordingProxy {
  readonly url: string
  readonly exchanges: readonly Exchange[]
  /** Points the proxy elsewhere; null cuts and refuses every connection as if the node were gone. */
  setTarget(url: string | null): void
  /** Holds every answer back for so long, from now on, also those to requests that wait already. */
  setDelay(ms: number): void
  /** Asked for each request; the answer says where to cut it. */
  setCut(decide: (exchange: Exchange) => Cut): void
  close(): Promise<void>
}

const largest = 4 * 1024 * 1024

async function readAll(stream: IncomingMessage): Promise<Buffer> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    const bytes = chunk as Buffer
    size += bytes.byteLength
    if (size > largest) throw new RangeError('message too large for the proxy')
    chunks.push(bytes)
  }
  return Buffer.concat(chunks)
}

function forward(
  target: URL,
  source: IncomingMessage,
  body: Buffer,
): Promise<{ status: number; headers: IncomingMessage['headers']; body: Buffer }> {
  return new Promise((resolve, reject) => {
    const outgoing = httpRequest(
      {
        host: target.hostname,
        port: target.port,
        method: source.method,
        path: source.url,
        headers: { ...source.headers, host: target.host, connection: 'close' },
      },
      (answer) => {
        readAll(answer).then((bytes) => {
          resolve({ status: answer.statusCode ?? 502, headers: answer.headers, body: bytes })
        }, reject)
      },
    )
    outgoing.on('error', reject)
    source.on('aborted', () => outgoing.destroy())
    outgoing.end(body)
  })
}

export async function startRecordingProxy(initialTarget: string): Promise<RecordingProxy> {
  let target: URL | null = new URL(initialTarget)
  let decide: (exchange: Exchange) => Cut = () => null
  const exchanges: Exchange[] = []
  const open = new Set<ServerResponse>()
  let delay = 0

  const handle = async (source: IncomingMessage, answer: ServerResponse): Promise<void> => {
    const body = await readAll(source)
    const exchange: Exchange = {
      method: source.method ?? 'GET',
      path: source.url ?? '/',
      authorization: source.headers.authorization ?? null,
      requestBody: body,
      status: null,
      responseBody: null,
    }
    exchanges.push(exchange)
    const cut = decide(exchange)
    if (target === null || cut === 'before_node') {
      answer.destroy()
      return
    }
    const result = await forward(target, source, body)
    if (delay > 0) await new Promise((resolve) => setTimeout(resolve, delay))
    exchange.status = result.status
    exchange.responseBody = result.body
    if (cut === 'after_node') {
      answer.destroy()
      return
    }
    const headers = { ...result.headers }
    delete headers['transfer-encoding']
    delete headers.connection
    answer.writeHead(result.status, headers)
    answer.end(result.body)
  }

  const server = createServer((source, answer) => {
    open.add(answer)
    answer.once('close', () => open.delete(answer))
    handle(source, answer).catch(() => {
      answer.destroy()
    })
  })
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    handleProtocols: (offered) => [...offered][0] ?? false,
  })
  const links = new Set<WebSocket>()

  /** Both sides of a stream, until one of them ends. */
  const relay = (client: WebSocket, node: WebSocket, opening: Exchange): void => {
    const end = (): void => {
      client.terminate()
      node.terminate()
      links.delete(client)
    }
    links.add(client)
    const record = (requestBody: Buffer): Exchange => {
      const { path, authorization } = opening
      const exchange = { method: 'FRAME', path, authorization, requestBody }
      const recorded: Exchange = { ...exchange, status: null, responseBody: null }
      exchanges.push(recorded)
      return recorded
    }
    client.on('message', (data: Buffer, isBinary) => {
      const exchange = record(data)
      const cut = decide(exchange)
      if (cut !== 'before_node' && target !== null) {
        exchange.status = 200
        node.send(data, { binary: isBinary })
      }
      if (cut !== null || target === null) end()
    })
    node.on('message', (data: Buffer, isBinary) => {
      const forwardOn = (): void => {
        const exchange = record(Buffer.alloc(0))
        exchange.status = 200
        exchange.responseBody = data
        if (decide(exchange) !== null || target === null) end()
        else client.send(data, { binary: isBinary })
      }
      // Timers of one length go off in order.
      if (delay > 0) setTimeout(forwardOn, delay)
      else forwardOn()
    })
    client.on('error', end).on('close', end)
    node.on('error', end).on('close', (code, reason) => {
      // What a node says by ending is passed on; a broken connection breaks.
      if (code >= 4000 && code < 5000) client.close(code, reason)
      else end()
      links.delete(client)
    })
  }

  server.on('upgrade', (source: IncomingMessage, socket: Duplex, head: Buffer) => {
    const opening: Exchange = {
      method: 'UPGRADE',
      path: source.url ?? '/',
      authorization: source.headers.authorization ?? null,
      requestBody: Buffer.alloc(0),
      status: null,
      responseBody: null,
    }
    exchanges.push(opening)
    socket.on('error', () => socket.destroy())
    const cut = decide(opening)
    if (target === null || cut === 'before_node') {
      socket.destroy()
      return
    }
    const { authorization } = opening
    const protocols = (source.headers['sec-websocket-protocol'] ?? '').split(/, */)
    const node = new WebSocket(
      new URL(opening.path, target.href.replace(/^http/, 'ws')),
      protocols,
      {
        headers: authorization === null ? {} : { authorization },
        perMessageDeflate: false,
      },
    )
    node.on('unexpected-response', (_request, response) => {
      opening.status = response.statusCode ?? 502
      socket.end(
        `HTTP/1.1 ${String(opening.status)} Refused\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`,
      )
      node.terminate()
    })
    node.on('error', () => socket.destroy())
    node.once('open', () => {
      opening.status = 101
      if (cut === 'after_node') {
        node.terminate()
        socket.destroy()
        return
      }
      sockets.handleUpgrade(source, socket, head, (client) => {
        relay(client, node, opening)
      })
    })
  })

  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${String(port)}`,
    exchanges,
    setTarget(url) {
      target = url === null ? null : new URL(url)
      if (target !== null) return
      for (const answer of open) answer.destroy()
      for (const client of links) client.terminate()
    },
    setDelay(ms) {
      delay = ms
    },
    setCut(next) {
      decide = next
    },
    close() {
      for (const client of links) client.terminate()
      server.closeAllConnections()
      return new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
      })
    },
  }
}
