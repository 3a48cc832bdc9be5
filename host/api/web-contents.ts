/**
 * `webContents`: one page of the app, its navigation and its IPC. A target lost to a crash is
 * replaced at the next load. Knows nothing of windows.
 */
import { EventEmitter } from 'node:events'
import { pathToFileURL } from 'node:url'
import type { CdpParams } from '../cdp.ts'
import { browser, browserEvents, origins } from '../environment.ts'
import { fenceClass, notSupported } from '../host-error.ts'
import { type PageOptions, PageTarget, type PageTargetEvents } from '../page-target.ts'
import { dispatchInvoke, dispatchSend, frameOf } from './ipc-dispatch.ts'
import { IpcMain } from './ipc-main.ts'
import type { MessagePortMain } from './message-port.ts'
import { NavigationConsent } from './navigation-consent.ts'
import type { Session } from './session.ts'

type OpenHandler = (details: {
  url: string
  frameName: string
  features: string
  disposition: string
  referrer: { url: string; policy: string }
}) => { action: 'deny' | 'allow' }

interface Load {
  url: string
  resolve(): void
  reject(error: Error): void
}

/** Levels of console messages, in Electron's order. */
const LEVELS = ['debug', 'info', 'warning', 'error']

const byId = new Map<number, WebContents>()
let lastId = 0

function loadError(code: string, url: string): Error {
  return Object.assign(new Error(`${code} loading '${url}'`), { code, url })
}

export class WebContents extends EventEmitter {
  readonly id = ++lastId
  readonly session: Session
  readonly ipc = new IpcMain()
  readonly #options: PageOptions
  readonly #consent = new NavigationConsent(this)
  #opening: Promise<PageTarget> | null
  #page: PageTarget | null = null
  #url = ''
  #title = ''
  #load: Load | null = null
  #loading = false
  #crashed = false
  #destroyed = false
  #muted = false
  #zoom = 1
  #openHandler: OpenHandler | null = null

