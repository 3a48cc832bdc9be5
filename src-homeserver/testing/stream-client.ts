/** A raw stream to a node: frames as they come, and nothing said that a test does not say. */
import { WebSocket } from 'ws'
import { streamNewsSchema, syncStream } from '../../src-shared/api/index.ts'
import type { StreamAsk, StreamNews, SyncResponse } from '../../src-shared/api/index.ts'

export interface StreamClient {
  readonly socket: WebSocket
  readonly frames: readonly StreamNews[]
  /** The close code; null while it is open. */
  readonly closed: number | null
  say(ask: StreamAsk): void
  /** The next news that nobody has taken yet. */
  next(): Promise<SyncResponse>
  end(): Promise<number>
}

export interface StreamOptions {
  readonly token?: string
  readonly origin?: string
  readonly protocol?: string
}

/** Rejects with the HTTP status where the upgrade is refused. */
export async function openStreamTo(url: string, options: StreamOptions): Promise<StreamClient> {
  const socket = new WebSocket(
    `${url.replace(/^http/, 'ws')}${syncStream.path}`,
    [options.protocol ?? syncStream.subprotocol],
    {
      headers: options.token === undefined ? {} : { authorization: `Bearer ${options.token}` },
      ...(options.origin === undefined ? {} : { origin: options.origin }),
    },
  )
  const frames: StreamNews[] = []
  let taken = 0
  let closed: number | null = null
  let changed: () => void = () => undefined
  socket.on('message', (data: Buffer) => {
    frames.push(streamNewsSchema.parse(JSON.parse(data.toString('utf8'))))
    changed()
  })
  socket.on('close', (code) => {
    closed = code
    changed()
  })
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve)
    socket.on('unexpected-response', (_request, response) => {
      reject(new Error(String(response.statusCode)))
      socket.terminate()
    })
    socket.on('error', reject)
  })
  const change = (): Promise<void> => new Promise((resolve) => (changed = resolve))
  return {
    socket,
    frames,
    get closed() {
      return closed
    },
    say: (ask) => socket.send(JSON.stringify(ask)),
    async next() {
      for (;;) {
        const news = frames.flatMap((frame) => (frame.type === 'news' ? [frame.sync] : []))
        const one = news[taken]
        if (one !== undefined) {
          taken++
          return one
        }
        if (closed !== null) throw new Error(`closed: ${String(closed)}`)
        await change()
      }
    },
    async end() {
      while (closed === null) await change()
      return closed
    },
  }
}
