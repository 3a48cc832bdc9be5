/** The few DOM types the page scripts need; the host's own type check has no DOM library. */

export interface PageEvent {
  readonly type: string
  readonly detail: unknown
}

export interface PageTarget {
  addEventListener(type: string, listener: (event: PageEvent) => void): void
  dispatchEvent(event: unknown): boolean
}

export interface PageElement {
  readonly tagName: string
}

export interface PageDocument extends PageTarget {
  title: string
  readonly head: PageElement | null
  readonly documentElement: PageElement | null
  hasFocus(): boolean
}

export interface PagePort {
  onmessage: ((event: { data: unknown; ports: readonly PagePort[] }) => void) | null
  addEventListener(type: 'close', listener: () => void): void
  postMessage(message: unknown, transfer: readonly PagePort[]): void
  close(): void
}

export interface PageGlobal extends PageTarget {
  readonly document: PageDocument
  readonly top: unknown
  readonly window: unknown
  readonly CustomEvent: new (type: string, init: { detail: unknown }) => unknown
  readonly MessageChannel: new () => { port1: PagePort; port2: PagePort }
  readonly MutationObserver: new (callback: () => void) => {
    observe(node: unknown, options: Record<string, boolean>): void
  }
  [key: string]: unknown
}

/** What the host tells the scripts it injects. JSON only. */
export interface PageConfig {
  /** Name of the binding that carries JSON to the host. */
  up: string
  /** Name of the isolated world's function that receives JSON from the host. */
  down: string
  /** Event names of the two directions of the bridge between the worlds. */
  toMain: string
  toIsolated: string
  /** Added to the document's title, or empty. */
  titleSuffix: string
  process: {
    platform: string
    arch: string
    versions: Record<string, string>
    argv: string[]
    env: Record<string, string>
  }
}
