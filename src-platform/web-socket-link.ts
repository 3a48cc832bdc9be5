/**
 * The Transport port's link over a WebSocket. Owns opening, the size limit of frames and the end of a link on
 * which nothing is heard; knows nothing of what the frames say.
 */
import { WebSocket } from 'ws'
import { TransportError } from '../src-shared/client/index.ts'
import type {
  Cancel,
  Link,
  LinkListener,
  LinkRequest,
  TransportErrorCode,
} from '../src-shared/client/index.ts'

/** As `Transport.link`; `classify` says what kept a connection from being made. */
export async function openLink(
  base: string,
  request: LinkRequest,
  listener: LinkListener,
  classify: (error: unknown) => TransportErrorCode,
  cancel?: Cancel,
): Promise<Link | null> {
  const url = new URL(request.path, base)
  url.protocol = url.protocol === 'https:' ? 'wss:' : 'ws:'
  const socket = new WebSocket(url, [request.subprotocol], {
    headers: request.token === null ? {} : { authorization: `Bearer ${request.token}` },
    maxPayload: request.maxBytes,
    perMessageDeflate: false,
    // A token must never follow a redirect to another host.
    followRedirects: false,
    handshakeTimeout: request.timeoutMs,
  })
  const opened = await new Promise<boolean>((resolve, reject) => {
    const release = cancel?.onCancel(() => {
      reject(new TransportError('cancelled'))
      socket.terminate()
    })
    const settle = (): void => release?.()
    socket.once('open', () => {
      settle()
      resolve(true)
    })
    socket.once('unexpected-response', () => {
      settle()
      resolve(false)
      socket.terminate()
    })
    socket.on('error', (error) => {
      settle()
      reject(new TransportError(classify(error)))
    })
  })
  if (!opened) return null
  return follow(socket, request, listener)
}

function follow(socket: WebSocket, { silenceMs }: LinkRequest, listener: LinkListener): Link {
  let isOurs = false
  let timer: NodeJS.Timeout
  const hear = (): void => {
    clearTimeout(timer)
    timer = setTimeout(() => socket.terminate(), silenceMs)
    timer.unref()
  }
  hear()
  socket.on('ping', hear).on('pong', hear)
  socket.on('message', (data, isBinary) => {
    hear()
    if (isBinary || !Buffer.isBuffer(data)) socket.terminate()
    else if (!isOurs) listener.onFrame(data.toString('utf8'))
  })
  socket.on('close', (code) => {
    clearTimeout(timer)
    if (!isOurs) listener.onEnd(code)
  })
  return {
    send(text) {
      // Where it is closing, `close` follows and tells.
      if (socket.readyState === WebSocket.OPEN) socket.send(text, () => undefined)
    },
    close() {
      isOurs = true
      socket.terminate()
    },
  }
}
