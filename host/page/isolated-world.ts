/**
 * The preload's world: `contextBridge`, `ipcRenderer`, and the preload itself as CommonJS.
 * Runs from its source text in the page. Knows nothing of CDP; JSON goes up through a
 * binding and comes down through one function.
 */
import type { createCodec } from '../codec.ts'
import type { createBridge } from './bridge.ts'
import type { PageConfig, PageGlobal, PagePort } from './dom.ts'

export type Preload = (
  require: (name: string) => unknown,
  module: { exports: unknown },
  exports: unknown,
  process: unknown,
) => void

export function startIsolatedWorld(
  scope: PageGlobal,
  config: PageConfig,
  makeCodec: typeof createCodec,
  makeBridge: typeof createBridge,
  preload: Preload | null,
): void {
  if (scope.top !== scope.window) return
  type Listener = (...args: unknown[]) => void

  const binding = scope[config.up] as (json: string) => void
  const up = (...message: unknown[]): void => binding(JSON.stringify(message))

  const chunk = 0x8000
  const codec = makeCodec({
    encode(bytes) {
      const native = bytes as Uint8Array & { toBase64?: () => string }
      if (native.toBase64 !== undefined) return native.toBase64()
      let text = ''
      for (let i = 0; i < bytes.length; i += chunk) {
        text += String.fromCharCode(...bytes.subarray(i, i + chunk))
      }
      return btoa(text)
    },
    decode(text) {
      const native = Uint8Array as typeof Uint8Array & { fromBase64?: (t: string) => Uint8Array }
      if (native.fromBase64 !== undefined) return native.fromBase64(text)
      return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
    },
  })

  class Emitter {
    readonly #listeners = new Map<string, Listener[]>()
    on(name: string, listener: Listener): this {
      this.#listeners.set(name, [...(this.#listeners.get(name) ?? []), listener])
      return this
    }
    addListener(name: string, listener: Listener): this {
      return this.on(name, listener)
    }
    once(name: string, listener: Listener): this {
      const wrapped: Listener = (...args) => {
        this.off(name, wrapped)
        listener(...args)
      }
      return this.on(name, wrapped)
    }
    off(name: string, listener: Listener): this {
      const rest = [...(this.#listeners.get(name) ?? [])]
      const at = rest.lastIndexOf(listener)
      if (at !== -1) rest.splice(at, 1)
      this.#listeners.set(name, rest)
      return this
    }
    removeListener(name: string, listener: Listener): this {
      return this.off(name, listener)
    }
    removeAllListeners(name?: string): this {
      if (name === undefined) this.#listeners.clear()
      else this.#listeners.delete(name)
      return this
    }
    listenerCount(name: string): number {
      return this.#listeners.get(name)?.length ?? 0
    }
    emit(name: string, ...args: unknown[]): boolean {
      const listeners = this.#listeners.get(name) ?? []
      for (const listener of listeners) {
        try {
          listener(...args)
        } catch (error) {
          setTimeout(() => {
            throw error
          })
        }
      }
      return listeners.length > 0
    }
  }

  // The host's half of a port lives in main; here is the relay between both halves.
  const ports = new Map<string, PagePort>()
  let lastPort = 0

  function relay(id: string, port: PagePort): void {
    ports.set(id, port)
    port.onmessage = (event) => up('port', id, codec.pack(event.data), event.ports.map(adopt))
    port.addEventListener('close', () => {
      if (ports.delete(id)) up('port-close', id)
    })
  }

  /** Takes a port the page gives away; main gets the other end under the returned id. */
  function adopt(port: PagePort): string {
    const id = `page-${++lastPort}`
    relay(id, port)
    return id
  }

  /** A port for the page whose other end is main's `id`. */
  function receivePort(id: string): PagePort {
    const { port1, port2 } = new scope.MessageChannel()
    relay(id, port1)
    return port2
  }

  const calls = new Map<number, { resolve(v: unknown): void; reject(e: Error): void }>()
  let lastCall = 0

  const emitter = new Emitter()
  const ipcRenderer = Object.assign(emitter, {
    send(channel: string, ...args: unknown[]): void {
      up('send', channel, codec.pack(args))
    },
    invoke(channel: string, ...args: unknown[]): Promise<unknown> {
      return new Promise((resolve, reject) => {
        const packed = codec.pack(args)
        const id = ++lastCall
        calls.set(id, { resolve, reject })
        up('invoke', id, channel, packed)
      })
    },
    postMessage(channel: string, message: unknown, transfer: readonly PagePort[] = []): void {
      up('post', channel, codec.pack(message), transfer.map(adopt))
    },
    sendSync(): never {
      throw new Error('ipcRenderer.sendSync is not supported by the development host')
    },
  })

  function handle(message: [string, ...unknown[]]): void {
    const [kind, a, b, c] = message
    switch (kind) {
      case 'reply': {
        const call = calls.get(a as number)
        calls.delete(a as number)
        if (b === true) call?.resolve(codec.unpack(c))
        else call?.reject(new Error(c as string))
        return
      }
      case 'message':
        emitter.emit(
          a as string,
          { sender: ipcRenderer, ports: [] },
          ...(codec.unpack(b) as unknown[]),
        )
        return
      case 'post': {
        const event = { sender: ipcRenderer, ports: (c as string[]).map(receivePort) }
        emitter.emit(a as string, event, codec.unpack(b))
        return
      }
      case 'port':
        ports.get(a as string)?.postMessage(codec.unpack(b), (c as string[]).map(receivePort))
        return
      case 'port-close': {
        const port = ports.get(a as string)
        ports.delete(a as string)
        port?.close()
      }
    }
  }

  scope[config.down] = (json: string): void => {
    for (const message of JSON.parse(json) as [string, ...unknown[]][]) {
      try {
        handle(message)
      } catch (error) {
        console.error(error)
      }
    }
  }

  const bridge = makeBridge(scope, config.toIsolated, config.toMain, () => {})
  const exposed = new Set<string>()
  const electron = {
    ipcRenderer,
    contextBridge: {
      exposeInMainWorld(key: string, api: unknown): void {
        if (exposed.has(key)) {
          throw new Error('Cannot bind an API on top of an existing property on the window object')
        }
        exposed.add(key)
        bridge.expose(key, api)
      },
    },
    webUtils: { getPathForFile: (): string => '' },
  }
  const process = { ...config.process, type: 'renderer', contextIsolated: true, sandboxed: true }

  const require = (name: string): unknown => {
    if (name === 'electron' || name === 'electron/renderer' || name === 'electron/common') {
      return electron
    }
    if (name === 'events' || name === 'node:events') {
      return Object.assign(Emitter, { EventEmitter: Emitter })
    }
    throw new Error(`module not found: ${name}`)
  }
  if (preload !== null) {
    const module = { exports: {} }
    try {
      preload(require, module, module.exports, process)
    } catch (error) {
      console.error('Unable to load preload script', error)
      up('preload-error', error instanceof Error ? (error.stack ?? error.message) : String(error))
    }
  }

  const { document } = scope
  for (const name of ['focus', 'blur']) scope.addEventListener(name, () => up(name))
  const { titleSuffix } = config
  let lastTitle = ''
  const retitle = (): void => {
    const full = document.title
    const title = full.endsWith(titleSuffix)
      ? full.slice(0, full.length - titleSuffix.length)
      : full
    if (title !== lastTitle) up('title', (lastTitle = title))
    if (!full.endsWith(titleSuffix)) document.title = full + titleSuffix
  }
  document.addEventListener('DOMContentLoaded', () => {
    retitle()
    new scope.MutationObserver(retitle).observe(document.head ?? document.documentElement, {
      childList: true,
      subtree: true,
      characterData: true,
    })
  })
}
