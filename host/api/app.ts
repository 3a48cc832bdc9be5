/** `app`: start, paths, the single instance and the way out. */
import { EventEmitter } from 'node:events'
import { homedir, tmpdir } from 'node:os'
import { join } from 'node:path'
import { browser, environment, record } from '../environment.ts'
import { fenceClass, notSupported } from '../host-error.ts'
import { type InstanceLock, requestInstanceLock } from '../single-instance.ts'
import { BrowserWindow, windowEvents } from './browser-window.ts'

function defaultDataFolder(): string {
  const home = homedir()
  if (process.platform === 'darwin') return join(home, 'Library', 'Application Support')
  if (process.platform === 'win32')
    return process.env['APPDATA'] ?? join(home, 'AppData', 'Roaming')
  return process.env['XDG_CONFIG_HOME'] ?? join(home, '.config')
}

const commandLine = {
  appendSwitch(name: string, value = ''): void {
    environment.switches.push(value === '' ? `--${name}` : `--${name}=${value}`)
  },
  appendArgument(): void {
    throw notSupported('app.commandLine.appendArgument')
  },
  hasSwitch: (name: string): boolean =>
    [...process.argv, ...environment.switches].some(
      (arg) => arg === `--${name}` || arg.startsWith(`--${name}=`),
    ),
  getSwitchValue(name: string): string {
    const all = [...process.argv, ...environment.switches]
    return all.find((arg) => arg.startsWith(`--${name}=`))?.slice(name.length + 3) ?? ''
  },
  removeSwitch(name: string): void {
    environment.switches = environment.switches.filter(
      (arg) => arg !== `--${name}` && !arg.startsWith(`--${name}=`),
    )
  },
}

type State = 'starting' | 'ready' | 'quitting' | 'exiting'

class App extends EventEmitter {
  readonly isPackaged = false
  readonly commandLine = commandLine
  readonly runningUnderARM64Translation = false
  userAgentFallback = ''
  accessibilitySupportEnabled = false
  #name = 'app'
  #version = '0.0.0'
  #appPath = process.cwd()
  #paths = new Map<string, string>()
  #state: State = 'starting'
  #lock: InstanceLock | null = null
  #badge = 0
  #ready = Promise.withResolvers<void>()

  get name(): string {
    return this.#name
  }

  set name(name: string) {
    this.#name = name
  }

  getName(): string {
    return this.#name
  }

  setName(name: string): void {
    this.#name = name
  }

  getVersion(): string {
    return this.#version
  }

  setVersion(version: string): void {
    this.#version = version
  }

  getAppPath(): string {
    return this.#appPath
  }

  setAppPath(path: string): void {
    this.#appPath = path
  }

  getLocale(): string {
    return process.env['ECCP_HOST_LOCALE'] ?? 'en-US'
  }

  getSystemLocale(): string {
    return this.getLocale()
  }

  getPreferredSystemLanguages(): string[] {
    return [this.getLocale()]
  }

  getLocaleCountryCode(): string {
    return ''
  }

