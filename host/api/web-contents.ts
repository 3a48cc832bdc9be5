/**
 * `webContents`: one page of the app. Owns its target, its navigation and its IPC; a target
 * lost to a crash is replaced at the next load. Knows nothing of windows.
 */
import { EventEmitter } from 'node:events'
import { readFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import type { Target } from '../browser.ts'
import type { CdpParams } from '../cdp.ts'
import { browser, browserEvents, environment, origins } from '../environment.ts'
import { fenceClass, notSupported } from '../host-error.ts'
import { type PageDocument, PageLink } from '../page-link.ts'
import { pageProcess } from '../page-process.ts'
import { IpcMain, type IpcEvent, ipcMain, type SenderFrame } from './ipc-main.ts'
import type { MessagePortMain } from './message-port.ts'
import { mediaFeatures } from './native-theme.ts'
import { originOf, type Session } from './session.ts'

export interface WebContentsOptions {
  session: Session
  preload: string | null
  additionalArguments: string[]
  /** A page that is never to be seen: a target without a window. */
  hidden: boolean
  width: number
  height: number
}

type OpenHandler = (details: {
  url: string
  frameName: string
  features: string
  disposition: string
  referrer: { url: string; policy: string }
}) => { action: 'deny' | 'allow' }

const NOTICE = ' — Development shell, not sandboxed'

const byId = new Map<number, WebContents>()
let lastId = 0

interface Load {
  url: string
  resolve(): void
  reject(error: Error): void
}

function loadError(code: string, url: string): Error {
  return Object.assign(new Error(`${code} loading '${url}'`), { code, url })
}

export class WebContents extends EventEmitter {
  readonly id = ++lastId
  readonly session: Session
  readonly ipc = new IpcMain()
  readonly #options: WebContentsOptions
  #target: Promise<Target> | null = null
  #live: Target | null = null
  #link: PageLink | null = null
  #url = ''
  #title = ''
  #load: Load | null = null
  #loading = false
  #crashed = false
  #destroyed = false
  #muted = false
  #zoom = 1
  #openHandler: OpenHandler | null = null
  /** Navigations that the page asked for and the request filter has not judged yet. */
  readonly #asked = new Set<string>()
  readonly #frames = new Set<string>()

  constructor(options: WebContentsOptions) {
    super()
    this.#options = options
    this.session = options.session
    byId.set(this.id, this)
    this.#target = this.#open()
    this.#target.catch((error: unknown) => {
      process.stderr.write(`${String(error)}\n`)
    })
  }

  get targetId(): string | null {
    return this.#live?.targetId ?? null
  }

  ownsFrame(frameId: string): boolean {
    return this.#frames.has(frameId)
  }

  isMainFrame(frameId: string): boolean {
    return this.#live?.targetId === frameId
  }

  async #open(): Promise<Target> {
    const { hidden, width, height } = this.#options
    const target = await browser.openTarget(
      { hidden, width, height },
      this.session.isPersistent() ? null : this.session.partition,
    )
    if (this.#destroyed) {
      await browser.closeTarget(target.targetId)
      throw loadError('ERR_ABORTED', '')
    }
    this.#live = target
    this.#crashed = false
    this.#frames.clear()
    this.#frames.add(target.targetId)
    await this.#attend(target)
    return target
  }

  async #attend({ session, targetId }: Target): Promise<void> {
    const preload = this.#options.preload
    this.#link = new PageLink(
      session,
      targetId,
      {
        titleSuffix: environment.sandbox ? '' : NOTICE,
        process: pageProcess(this.#options.additionalArguments),
      },
      {
        onInvoke: (document, channel, args) => this.#invoked(document, channel, args),
        onSend: (document, channel, args, ports) => this.#sent(document, channel, args, ports),
        onSignal: (name, detail) => this.#signalled(name, detail),
      },
    )
    session.on('Page.frameAttached', (p) => this.#frames.add(String(p['frameId'])))
    session.on('Page.frameRequestedNavigation', (p) => this.#requested(p))
    session.on('Page.frameNavigated', (p) => this.#navigated(p))
    session.on('Page.navigatedWithinDocument', (p) => {
      if (p['frameId'] !== targetId) return
      this.#url = origins.fromChromium(String(p['url']))
      this.emit('did-navigate-in-page', {}, this.#url, true)
    })
    session.on('Page.domContentEventFired', () => this.emit('dom-ready', {}))
    session.on('Page.loadEventFired', () => this.#loaded())
    session.on('Page.windowOpen', (p) => this.#windowOpen(p))
    session.on('Page.javascriptDialogOpening', () => {
      if (environment.headless) session.post('Page.handleJavaScriptDialog', { accept: false })
    })
    session.on('Inspector.targetCrashed', () => this.gone('crashed'))
    session.on('Runtime.consoleAPICalled', (p) => this.#console(p))
    const installed = this.#link.install(preload === null ? null : readFileSync(preload, 'utf8'))
    session.post('Inspector.enable')
    session.post('Emulation.setEmulatedMedia', { features: mediaFeatures() })
    if (environment.headless && !this.#options.hidden) {
      const { width, height } = this.#options
      session.post('Emulation.setDeviceMetricsOverride', {
        width,
        height,
        deviceScaleFactor: 0,
        mobile: false,
      })
    }
    session.post('Runtime.runIfWaitingForDebugger')
    await installed
  }

  /** Runs a DevTools command on the page; waits for its target. */
  async command(method: string, params: CdpParams = {}): Promise<CdpParams> {
    if (this.#destroyed) throw new TypeError('Object has been destroyed')
    const target = await (this.#target ??= this.#open())
    return target.session.send(method, params)
  }

  /** As `command`, where a failure or a lost page does not matter. */
  tell(method: string, params: CdpParams = {}): void {
    if (this.#target === null || this.#destroyed) return
    this.command(method, params).catch(() => {})
  }

  async loadURL(url: string): Promise<void> {
    this.#load?.reject(loadError('ERR_ABORTED', this.#load.url))
    this.#asked.clear()
    const loaded = new Promise<void>((resolve, reject) => {
      this.#load = { url, resolve, reject }
    })
    loaded.catch(() => {})
    this.#loading = true
    this.#url = url
    this.emit('did-start-loading')
    this.emit('did-start-navigation', { url, isMainFrame: true, isSameDocument: false }, url)
    const chromium = origins.toChromium(url, this.session.label)
    this.session.attend(url, (origin) =>
      this.command('Storage.clearDataForOrigin', { origin, storageTypes: 'all' }).then(() => {}),
    )
    try {
      const result = await this.command('Page.navigate', { url: chromium })
      if (typeof result['errorText'] === 'string') {
        throw loadError(result['errorText'].replace(/^net::/, ''), url)
      }
      if (result['loaderId'] === undefined) this.#loaded() // Same document: only the hash changed.
    } catch (error) {
      this.#failed(error instanceof Error ? error : new Error(String(error)))
    }
    return loaded
  }

  loadFile(path: string, options: { query?: Record<string, string>; hash?: string } = {}) {
    const url = pathToFileURL(path)
    for (const [key, value] of Object.entries(options.query ?? {})) url.searchParams.set(key, value)
    if (options.hash !== undefined) url.hash = options.hash
    return this.loadURL(url.href)
  }

  reload(): void {
    if (this.#live === null) void this.loadURL(this.#url).catch(() => {})
    else {
      this.#loading = true
      this.tell('Page.reload')
    }
  }

  reloadIgnoringCache(): void {
    this.reload()
  }

  stop(): void {
    this.tell('Page.stopLoading')
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
    this.emit('did-fail-load', {}, -2, code, load?.url ?? this.#url, true)
    load?.reject(error)
  }

  #navigated(params: CdpParams): void {
    const frame = params['frame'] as {
      id: string
      url: string
      urlFragment?: string
      unreachableUrl?: string
    }
    this.#frames.add(frame.id)
    if (frame.id !== this.#live?.targetId || frame.unreachableUrl !== undefined) return
    this.#url = origins.fromChromium(frame.url + (frame.urlFragment ?? ''))
    this.emit('did-navigate', {}, this.#url, 200, 'OK')
  }

  #requested(params: CdpParams): void {
    if (params['frameId'] !== this.#live?.targetId) return
    const url = String(params['url'])
    this.#asked.add(url)
    // Requests that never reach the network are not seen by the filter.
    if (/^(about|blob|data|javascript|filesystem):/.test(url) && !this.allowsNavigation(url)) {
      this.tell('Page.stopLoading')
    }
  }

  /** Whether the page may go where it asked; also consumes the question. */
  allowsNavigation(url: string): boolean {
    if (!this.#asked.delete(url)) return true
    let prevented = false
    const seen = origins.fromChromium(url)
    const details = {
      url: seen,
      isSameDocument: false,
      isMainFrame: true,
      preventDefault: () => {
        prevented = true
      },
      get defaultPrevented() {
        return prevented
      },
    }
    this.emit('will-navigate', details, seen, false, true)
    this.emit('will-frame-navigate', details)
    return !prevented
  }

  #windowOpen(params: CdpParams): void {
    const url = origins.fromChromium(String(params['url']))
    const features = params['windowFeatures'] as string[]
    const answer = this.#openHandler?.({
      url,
      frameName: String(params['windowName']),
      features: features.join(','),
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

  #console(params: CdpParams): void {
    const args = params['args'] as { value?: unknown; description?: string }[]
    const message = args
      .map((arg) =>
        typeof arg.value === 'string' ? arg.value : (arg.description ?? String(arg.value)),
      )
      .join(' ')
    const levels: Record<string, string> = { error: 'error', warning: 'warning', debug: 'debug' }
    const level = levels[String(params['type'])] ?? 'info'
    const details = { message, level, lineNumber: 0, sourceId: '', frame: this.mainFrame }
    this.emit(
      'console-message',
      details,
      ['debug', 'info', 'warning', 'error'].indexOf(level),
      message,
    )
  }

  #signalled(name: string, detail: string): void {
    if (name === 'preload-error') {
      this.emit('preload-error', {}, this.#options.preload, new Error(detail))
      process.stderr.write(`Unable to load preload script: ${detail}\n`)
    } else if (name === 'title') {
      this.#title = detail
      this.emit('page-title', detail)
      this.emit('page-title-updated', {}, detail, true)
    } else this.emit(`page-${name}`)
  }

  get mainFrame() {
    return this.#frameOf(this.#url)
  }

  #frameOf(url: string): SenderFrame & { send(channel: string, ...args: unknown[]): void } {
    return {
      url,
      origin: originOf(url),
      name: '',
      parent: null,
      routingId: this.id,
      processId: this.id,
      isDestroyed: () => this.#destroyed,
      send: (channel, ...args) => this.send(channel, ...args),
    }
  }

  #event(document: PageDocument, ports: MessagePortMain[]): IpcEvent {
    return {
      type: 'frame',
      sender: this,
      senderFrame: this.#frameOf(origins.fromChromium(document.url)),
      frameId: this.id,
      processId: this.id,
      ports,
      reply: (channel, ...args) => this.send(channel, ...args),
    }
  }

  async #invoked(document: PageDocument, channel: string, args: unknown[]): Promise<unknown> {
    const handler = this.ipc.handlerOf(channel) ?? ipcMain.handlerOf(channel)
    if (handler === undefined) throw new Error(`No handler registered for '${channel}'`)
    return handler(this.#event(document, []), ...args)
  }

  #sent(document: PageDocument, channel: string, args: unknown[], ports: MessagePortMain[]): void {
    const event = this.#event(document, ports)
    this.emit('ipc-message', event, channel, ...args)
    this.ipc.emit(channel, event, ...args)
    ipcMain.emit(channel, event, ...args)
  }

  send(channel: string, ...args: unknown[]): void {
    this.#link?.message(channel, args)
  }

  postMessage(channel: string, message: unknown, transfer: MessagePortMain[] = []): void {
    this.#link?.post(channel, message, transfer)
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

  async insertCSS(css: string): Promise<string> {
    const sheet = `{const s=document.createElement('style');s.textContent=${JSON.stringify(css)};document.head.append(s)}`
    await this.executeJavaScript(sheet)
    return ''
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
    this.tell('Page.bringToFront')
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
    this.tell('Runtime.evaluate', {
      expression: `document.documentElement.style.zoom = ${String(factor)}`,
    })
  }

  openDevTools(): void {}
  closeDevTools(): void {}
  isDevToolsOpened(): boolean {
    return false
  }

  setBackgroundThrottling(): void {}
  setVisualZoomLevelLimits(): Promise<void> {
    return Promise.resolve()
  }

  getOSProcessId(): number {
    return 0
  }

  /** Ends the page's renderer, as a crash would. */
  forcefullyCrashRenderer(): void {
    this.tell('Page.crash')
  }

  #letGo(): void {
    this.#link?.close()
    this.#link = null
    this.#live = null
    this.#target = null
    if (this.#load !== null) this.#failed(loadError('ERR_FAILED', this.#load.url))
  }

  /** Chromium or the renderer is gone. The next load opens a new target. */
  gone(reason: 'crashed' | 'killed'): void {
    if (this.#live === null) return
    const { targetId } = this.#live
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
    const targetId = this.targetId
    this.#link?.close()
    this.#link = null
    this.#live = null
    byId.delete(this.id)
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

  static getFocusedWebContents(): WebContents | null {
    return null
  }
}

fenceClass('webContents', WebContents.prototype)

browserEvents.onBrowserGone = () => {
  for (const contents of WebContents.getAllWebContents()) contents.gone('killed')
}

browserEvents.onTargetGone = (targetId) => {
  WebContents.fromDevToolsTargetId(targetId)?.closedByPage()
}
