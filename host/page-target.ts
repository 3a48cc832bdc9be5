/**
 * The Chromium target behind one page of the app: opens it, installs the preload, shows the
 * theme and tells its owner what happens. Lives as long as the target; a successor is a new one.
 */
import { readFileSync } from 'node:fs'
import { mediaFeatures } from './api/native-theme.ts'
import type { Session } from './api/session.ts'
import type { Target } from './browser.ts'
import type { CdpParams, CdpSession } from './cdp.ts'
import { browser, environment } from './environment.ts'
import type { PageConfig } from './page/dom.ts'
import { PageLink, type PageLinkEvents } from './page-link.ts'

export interface PageOptions {
  session: Session
  preload: string | null
  additionalArguments: string[]
  /** A page that is never to be seen: a target without a window. */
  hidden: boolean
  width: number
  height: number
}

/** Addresses here are Chromium's, not the app's. */
export interface PageTargetEvents extends PageLinkEvents {
  onNavigated(url: string): void
  onNavigatedWithin(url: string): void
  /** The page itself asked for a navigation that a request may follow. */
  onWish(frameId: string, url: string): void
  onDomReady(): void
  onLoaded(): void
  onWindowOpen(url: string, frameName: string, features: string): void
  onConsole(level: string, message: string): void
  onCrashed(): void
}

const NOTICE = ' — Development shell, not sandboxed'

/** The `process` object of a sandboxed preload. */
function preloadProcess(additionalArguments: string[]): PageConfig['process'] {
  const versions: Record<string, string> = {}
  for (const [name, version] of Object.entries(process.versions)) {
    if (version !== undefined) versions[name] = version
  }
  const mode = process.env['NODE_ENV']
  return {
    platform: process.platform,
    arch: process.arch,
    versions,
    argv: [process.execPath, ...additionalArguments],
    env: mode === undefined ? {} : { NODE_ENV: mode },
  }
}

export class PageTarget {
  readonly id: string
  readonly link: PageLink
  readonly #session: CdpSession
  readonly #frames = new Set<string>()

  private constructor(target: Target, options: PageOptions, events: PageTargetEvents) {
    this.id = target.targetId
    this.#session = target.session
    this.#frames.add(target.targetId)
    const page = {
      titleSuffix: environment.sandbox ? '' : NOTICE,
      process: preloadProcess(options.additionalArguments),
    }
    this.link = new PageLink(target.session, target.targetId, page, events)
    this.#listen(events)
  }

  /** Opens a target and returns it once a navigation will find the preload. */
  static async open(options: PageOptions, events: PageTargetEvents): Promise<PageTarget> {
    const { hidden, width, height, session, preload } = options
    const target = await browser.openTarget(
      { hidden, width, height },
      session.isPersistent() ? null : session.partition,
    )
    const page = new PageTarget(target, options, events)
    const installed = page.link.install(preload === null ? null : readFileSync(preload, 'utf8'))
    page.#session.post('Inspector.enable')
    page.showTheme()
    if (!hidden) page.resize(width, height)
    page.#session.post('Runtime.runIfWaitingForDebugger')
    await installed
    return page
  }

  send(method: string, params: CdpParams = {}): Promise<CdpParams> {
    return this.#session.send(method, params)
  }

  post(method: string, params: CdpParams = {}): void {
    this.#session.post(method, params)
  }

  ownsFrame(frameId: string): boolean {
    return this.#frames.has(frameId)
  }

  showTheme(): void {
    this.post('Emulation.setEmulatedMedia', { features: mediaFeatures() })
  }

  /** Sets the size of a page that no window on a display gives a size to. */
  resize(width: number, height: number): void {
    if (!environment.headless) return
    const metrics = { width, height, deviceScaleFactor: 0, mobile: false }
    this.post('Emulation.setDeviceMetricsOverride', metrics)
  }

  #listen(events: PageTargetEvents): void {
    const session = this.#session
    session.on('Page.frameAttached', (p) => this.#frames.add(String(p['frameId'])))
    session.on('Page.frameNavigated', (p) => {
      const frame = p['frame'] as {
        id: string
        url: string
        urlFragment?: string
        unreachableUrl?: string
      }
      if (frame.id === this.id && frame.unreachableUrl === undefined) {
        events.onNavigated(frame.url + (frame.urlFragment ?? ''))
      }
    })
    session.on('Page.navigatedWithinDocument', (p) => {
      if (p['frameId'] === this.id) events.onNavigatedWithin(String(p['url']))
    })
    session.on('Page.frameRequestedNavigation', (p) => {
      events.onWish(String(p['frameId']), String(p['url']))
    })
    session.on('Page.domContentEventFired', () => events.onDomReady())
    session.on('Page.loadEventFired', () => events.onLoaded())
    session.on('Page.windowOpen', (p) => {
      const features = (p['windowFeatures'] as string[]).join(',')
      events.onWindowOpen(String(p['url']), String(p['windowName']), features)
    })
    session.on('Page.javascriptDialogOpening', () => {
      if (environment.headless) this.post('Page.handleJavaScriptDialog', { accept: false })
    })
    session.on('Runtime.consoleAPICalled', (p) => {
      const args = p['args'] as { value?: unknown; description?: string }[]
      const text = args.map(({ value, description }) =>
        typeof value === 'string' ? value : (description ?? String(value)),
      )
      events.onConsole(String(p['type']), text.join(' '))
    })
    session.on('Inspector.targetCrashed', () => events.onCrashed())
  }
}
