/**
 * Carries IPC between main and the preload's isolated world of one page: JSON up through a
 * binding, down through a function call, message ports over both. Lives as long as one target;
 * documents come and go beneath it.
 */
import { randomBytes } from 'node:crypto'
import { entangle, MessagePortMain, type PortEnd, type PortMessage } from './api/message-port.ts'
import type { CdpParams, CdpSession } from './cdp.ts'
import { createCodec } from './codec.ts'
import { createBridge } from './page/bridge.ts'
import type { PageConfig } from './page/dom.ts'
import { startIsolatedWorld } from './page/isolated-world.ts'
import { startMainWorld } from './page/main-world.ts'

const codec = createCodec({
  encode: (bytes) =>
    Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64'),
  decode: (text) => new Uint8Array(Buffer.from(text, 'base64')),
})

/** A document whose preload runs. */
export interface PageDocument {
  readonly contextId: number
  readonly uniqueId: string
  /** Chromium's address of the document when it was made. */
  readonly url: string
}

export interface PageLinkEvents {
  onInvoke(document: PageDocument, channel: string, args: unknown[]): Promise<unknown>
  onSend(document: PageDocument, channel: string, args: unknown[], ports: MessagePortMain[]): void
  onSignal(name: string, detail: string): void
}

/** Stands in main for a port that the page holds. */
class PagePort implements PortEnd {
  peer: PortEnd | null = null
  readonly id: string
  readonly #link: PageLink
  constructor(link: PageLink, id: string) {
    this.#link = link
    this.id = id
  }
  receive({ data, ports }: PortMessage): void {
    this.#link.down('port', this.id, codec.pack(data), this.#link.give(ports))
  }
  disconnect(): void {
    this.peer = null
    this.#link.down('port-close', this.id)
  }
}

const WORLD = 'eccp-preload'

export class PageLink {
  readonly #session: CdpSession
  readonly #mainFrame: string
  readonly #events: PageLinkEvents
  readonly #config: PageConfig
  readonly #ports = new Map<string, PagePort>()
  #document: PageDocument | null = null
  #documentUrl = 'about:blank'
  #outbox: unknown[][] = []
  #flushing = false
  #lastPort = 0

