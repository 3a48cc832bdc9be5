/**
 * An HTTP proxy on loopback between apps and a node. It keeps an independent record of what crossed,
 * and can cut a connection at a chosen place: before a request reaches the node, or after the node has
 * answered and before the client hears it. It understands no message.
 */
import {
  createServer,
  request as httpRequest,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http'
import type { AddressInfo } from 'node:net'

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
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  return {
    url: `http://127.0.0.1:${String(port)}`,
    exchanges,
    setTarget(url) {
      target = url === null ? null : new URL(url)
      if (target === null) for (const answer of open) answer.destroy()
    },
    setDelay(ms) {
      delay = ms
    },
    setCut(next) {
      decide = next
    },
    close() {
      server.closeAllConnections()
      return new Promise((resolve) => {
        server.close(() => {
          resolve()
        })
      })
    },
  }
}
