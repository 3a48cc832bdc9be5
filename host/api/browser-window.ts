/** `BrowserWindow`: life, visibility and focus of one window around its `webContents`. */
import { EventEmitter } from 'node:events'
import { browser, environment } from '../environment.ts'
import { fenceClass, notSupported } from '../host-error.ts'
import { nativeTheme } from './native-theme.ts'
import { fromPartition, type Session } from './session.ts'
import { WebContents } from './web-contents.ts'

export interface Rectangle {
  x: number
  y: number
  width: number
  height: number
}

export interface BrowserWindowOptions extends Partial<Rectangle> {
  show?: boolean
  title?: string
  webPreferences?: {
    preload?: string
    partition?: string
    session?: Session
    additionalArguments?: string[]
    sandbox?: boolean
    contextIsolation?: boolean
    nodeIntegration?: boolean
    webSecurity?: boolean
  }
}

/** What the application object wants to know of windows. */
export const windowEvents = new EventEmitter()

const byId = new Map<number, BrowserWindow>()
let lastId = 0
const focus: { window: BrowserWindow | null } = { window: null }

function cancellable(): { preventDefault(): void; readonly defaultPrevented: boolean } {
  let prevented = false
  return {
    preventDefault: () => {
      prevented = true
    },
    get defaultPrevented() {
      return prevented
    },
  }
}

export class BrowserWindow extends EventEmitter {
  readonly id = ++lastId
  readonly webContents: WebContents
  #bounds: Rectangle
  #visible: boolean
  #minimized = false
  #maximized = false
  #fullScreen = false
  #destroyed = false
  #title: string
  #ready = false
  readonly #hiddenTarget: boolean