  constructor(options: PageOptions) {
    super()
    this.#options = options
    this.session = options.session
    byId.set(this.id, this)
    this.#opening = this.#open()
    this.#opening.catch((error: unknown) => {
      if (!this.#destroyed) process.stderr.write(`${String(error)}\n`)
    })
  }

  get targetId(): string | null {
    return this.#page?.id ?? null
  }

  get mainFrame() {
    const send = (channel: string, ...args: unknown[]): void => this.send(channel, ...args)
    return { ...frameOf(this, this.#url), send }
  }

  ownsFrame(frameId: string): boolean {
    return this.#page?.ownsFrame(frameId) ?? false
  }

  isMainFrame(frameId: string): boolean {
    return this.targetId === frameId
  }

  allowsNavigation(frameId: string, url: string): boolean {
    return this.#consent.allows(frameId, url, this.isMainFrame(frameId))
  }

  async #open(): Promise<PageTarget> {
    const page = await PageTarget.open(this.#options, this.#events())
    if (this.#destroyed) {
      await browser.closeTarget(page.id)
      throw loadError('ERR_ABORTED', this.#url)
    }
    this.#page = page
    this.#crashed = false
    return page
  }

  #events(): PageTargetEvents {
    return {
      onInvoke: (document, channel, args) => dispatchInvoke(this, document, channel, args),
      onSend: (document, channel, args, ports) =>
        dispatchSend(this, document, channel, args, ports),
      onSignal: (name, detail) => this.#signalled(name, detail),
      onNavigated: (url) => {
        this.#url = origins.fromChromium(url)
        this.emit('did-navigate', {}, this.#url, 200, 'OK')
      },
      onNavigatedWithin: (url) => {
        this.#url = origins.fromChromium(url)
        this.emit('did-navigate-in-page', {}, this.#url, true)
      },
      onWish: (frameId, url) => {
        this.#consent.wish(frameId, url)
        // Navigations that make no request would never be asked about.
        if (/^(about|blob|data|javascript|filesystem):/.test(url)) {
          if (!this.allowsNavigation(frameId, url)) this.stop()
        }
      },
      onDomReady: () => this.emit('dom-ready', {}),
      onLoaded: () => this.#loaded(),
      onWindowOpen: (url, frameName, features) => this.#windowOpen(url, frameName, features),
      onConsole: (type, message) => {
        const level = LEVELS.includes(type) ? type : 'info'
        const details = { message, level, lineNumber: 0, sourceId: '', frame: this.mainFrame }
        this.emit('console-message', details, LEVELS.indexOf(level), message, 0, '')
      },
      onCrashed: () => this.gone('crashed'),
    }
  }

  #signalled(name: string, detail: string): void {
    switch (name) {
      case 'preload-error':
        this.emit('preload-error', {}, this.#options.preload, new Error(detail))
        process.stderr.write(`Unable to load preload script: ${detail}\n`)
        return
      case 'title':
        this.#title = detail
        this.emit('page-title-updated', {}, detail, true)
        return
      default:
        this.emit(`page-${name}`)
    }
  }

  #windowOpen(address: string, frameName: string, features: string): void {
    const answer = this.#openHandler?.({
      url: origins.fromChromium(address),
      frameName,
      features,
      disposition: 'new-window',
      referrer: { url: this.#url, policy: '' },
    })
    if (answer?.action !== 'deny') {
      process.stderr.write(`${notSupported('Opening windows from a page').message}; denied\n`)
    }
  }

  setWindowOpenHandler(handler: OpenHandler): void {
    this.#openHandler = handler
  }

  /** Runs a DevTools command on the page; waits for its target, and opens one if it was lost. */
  async command(method: string, params: CdpParams = {}): Promise<CdpParams> {
    if (this.#destroyed) throw new TypeError('Object has been destroyed')
    const page = await (this.#opening ??= this.#open())
    return page.send(method, params)
  }

  /** Changes what the target shows, where there is one. */
  withPage(change: (page: PageTarget) => void): void {
    void this.#opening?.then(change, () => {})
  }

  loadURL(url: string): Promise<void> {
    const loaded = this.#navigate(url)
    // As in Electron: whoever does not wait for the page is not ended by its failure.
    loaded.catch(() => {})
    return loaded
  }

  async #navigate(url: string): Promise<void> {
    this.#load?.reject(loadError('ERR_ABORTED', this.#load.url))
    this.#consent.clear()
    const loaded = new Promise<void>((resolve, reject) => {
      this.#load = { url, resolve, reject }
    })
    loaded.catch(() => {})
    this.#loading = true
    this.#url = url
    this.session.attend(url)
    this.emit('did-start-loading')
    this.emit('did-start-navigation', { url, isMainFrame: true, isSameDocument: false }, url)
    try {
      const address = origins.toChromium(url, this.session.label)
      const result = await this.command('Page.navigate', { url: address })
      if (typeof result['errorText'] === 'string') {
        throw loadError(result['errorText'].replace(/^net::/, ''), url)
      }
      if (result['loaderId'] === undefined) this.#loaded() // Only the fragment changed.
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)))
    }
    return loaded
  }

  loadFile(
    path: string,
    options: { query?: Record<string, string>; hash?: string } = {},
  ): Promise<void> {
    const url = pathToFileURL(path)
    for (const [key, value] of Object.entries(options.query ?? {})) url.searchParams.set(key, value)
    if (options.hash !== undefined) url.hash = options.hash
    return this.loadURL(url.href)
  }

  reload(): void {
    if (this.#page === null) void this.loadURL(this.#url).catch(() => {})
    else {
      this.#loading = true
      this.#page.post('Page.reload')
    }
  }

  reloadIgnoringCache(): void {
    this.reload()
  }

  stop(): void {
    this.#page?.post('Page.stopLoading')
  }

  #loaded(): void {
    this.#loading = false
    const load = this.#load
    this.#load = null
    this.emit('did-stop-loading')
    this.emit('did-finish-load')
    void this.session.settlePermissions(this, this.#url)
    load?.resolve()
  }

  #failed(error: Error): void {
    this.#loading = false
    const load = this.#load
    this.#load = null
    const code = (error as { code?: string }).code ?? 'ERR_FAILED'
    this.emit('did-stop-loading')
    this.emit('did-fail-load', {}, -2, code, load?.url ?? this.#url, true)
    load?.reject(error)
  }

  send(channel: string, ...args: unknown[]): void {
    this.#page?.link.message(channel, args)
  }

  postMessage(channel: string, message: unknown, transfer: MessagePortMain[] = []): void {
    this.#page?.link.post(channel, message, transfer)
  }

  async executeJavaScript(code: string, userGesture = false): Promise<unknown> {
    const answer = await this.command('Runtime.evaluate', {
      expression: code,
      awaitPromise: true,
      returnByValue: true,
      userGesture,
    })
    const exception = answer['exceptionDetails'] as
      { text: string; exception?: { description?: string } } | undefined
    if (exception !== undefined) {
      throw new Error(exception.exception?.description ?? exception.text)
    }
    return (answer['result'] as { value?: unknown }).value
  }

  getURL(): string {
    return this.#url
  }

  getTitle(): string {
    return this.#title
  }

  getType(): 'window' {
    return 'window'
  }

  isLoading(): boolean {
    return this.#loading
  }

  isLoadingMainFrame(): boolean {
    return this.#loading
  }

  isCrashed(): boolean {
    return this.#crashed
  }

  isDestroyed(): boolean {
    return this.#destroyed
  }

  focus(): void {
    this.withPage((page) => page.post('Page.bringToFront'))
  }

  setAudioMuted(muted: boolean): void {
    this.#muted = muted
  }

  isAudioMuted(): boolean {
    return this.#muted
  }

  get zoomFactor(): number {
    return this.#zoom
  }

  set zoomFactor(factor: number) {
    this.setZoomFactor(factor)
  }

  getZoomFactor(): number {
    return this.#zoom
  }

  setZoomFactor(factor: number): void {
    this.#zoom = factor
    const expression = `document.documentElement.style.zoom = ${String(factor)}`
    this.withPage((page) => page.post('Runtime.evaluate', { expression }))
  }

  // There are no developer tools beside the page, and no throttling to set.
  openDevTools(): void {}
  closeDevTools(): void {}
  isDevToolsOpened(): boolean {
    return false
  }
  setBackgroundThrottling(): void {}
  setVisualZoomLevelLimits(): Promise<void> {
    return Promise.resolve()
  }

  /** Ends the page's renderer, as a crash would. */
  forcefullyCrashRenderer(): void {
    this.#page?.post('Page.crash')
  }

  #letGo(): void {
    this.#page?.link.close()
    this.#page = null
    this.#opening = null
    if (this.#load !== null) this.#failed(loadError('ERR_FAILED', this.#load.url))
  }

  /** Chromium or the renderer is gone. The next load opens a new target. */
  gone(reason: 'crashed' | 'killed'): void {
    const { targetId } = this
    if (targetId === null) return
    this.#crashed = true
    this.#letGo()
    if (reason === 'crashed') void browser.closeTarget(targetId)
    const details = { reason, exitCode: reason === 'killed' ? 9 : 5 }
    this.emit('render-process-gone', {}, details)
    this.emit('-gone', details)
  }

  /** The page or the person closed it in Chromium, which asks nobody: ask now. */
  closedByPage(): void {
    this.#letGo()
    this.close()
  }

  close(): void {
    if (this.listenerCount('-close') > 0) this.emit('-close')
    else this.destroy()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    byId.delete(this.id)
    const { targetId } = this
    this.#page?.link.close()
    this.#page = null
    this.#load?.reject(loadError('ERR_ABORTED', this.#load.url))
    this.#load = null
    if (targetId !== null) void browser.closeTarget(targetId)
    this.emit('destroyed')
  }

  static getAllWebContents(): WebContents[] {
    return [...byId.values()]
  }

  static fromId(id: number): WebContents | undefined {
    return byId.get(id)
  }

  static fromDevToolsTargetId(targetId: string): WebContents | undefined {
    return WebContents.getAllWebContents().find((contents) => contents.targetId === targetId)
  }
}

fenceClass('webContents', WebContents.prototype)

browserEvents.onBrowserGone = () => {
  for (const contents of WebContents.getAllWebContents()) contents.gone('killed')
}

browserEvents.onTargetGone = (targetId) => {
  WebContents.fromDevToolsTargetId(targetId)?.closedByPage()
}