  getPath(name: string): string {
    const set = this.#paths.get(name)
    if (set !== undefined) return set
    const home = homedir()
    switch (name) {
      case 'home':
        return home
      case 'appData':
        return defaultDataFolder()
      case 'userData':
      case 'sessionData':
        return name === 'sessionData'
          ? this.getPath('userData')
          : join(this.getPath('appData'), this.#name)
      case 'temp':
        return tmpdir()
      case 'exe':
        return process.argv[0] ?? process.execPath
      case 'module':
        return process.execPath
      case 'logs':
      case 'crashDumps':
        return join(this.getPath('userData'), name === 'logs' ? 'logs' : 'Crashpad')
      case 'desktop':
      case 'documents':
      case 'downloads':
      case 'music':
      case 'pictures':
      case 'videos':
        return join(home, name[0]?.toUpperCase() + name.slice(1))
      default:
        throw new Error(`Failed to get '${name}' path`)
    }
  }

  setPath(name: string, path: string): void {
    this.#paths.set(name, path)
  }

  setAppLogsPath(path?: string): void {
    this.setPath('logs', path ?? join(this.getPath('userData'), 'logs'))
  }

  isReady(): boolean {
    return this.#state !== 'starting'
  }

  whenReady(): Promise<void> {
    return this.#ready.promise
  }

  requestSingleInstanceLock(data: unknown = {}): boolean {
    if (this.#lock !== null) return this.#lock.owned
    const message = { argv: process.argv, cwd: process.cwd(), data }
    this.#lock = requestInstanceLock(this.getPath('userData'), message, (second) => {
      this.emit('second-instance', {}, second.argv, second.cwd, second.data)
    })
    // Chromium starts while the app's own code goes on; a second instance never starts one.
    if (this.#lock.owned) setImmediate(() => void this.startBrowser().catch(() => {}))
    return this.#lock.owned
  }

  hasSingleInstanceLock(): boolean {
    return this.#lock?.owned ?? false
  }

  releaseSingleInstanceLock(): void {
    this.#lock?.release()
    this.#lock = null
  }

  async startBrowser(): Promise<void> {
    if (this.isQuitting()) return
    environment.profile = join(this.getPath('sessionData'), 'development-host')
    await browser.start()
  }

  /** The main script has been evaluated. */
  becomeReady(): void {
    if (this.#state !== 'starting') return
    if (this.#lock !== null && !this.#lock.owned) {
      // Electron goes on until the app quits; only Chromium may not touch the profile.
      process.stderr.write('A second instance runs on without a browser until it quits\n')
    }
    this.#state = 'ready'
    this.emit('will-finish-launching')
    this.emit('ready', {}, {})
    this.#ready.resolve()
  }

  isQuitting(): boolean {
    return this.#state === 'quitting' || this.#state === 'exiting'
  }

  quit(): void {
    if (this.isQuitting()) return
    const event = preventable()
    this.emit('before-quit', event)
    if (event.defaultPrevented) return
    const before = this.#state
    this.#state = 'quitting'
    let kept = false
    const keep = (): void => {
      kept = true
    }
    windowEvents.on('kept', keep)
    for (const window of BrowserWindow.getAllWindows()) window.close()
    windowEvents.off('kept', keep)
    if (kept) this.#state = before
    else this.#leave()
  }

  #leave(): void {
    const event = preventable()
    this.emit('will-quit', event)
    if (event.defaultPrevented) {
      this.#state = 'ready'
      return
    }
    this.exit(0)
  }

  /** All windows are closed, and not because of `quit`. */
  windowsAllClosed(): void {
    if (this.#state === 'exiting') return
    if (this.#state === 'quitting') return
    if (this.listenerCount('window-all-closed') === 0) this.quit()
    else this.emit('window-all-closed')
  }

  exit(code = 0): void {
    if (this.#state === 'exiting') return
    this.#state = 'exiting'
    for (const window of BrowserWindow.getAllWindows()) window.destroy()
    this.emit('quit', {}, code)
    const told = this.#lock?.told ?? Promise.resolve()
    void Promise.all([told, browser.stop()]).finally(() => {
      this.#lock?.release()
      process.exit(code)
    })
  }

  relaunch(options: object = {}): void {
    record('app.relaunch', options)
  }

  focus(): void {
    ;(BrowserWindow.getFocusedWindow() ?? BrowserWindow.getAllWindows()[0])?.focus()
  }

  hide(): void {}
  show(): void {}
  enableSandbox(): void {}
  disableHardwareAcceleration(): void {}
  setAccessibilitySupportEnabled(): void {}

  setAppUserModelId(id: string): void {
    record('app.setAppUserModelId', id)
  }

  setAboutPanelOptions(options: object): void {
    record('app.setAboutPanelOptions', options)
  }

  setAsDefaultProtocolClient(scheme: string): boolean {
    record('app.setAsDefaultProtocolClient', scheme)
    return true
  }

  removeAsDefaultProtocolClient(scheme: string): boolean {
    record('app.removeAsDefaultProtocolClient', scheme)
    return true
  }

  isDefaultProtocolClient(): boolean {
    return false
  }

  setLoginItemSettings(settings: object): void {
    record('app.setLoginItemSettings', settings)
  }

  getLoginItemSettings(): { openAtLogin: boolean } {
    return { openAtLogin: false }
  }

  get badgeCount(): number {
    return this.#badge
  }

  set badgeCount(count: number) {
    this.setBadgeCount(count)
  }

  getBadgeCount(): number {
    return this.#badge
  }

  setBadgeCount(count = 0): boolean {
    this.#badge = count
    record('app.setBadgeCount', count)
    return true
  }

  getAppMetrics(): object[] {
    return []
  }

  getGPUFeatureStatus(): object {
    return {}
  }
}

function preventable(): { preventDefault(): void; readonly defaultPrevented: boolean } {
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

fenceClass('app', App.prototype)

export const app = new App()

windowEvents.on('web-contents', (contents: unknown) => {
  app.emit('web-contents-created', {}, contents)
})
windowEvents.on('window', (window: unknown) => app.emit('browser-window-created', {}, window))
windowEvents.on('focus', (window: unknown) => app.emit('browser-window-focus', {}, window))
windowEvents.on('blur', (window: unknown) => app.emit('browser-window-blur', {}, window))
windowEvents.on('gone', (contents: unknown, details: unknown) => {
  app.emit('render-process-gone', {}, contents, details)
})
windowEvents.on('closed', () => {
  if (BrowserWindow.getAllWindows().length === 0) {
    queueMicrotask(() => {
      if (BrowserWindow.getAllWindows().length === 0) app.windowsAllClosed()
    })
  }
})