  constructor(options: BrowserWindowOptions = {}) {
    super()
    const preferences = options.webPreferences ?? {}
    if (preferences.nodeIntegration === true) throw notSupported('nodeIntegration')
    if (preferences.contextIsolation === false) throw notSupported('contextIsolation: false')
    if (preferences.sandbox === false) throw notSupported('sandbox: false')
    if (preferences.webSecurity === false) throw notSupported('webSecurity: false')
    const { x = 0, y = 0, width = 800, height = 600 } = options
    this.#bounds = { x, y, width, height }
    this.#visible = options.show ?? true
    this.#title = options.title ?? ''
    const session = preferences.session ?? fromPartition(preferences.partition ?? '')
    // A window born unseen in a partition of its own is a worker: it gets no window at all.
    this.#hiddenTarget = !this.#visible && session.partition !== ''
    this.webContents = new WebContents({
      session,
      preload: preferences.preload ?? null,
      additionalArguments: preferences.additionalArguments ?? [],
      hidden: this.#hiddenTarget,
      width,
      height,
    })
    byId.set(this.id, this)
    this.#listen()
    windowEvents.emit('web-contents', this.webContents)
    windowEvents.emit('window', this)
    if (this.#visible) queueMicrotask(() => this.focus())
    if (environment.headless || this.#hiddenTarget) return
    const { x: left, y: top } = options
    const corner = left === undefined || top === undefined ? {} : { left, top }
    void this.#place({ width, height, ...corner }).then(() => {
      if (!this.#visible) this.#setWindowState('minimized')
    })
  }

  #listen(): void {
    const contents = this.webContents
    contents.on('-close', () => this.close())
    contents.on('-gone', (details: unknown) => windowEvents.emit('gone', contents, details))
    contents.on('did-finish-load', () => {
      if (this.#ready) return
      this.#ready = true
      this.emit('ready-to-show')
    })
    contents.on('page-title-updated', (_event: unknown, title: string) => {
      const event = cancellable()
      this.emit('page-title-updated', event, title, true)
      if (!event.defaultPrevented) this.#title = title
    })
    if (environment.headless) return
    contents.on('page-focus', () => this.#focused())
    contents.on('page-blur', () => this.#blurred())
  }

  loadURL(url: string): Promise<void> {
    return this.webContents.loadURL(url)
  }

  loadFile(path: string, options?: { query?: Record<string, string>; hash?: string }) {
    return this.webContents.loadFile(path, options)
  }

  reload(): void {
    this.webContents.reload()
  }

  #focused(): void {
    if (focus.window === this || this.#destroyed) return
    if (focus.window !== null) focus.window.#blurred()
    focus.window = this
    this.emit('focus')
    windowEvents.emit('focus', this)
  }

  #blurred(): void {
    if (focus.window !== this) return
    focus.window = null
    this.emit('blur')
    windowEvents.emit('blur', this)
  }

  focus(): void {
    if (this.#destroyed || this.#hiddenTarget) return
    // Without a display every page has the focus already.
    if (!environment.headless) this.webContents.focus()
    this.#focused()
  }

  blur(): void {
    this.#blurred()
  }

  isFocused(): boolean {
    return focus.window === this
  }

  show(): void {
    this.#reveal()
    this.focus()
  }

  showInactive(): void {
    this.#reveal()
  }

  #reveal(): void {
    if (this.#hiddenTarget) throw notSupported('Showing a window born hidden in a partition')
    this.restore()
    if (this.#visible) return
    this.#visible = true
    this.#revive()
    this.#setWindowState('normal')
    this.emit('show')
  }

  /** Chromium closed the page although the app keeps its window: show the page anew. */
  #revive(): void {
    if (this.webContents.targetId === null && this.webContents.getURL() !== '') {
      this.webContents.reload()
    }
  }

  hide(): void {
    if (!this.#visible) return
    this.#visible = false
    this.#setWindowState('minimized')
    this.#blurred()
    this.emit('hide')
  }

  isVisible(): boolean {
    return this.#visible && !this.#minimized
  }

  minimize(): void {
    if (this.#minimized) return
    this.#minimized = true
    this.#setWindowState('minimized')
    this.#blurred()
    this.emit('minimize')
  }

  restore(): void {
    if (!this.#minimized) return
    this.#minimized = false
    this.#setWindowState('normal')
    this.emit('restore')
  }

  isMinimized(): boolean {
    return this.#minimized
  }

  maximize(): void {
    this.#maximized = true
    this.#setWindowState('maximized')
    this.emit('maximize')
  }

  unmaximize(): void {
    this.#maximized = false
    this.#setWindowState('normal')
    this.emit('unmaximize')
  }

  isMaximized(): boolean {
    return this.#maximized
  }

  setFullScreen(on: boolean): void {
    if (this.#fullScreen === on) return
    this.#fullScreen = on
    this.#setWindowState(on ? 'fullscreen' : 'normal')
    this.emit(on ? 'enter-full-screen' : 'leave-full-screen')
  }

  isFullScreen(): boolean {
    return this.#fullScreen
  }

  #setWindowState(windowState: string): void {
    // Headless windows have no state worth having: a minimised one would only stop painting.
    if (!environment.headless && !this.#hiddenTarget) void this.#place({ windowState })
  }

  async #place(bounds: Record<string, unknown>): Promise<void> {
    try {
      await this.webContents.command('Page.enable') // Waits for the target.
      const { targetId } = this.webContents
      const { windowId } = await browser.send('Browser.getWindowForTarget', { targetId })
      await browser.send('Browser.setWindowBounds', { windowId, bounds })
    } catch {
      // The page is gone, or the window manager has no such state.
    }
  }

  getBounds(): Rectangle {
    return { ...this.#bounds }
  }

  getNormalBounds(): Rectangle {
    return this.getBounds()
  }

  getContentBounds(): Rectangle {
    return this.getBounds()
  }

  setBounds(bounds: Partial<Rectangle>): void {
    const before = this.#bounds
    this.#bounds = { ...before, ...bounds }
    const { x, y, width, height } = this.#bounds
    if (environment.headless && !this.#hiddenTarget) {
      this.webContents.withPage((page) => page.resize(width, height))
    } else if (!this.#hiddenTarget) void this.#place({ left: x, top: y, width, height })
    if (before.width !== width || before.height !== height) this.emit('resize')
    if (before.x !== x || before.y !== y) this.emit('move')
  }

  getSize(): [number, number] {
    return [this.#bounds.width, this.#bounds.height]
  }

  setSize(width: number, height: number): void {
    this.setBounds({ width, height })
  }

  getContentSize(): [number, number] {
    return this.getSize()
  }

  setContentSize(width: number, height: number): void {
    this.setBounds({ width, height })
  }

  getPosition(): [number, number] {
    return [this.#bounds.x, this.#bounds.y]
  }

  setPosition(x: number, y: number): void {
    this.setBounds({ x, y })
  }

  center(): void {}

  get title(): string {
    return this.#title
  }

  set title(title: string) {
    this.#title = title
  }

  getTitle(): string {
    return this.#title
  }

  setTitle(title: string): void {
    this.#title = title
  }

  // Window furniture that a page in Chromium does not have.
  setMenu(): void {}
  removeMenu(): void {}
  setMenuBarVisibility(): void {}
  setAutoHideMenuBar(): void {}
  setBackgroundColor(): void {}
  setTitleBarOverlay(): void {}
  setOverlayIcon(): void {}
  setIcon(): void {}
  setProgressBar(): void {}
  setSkipTaskbar(): void {}
  setContentProtection(): void {}
  setMinimumSize(): void {}
  setAlwaysOnTop(): void {}
  setVisibleOnAllWorkspaces(): void {}
  flashFrame(): void {}
  moveTop(): void {}

  /** Asks first: a listener of `close` may keep the window. */
  close(): void {
    if (this.#destroyed) return
    const event = cancellable()
    this.emit('close', event)
    if (!event.defaultPrevented) return this.destroy()
    windowEvents.emit('kept', this)
    if (this.#visible) this.#revive()
  }

  destroy(): void {
    if (this.#destroyed) return
    this.#destroyed = true
    byId.delete(this.id)
    this.#blurred()
    this.webContents.destroy()
    this.emit('closed')
    windowEvents.emit('closed', this)
  }

  isDestroyed(): boolean {
    return this.#destroyed
  }

  static getAllWindows(): BrowserWindow[] {
    return [...byId.values()]
  }

  static getFocusedWindow(): BrowserWindow | null {
    return focus.window
  }

  static fromId(id: number): BrowserWindow | null {
    return byId.get(id) ?? null
  }

  static fromWebContents(contents: WebContents | null | undefined): BrowserWindow | null {
    return BrowserWindow.getAllWindows().find((window) => window.webContents === contents) ?? null
  }
}

fenceClass('BrowserWindow', BrowserWindow.prototype)

nativeTheme.on('-changed', () => {
  for (const contents of WebContents.getAllWebContents()) {
    contents.withPage((page) => page.showTheme())
  }
})