  constructor(
    session: CdpSession,
    mainFrame: string,
    page: Pick<PageConfig, 'titleSuffix' | 'process'>,
    events: PageLinkEvents,
  ) {
    this.#session = session
    this.#mainFrame = mainFrame
    this.#events = events
    const secret = randomBytes(8).toString('hex')
    this.#config = {
      ...page,
      up: `__up_${secret}`,
      down: `__down_${secret}`,
      toMain: `to-main-${secret}`,
      toIsolated: `to-isolated-${secret}`,
    }
    session.on('Page.frameNavigated', (params) => this.#navigated(params))
    session.on('Runtime.executionContextCreated', (params) => this.#created(params))
    session.on('Runtime.executionContextsCleared', () => this.#cleared())
    session.on('Runtime.bindingCalled', (params) => this.#received(params))
  }

  /**
   * Has the preload run in every document to come. The order matters: Page and the binding
   * before Runtime, or the first document misses them. A navigation sent before this settles
   * may reach a fresh renderer that knows none of it.
   */
  async install(preload: string | null): Promise<void> {
    const config = JSON.stringify(this.#config)
    const body =
      preload === null ? 'null' : `(function (require, module, exports, process) {${preload}\n})`
    const send = this.#session.send.bind(this.#session)
    await Promise.all([
      send('Page.enable'),
      send('Runtime.addBinding', { name: this.#config.up, executionContextName: WORLD }),
      send('Page.addScriptToEvaluateOnNewDocument', {
        source: `(${String(startMainWorld)})(globalThis, ${config}, ${String(createBridge)})`,
      }),
      send('Page.addScriptToEvaluateOnNewDocument', {
        source:
          `(${String(startIsolatedWorld)})(globalThis, ${config}, ` +
          `${String(createCodec)}, ${String(createBridge)}, ${body})`,
        worldName: WORLD,
      }),
      send('Runtime.enable'),
    ])
  }

  /** Sends `args` on a channel of the page's `ipcRenderer`. Throws where they can't be cloned. */
  message(channel: string, args: unknown[]): void {
    this.down('message', channel, codec.pack(args))
  }

  /** As `message`, with ports. */
  post(channel: string, message: unknown, ports: MessagePortMain[]): void {
    const packed = codec.pack(message)
    this.down('post', channel, packed, this.give(ports))
  }

  /** Moves ports to the page and returns their ids there. */
  give(ports: MessagePortMain[]): string[] {
    return ports.map((port) => {
      const end = new PagePort(this, `main-${String(++this.#lastPort)}`)
      this.#ports.set(end.id, end)
      return port.move(end).id
    })
  }

  /** Queues one message for the page, in order; what no document takes is kept for the next. */
  down(...message: unknown[]): void {
    this.#outbox.push(message)
    if (this.#flushing) return
    this.#flushing = true
    queueMicrotask(() => this.#flush())
  }

  /** The target is gone: every port of its page closes. */
  close(): void {
    this.#cleared()
    this.#outbox = []
  }

  #flush(): void {
    this.#flushing = false
    if (this.#document === null || this.#outbox.length === 0) return
    const json = JSON.stringify(this.#outbox.splice(0))
    this.#session.post('Runtime.callFunctionOn', {
      functionDeclaration: `function (json) { globalThis.${this.#config.down}(json) }`,
      arguments: [{ value: json }],
      uniqueContextId: this.#document.uniqueId,
    })
  }

  #navigated(params: CdpParams): void {
    const frame = params['frame'] as { id: string; url: string; urlFragment?: string }
    if (frame.id === this.#mainFrame) this.#documentUrl = frame.url + (frame.urlFragment ?? '')
  }

  #created(params: CdpParams): void {
    const context = params['context'] as {
      id: number
      uniqueId: string
      name: string
      auxData: { frameId?: string }
    }
    if (context.name !== WORLD || context.auxData.frameId !== this.#mainFrame) return
    this.#document = {
      contextId: context.id,
      uniqueId: context.uniqueId,
      url: this.#documentUrl,
    }
    this.#flush()
  }

  #cleared(): void {
    this.#document = null
    for (const port of this.#ports.values()) {
      const { peer } = port
      port.peer = null
      peer?.disconnect()
    }
    this.#ports.clear()
  }

  #received(params: CdpParams): void {
    const document = this.#document
    if (document === null || params['executionContextId'] !== document.contextId) return
    const [kind, a, b, c] = JSON.parse(String(params['payload'])) as [string, ...unknown[]]
    switch (kind) {
      case 'invoke':
        void this.#invoke(document, a as number, b as string, c)
        return
      case 'send':
        this.#events.onSend(document, a as string, codec.unpack(b) as unknown[], [])
        return
      case 'post':
        this.#events.onSend(document, a as string, [codec.unpack(b)], this.#take(c as string[]))
        return
      case 'port': {
        const ports = this.#take(c as string[])
        this.#ports.get(a as string)?.peer?.receive({ data: codec.unpack(b), ports })
        return
      }
      case 'port-close': {
        const port = this.#ports.get(a as string)
        this.#ports.delete(a as string)
        port?.peer?.disconnect()
        return
      }
      default:
        this.#events.onSignal(kind, typeof a === 'string' ? a : '')
    }
  }

  async #invoke(document: PageDocument, id: number, channel: string, args: unknown): Promise<void> {
    let reply: unknown[]
    try {
      const result = await this.#events.onInvoke(document, channel, codec.unpack(args) as unknown[])
      reply = ['reply', id, true, codec.pack(result)]
    } catch (error) {
      reply = ['reply', id, false, `Error invoking remote method '${channel}': ${String(error)}`]
    }
    // The reply belongs to the document that asked, not to its successor.
    if (this.#document === document) this.down(...reply)
  }

  #take(ids: string[]): MessagePortMain[] {
    return ids.map((id) => {
      const end = new PagePort(this, id)
      const port = new MessagePortMain()
      this.#ports.set(id, end)
      entangle(end, port)
      return port
    })
  }
}
