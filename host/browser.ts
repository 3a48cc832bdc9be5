/**
 * The running Chromium as the host sees it: started on first need, started anew after it died,
 * its targets handed to whoever opened them. Knows nothing of Electron's objects.
 */
import { spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { type CdpConnection, CdpError, type CdpParams, type CdpSession } from './cdp.ts'
import {
  type Chromium,
  type ChromiumOptions,
  SPARE_PAGE,
  startChromium,
} from './chromium-process.ts'
import { HostError } from './host-error.ts'

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
  /** A target that `openTarget` made is gone, while Chromium lives on. */
  onTargetGone(targetId: string): void
  onBrowserGone(): void
  /** Chromium's sandbox does not work on this system; the options must say so from now on. */
  onNoSandbox(): void
}

export interface WantedTarget {
  hidden: boolean
  width: number
  height: number
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
  /** Resolvers by the address with which an app window opens. */
  readonly #expected = new Map<string, (targetId: string) => void>()
  #spare: Promise<string> | null = null
  /** The spare page while a window takes it. */
  #adopting: Promise<string> | null = null
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
    const chromium = await startChromium(this.#options()).catch((error: unknown) => {
      if (!(error instanceof HostError) || error.code !== 'no_sandbox') throw error
      this.#events.onNoSandbox()
      return startChromium(this.#options())
    })
    const { browser } = chromium.connection
    browser.on('Target.attachedToTarget', (params) => this.#attached(chromium, params))
    browser.on('Target.detachedFromTarget', (params) => {
      const sessionId = String(params['sessionId'])
      chromium.connection.drop(sessionId)
      for (const [targetId, id] of this.#sessions) {
        if (id !== sessionId) continue
        this.#sessions.delete(targetId)
        void this.#spare?.then((spare) => {
          if (spare === targetId) this.#spare = null
        })
        this.#events.onTargetGone(targetId)
      }
    })
    browser.on('Fetch.requestPaused', (params) => {
      this.#events.onRequest(params as unknown as PausedRequest, browser)
    })
    chromium.connection.onClose(() => {
      this.#sessions.clear()
      this.#contexts.clear()
      this.#spare = null
      this.#adopting = null
      this.#running = null
      chromium.process.kill('SIGKILL')
      if (!this.#stopping) this.#events.onBrowserGone()
    })
    // Playwright takes downloads over; elsewhere they have nowhere to go.
    if (this.#options().debuggingPort === null) {
      browser.post('Browser.setDownloadBehavior', { behavior: 'deny' })
    }
    const prepared = Promise.all([
      browser.send('Fetch.enable', { patterns: [{ urlPattern: '*' }] }),
      browser.send('Target.setAutoAttach', {
        autoAttach: true,
        waitForDebuggerOnStart: true,
        flatten: true,
        filter: [{ type: 'page' }, { exclude: true }],
      }),
    ])
    // With a display Chromium opens the spare page by itself: see its command line.
    this.#spare = this.#options().headless
      ? this.#openSpare(chromium)
      : this.#byUrl(chromium.connection, SPARE_PAGE)
    this.#spare.catch(() => {})
    await prepared
    return chromium
  }

  #attached(chromium: Chromium, params: CdpParams): void {
    const sessionId = String(params['sessionId'])
    const info = params['targetInfo'] as {
      targetId: string
      url: string
      openerId?: string
    }
    const session = chromium.connection.session(sessionId)
    if (info.openerId !== undefined) {
      // Closing a target that still waits for its debugger hangs: resume first.
      session.post('Runtime.runIfWaitingForDebugger')
      chromium.connection.browser.post('Target.closeTarget', { targetId: info.targetId })
      return
    }
    this.#sessions.set(info.targetId, sessionId)
    this.#waiting.get(info.targetId)?.(sessionId)
    this.#waiting.delete(info.targetId)
    this.#expected.get(info.url)?.(info.targetId)
    this.#expected.delete(info.url)
  }

  /**
   * Opens a blank page. Hidden ones are targets without a window. With `partition`, in a
   * context of that name kept in memory only.
   */
  async openTarget(wanted: WantedTarget, partition: string | null): Promise<Target> {
    const chromium = await this.start()
    const { connection } = chromium
    let targetId: string
    if (wanted.hidden) {
      // Chromium refuses hidden targets while it has no other.
      if (this.#sessions.size === 0) {
        await (this.#adopting ?? (this.#spare ??= this.#openSpare(chromium)))
      }
      targetId = await this.#create(connection, { hidden: true }, partition)
      // They are of another type than pages and are not attached on their own.
      const attach = { targetId, flatten: true }
      const attached = await connection.browser.send('Target.attachToTarget', attach)
      this.#sessions.set(targetId, String(attached['sessionId']))
    } else if (partition === null && this.#spare !== null) {
      this.#adopting = this.#spare
      this.#spare = null
      targetId = await this.#adopting
      this.#adopting = null
    } else if (partition === null && !this.#options().headless) {
      targetId = await this.#openAppWindow(chromium, wanted)
    } else {
      const { width, height } = wanted
      targetId = await this.#create(connection, { newWindow: true, width, height }, partition)
    }
    const sessionId = this.#sessions.get(targetId) ?? (await this.#attachment(connection, targetId))
    return { targetId, session: connection.session(sessionId) }
  }

  async #create(
    connection: CdpConnection,
    params: CdpParams,
    partition: string | null,
  ): Promise<string> {
    const context =
      partition === null
        ? {}
        : { browserContextId: await this.#context(connection.browser, partition) }
    const all = { url: 'about:blank', ...context, ...params }
    return String((await connection.browser.send('Target.createTarget', all))['targetId'])
  }

  /**
   * Opened with Chromium itself, for the first window to take: that saves a tenth of a second,
   * and hidden targets need some other target to exist.
   */
  async #openSpare(chromium: Chromium): Promise<string> {
    const targetId = this.#options().headless
      ? await this.#create(chromium.connection, { newWindow: true }, null)
      : await this.#openAppWindow(chromium, { hidden: false, width: 800, height: 600 })
    const session = this.#sessions.get(targetId)
    if (session !== undefined) {
      chromium.connection.session(session).post('Runtime.runIfWaitingForDebugger')
    }
    return targetId
  }

  /** Chromium opens windows without tabs and address bar by command line alone. */
  async #openAppWindow(chromium: Chromium, { width, height }: WantedTarget): Promise<string> {
    const page = `data:text/html,${randomUUID()}`
    const opened = this.#byUrl(chromium.connection, page)
    spawn(
      chromium.path,
      [
        `--user-data-dir=${this.#options().profile}`,
        `--app=${page}`,
        `--window-size=${String(width)},${String(height)}`,
        ...(this.#options().sandbox ? [] : ['--no-sandbox']),
      ],
      { stdio: 'ignore' },
    )
    return opened
  }

  #byUrl(connection: CdpConnection, url: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#expected.set(url, resolve)
      connection.onClose(() => reject(new CdpError('closed', 'Chromium is gone')))
    })
  }

  #attachment(connection: CdpConnection, targetId: string): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#waiting.set(targetId, resolve)
      connection.onClose(() => reject(new CdpError('closed', 'Chromium is gone')))
    })
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
