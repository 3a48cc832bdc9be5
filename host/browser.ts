/**
 * The running Chromium as the host sees it: started on first need, started anew after it died,
 * its targets handed to whoever opened them. Knows nothing of Electron's objects.
 */
import { type CdpConnection, CdpError, type CdpParams, type CdpSession } from './cdp.ts'
import { type Chromium, type ChromiumOptions, startChromium } from './chromium-process.ts'

export interface PausedRequest {
  requestId: string
  frameId: string
  resourceType: string
  request: {
    url: string
    method: string
    headers: Record<string, string>
    postData?: string
    hasPostData?: boolean
    postDataEntries?: { bytes?: string }[]
  }
}

export interface BrowserEvents {
  /** Every request of every page, worker and popup waits here until it is answered. */
  onRequest(request: PausedRequest, browser: CdpSession): void
  /** A page opened a window. It is closed right away. */
  onPopup(openerId: string): void
  /** A target that `openTarget` made is gone, while Chromium lives on. */
  onTargetGone(targetId: string): void
  onBrowserGone(): void
}

export interface Target {
  targetId: string
  session: CdpSession
}

export class Browser {
  readonly #options: () => ChromiumOptions
  readonly #events: BrowserEvents
  readonly #sessions = new Map<string, string>()
  readonly #waiting = new Map<string, (sessionId: string) => void>()
  readonly #contexts = new Map<string, Promise<string>>()
  #running: Promise<Chromium> | null = null
  #stopping = false

  constructor(options: () => ChromiumOptions, events: BrowserEvents) {
    this.#options = options
    this.#events = events
  }

  /** Starts Chromium unless it runs. Rejects with HostError. */
  start(): Promise<Chromium> {
    if (this.#running === null) {
      const running = this.#start()
      this.#running = running
      running.catch(() => {
        if (this.#running === running) this.#running = null
      })
    }
    return this.#running
  }

  async #start(): Promise<Chromium> {
    const chromium = await startChromium(this.#options())
    const { browser } = chromium.connection
    browser.on('Target.attachedToTarget', (params) => this.#attached(chromium, params))
    browser.on('Target.detachedFromTarget', (params) => {
      const sessionId = String(params['sessionId'])
      chromium.connection.drop(sessionId)
      for (const [targetId, id] of this.#sessions) {
        if (id !== sessionId) continue
        this.#sessions.delete(targetId)
        this.#events.onTargetGone(targetId)
      }
    })
    browser.on('Fetch.requestPaused', (params) => {
      this.#events.onRequest(params as unknown as PausedRequest, browser)
    })
    chromium.connection.onClose(() => {
      this.#sessions.clear()
      this.#contexts.clear()
      this.#running = null
      chromium.process.kill('SIGKILL')
      if (!this.#stopping) this.#events.onBrowserGone()
    })
    await Promise.all([
      browser.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] }),
      browser.send('Target.setAutoAttach', {
        autoAttach: true,
        waitForDebuggerOnStart: true,
        flatten: true,
        filter: [{ type: 'page' }, { exclude: true }],
      }),
    ])
    return chromium
  }

  #attached(chromium: Chromium, params: CdpParams): void {
    const sessionId = String(params['sessionId'])
    const info = params['targetInfo'] as { targetId: string; openerId?: string }
    const session = chromium.connection.session(sessionId)
    if (info.openerId !== undefined) {
      // Closing a target that still waits for its debugger hangs: resume first.
      session.post('Runtime.runIfWaitingForDebugger')
      chromium.connection.browser.post('Target.closeTarget', { targetId: info.targetId })
      this.#events.onPopup(info.openerId)
      return
    }
    this.#sessions.set(info.targetId, sessionId)
    this.#waiting.get(info.targetId)?.(sessionId)
  }

  /** Opens a blank page. With `partition`, in a context of that name kept in memory only. */
  async openTarget(params: CdpParams, partition: string | null): Promise<Target> {
    const { connection } = await this.start()
    const context =
      partition === null
        ? {}
        : { browserContextId: await this.#context(connection.browser, partition) }
    const created = await connection.browser.send('Target.createTarget', {
      url: 'about:blank',
      ...context,
      ...params,
    })
    const targetId = String(created['targetId'])
    const sessionId =
      this.#sessions.get(targetId) ?? (await this.#sessionOf(connection, targetId, params))
    return { targetId, session: connection.session(sessionId) }
  }

  async #sessionOf(
    connection: CdpConnection,
    targetId: string,
    params: CdpParams,
  ): Promise<string> {
    if (params['hidden'] === true) {
      // Hidden targets are of another type than pages and are not attached on their own.
      const attach = { targetId, flatten: true }
      const attached = await connection.browser.send('Target.attachToTarget', attach)
      const sessionId = String(attached['sessionId'])
      this.#sessions.set(targetId, sessionId)
      return sessionId
    }
    const sessionId = await new Promise<string>((resolve, reject) => {
      this.#waiting.set(targetId, resolve)
      connection.onClose(() => reject(new CdpError('closed', 'Chromium is gone')))
    })
    this.#waiting.delete(targetId)
    return sessionId
  }

  #context(browser: CdpSession, partition: string): Promise<string> {
    let context = this.#contexts.get(partition)
    if (context === undefined) {
      context = browser
        .send('Target.createBrowserContext', { disposeOnDetach: true })
        .then((result) => String(result['browserContextId']))
      this.#contexts.set(partition, context)
    }
    return context
  }

  /** Closes a target that `openTarget` made; `onTargetGone` is not called for it. */
  async closeTarget(targetId: string): Promise<void> {
    this.#sessions.delete(targetId)
    const chromium = await this.#running
    await chromium?.connection.browser.send('Target.closeTarget', { targetId }).catch(() => {})
  }

  /** Runs a command of the browser's own session. */
  async send(method: string, params: CdpParams = {}): Promise<CdpParams> {
    const { connection } = await this.start()
    return connection.browser.send(method, params)
  }

  /** Closes Chromium in order, by force after three seconds. */
  async stop(): Promise<void> {
    this.#stopping = true
    const chromium = await this.#running?.catch(() => null)
    if (chromium === null || chromium === undefined) return
    chromium.connection.browser.post('Browser.close')
    const timer = setTimeout(() => chromium.process.kill('SIGKILL'), 3000)
    await chromium.exited
    clearTimeout(timer)
  }
}
