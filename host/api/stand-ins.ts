/**
 * What a browser page cannot have: dialogs, menus, tray, notifications, keychain. Each stand-in
 * records what was asked of it and does nothing else, so these paths stay unproved here.
 */
import { EventEmitter } from 'node:events'
import { readFile } from 'node:fs/promises'
import { extname } from 'node:path'
import { fileURLToPath } from 'node:url'
import { record } from '../environment.ts'
import { fenceClass, fenced, notSupported } from '../host-error.ts'
import { BrowserWindow, type Rectangle } from './browser-window.ts'

/** Answers that tests put ahead for dialogs, used in order; else every dialog is cancelled. */
export const dialogAnswers: Record<string, unknown>[] = []

interface MessageBox {
  buttons?: string[]
  cancelId?: number
  defaultId?: number
}

/** Dialogs take an optional window before their options. */
function optionsOf(args: unknown[]): object {
  return (args[0] instanceof BrowserWindow ? args[1] : args[0]) as object
}

function ask(what: string, args: unknown[], cancelled: (options: object) => object): object {
  const options = optionsOf(args)
  record(`dialog.${what}`, options)
  return { ...cancelled(options), ...dialogAnswers.shift() }
}

const cancelMessage = (options: MessageBox): object => ({
  response: options.cancelId ?? Math.max(0, (options.buttons?.length ?? 1) - 1),
  checkboxChecked: false,
})
const cancelOpen = (): object => ({ canceled: true, filePaths: [] })
const cancelSave = (): object => ({ canceled: true, filePath: '' })

export const dialog = fenced('dialog', {
  showMessageBox: (...args: unknown[]) =>
    Promise.resolve(ask('showMessageBox', args, cancelMessage)),
  showMessageBoxSync: (...args: unknown[]) =>
    (ask('showMessageBox', args, cancelMessage) as { response: number }).response,
  showOpenDialog: (...args: unknown[]) => Promise.resolve(ask('showOpenDialog', args, cancelOpen)),
  showSaveDialog: (...args: unknown[]) => Promise.resolve(ask('showSaveDialog', args, cancelSave)),
  showErrorBox(title: string, content: string): void {
    record('dialog.showErrorBox', title, content)
    process.stderr.write(`${title}: ${content}\n`)
  },
})

export const shell = fenced('shell', {
  openExternal(url: string, options: object = {}): Promise<void> {
    record('shell.openExternal', url, options)
    return Promise.resolve()
  },
  openPath(path: string): Promise<string> {
    record('shell.openPath', path)
    return Promise.resolve('')
  },
  showItemInFolder(path: string): void {
    record('shell.showItemInFolder', path)
  },
  trashItem(path: string): Promise<void> {
    return Promise.reject(notSupported(`shell.trashItem of ${extname(path) || 'a file'}`))
  },
  beep(): void {
    record('shell.beep')
  },
})

let clipboardText = ''

export const clipboard = fenced('clipboard', {
  readText: (): string => clipboardText,
  writeText(text: string): void {
    clipboardText = text
    record('clipboard.writeText', text)
  },
  clear(): void {
    clipboardText = ''
  },
  availableFormats: (): string[] => (clipboardText === '' ? [] : ['text/plain']),
})

interface MenuItemOptions {
  id?: string
  label?: string
  role?: string
  type?: string
  checked?: boolean
  enabled?: boolean
  visible?: boolean
  accelerator?: string
  click?: (item: MenuItem, window: BrowserWindow | null, event: object) => void
  submenu?: MenuItemOptions[] | Menu
}

export class MenuItem {
  readonly id: string
  label: string
  readonly role: string | undefined
  readonly type: string
  readonly accelerator: string | undefined
  checked: boolean
  enabled: boolean
  visible: boolean
  readonly submenu: Menu | undefined
  readonly click: () => void

  constructor(options: MenuItemOptions) {
    this.id = options.id ?? ''
    this.label = options.label ?? options.role ?? ''
    this.role = options.role
    this.submenu = Array.isArray(options.submenu)
      ? Menu.buildFromTemplate(options.submenu)
      : options.submenu
    this.type = options.type ?? (this.submenu === undefined ? 'normal' : 'submenu')
    this.accelerator = options.accelerator
    this.checked = options.checked ?? false
    this.enabled = options.enabled ?? true
    this.visible = options.visible ?? true
    this.click = () => {
      if (this.type === 'checkbox' || this.type === 'radio') this.checked = !this.checked
      options.click?.(this, BrowserWindow.getFocusedWindow(), {})
    }
  }
}

let applicationMenu: Menu | null = null

export class Menu extends EventEmitter {
  readonly items: MenuItem[] = []

  append(item: MenuItem): void {
    this.items.push(item)
  }

  insert(position: number, item: MenuItem): void {
    this.items.splice(position, 0, item)
  }

  getMenuItemById(id: string): MenuItem | null {
    for (const item of this.items) {
      const found = item.id === id ? item : (item.submenu?.getMenuItemById(id) ?? null)
      if (found !== null) return found
    }
    return null
  }

  popup(): void {
    record('Menu.popup', this)
  }

  closePopup(): void {}

  static buildFromTemplate(template: (MenuItemOptions | MenuItem)[]): Menu {
    const menu = new Menu()
    for (const item of template) {
      menu.append(item instanceof MenuItem ? item : new MenuItem(item))
    }
    return menu
  }

  static setApplicationMenu(menu: Menu | null): void {
    applicationMenu = menu
  }

  static getApplicationMenu(): Menu | null {
    return applicationMenu
  }
}

export class NativeImage {
  readonly #bytes: Buffer
  constructor(bytes: Buffer) {
    this.#bytes = bytes
  }
  isEmpty(): boolean {
    return this.#bytes.length === 0
  }
  toPNG(): Buffer {
    return this.#bytes
  }
  toDataURL(): string {
    return `data:image/png;base64,${this.#bytes.toString('base64')}`
  }
  resize(): NativeImage {
    return this
  }
  setTemplateImage(): void {}
  addRepresentation(): void {}
  getSize(): { width: number; height: number } {
    return { width: 0, height: 0 }
  }
}

fenceClass('nativeImage', NativeImage.prototype)

/** Images keep their bytes and are never drawn. */
export const nativeImage = fenced('nativeImage', {
  createEmpty: () => new NativeImage(Buffer.alloc(0)),
  createFromPath: (path: string) => new NativeImage(Buffer.from(path)),
  createFromBuffer: (bytes: Uint8Array) => new NativeImage(Buffer.from(bytes)),
  createFromDataURL: (url: string) =>
    new NativeImage(Buffer.from(url.slice(url.indexOf(',') + 1), 'base64')),
})

export const trays: Tray[] = []

export class Tray extends EventEmitter {
  image: unknown
  toolTip = ''
  menu: Menu | null = null
  #destroyed = false

  constructor(image: unknown) {
    super()
    this.image = image
    trays.push(this)
    record('Tray', image)
  }
  setImage(image: unknown): void {
    this.image = image
  }
  setToolTip(text: string): void {
    this.toolTip = text
  }
  setTitle(): void {}
  setContextMenu(menu: Menu | null): void {
    this.menu = menu
  }
  destroy(): void {
    this.#destroyed = true
    const at = trays.indexOf(this)
    if (at !== -1) trays.splice(at, 1)
  }
  isDestroyed(): boolean {
    return this.#destroyed
  }
}

fenceClass('Tray', Tray.prototype)

export const notifications: Notification[] = []

export class Notification extends EventEmitter {
  title: string
  body: string
  readonly silent: boolean
  readonly options: Record<string, unknown>

  constructor(options: { title?: string; body?: string; silent?: boolean } = {}) {
    super()
    this.title = options.title ?? ''
    this.body = options.body ?? ''
    this.silent = options.silent ?? false
    this.options = { ...options }
  }

  /** Records itself; a test fires `click`, `reply` or `close` on what it finds in the record. */
  show(): void {
    notifications.push(this)
    record('Notification.show', { title: this.title, body: this.body, silent: this.silent })
    queueMicrotask(() => this.emit('show', {}))
  }

  close(): void {
    queueMicrotask(() => this.emit('close', {}))
  }

  static isSupported(): boolean {
    return true
  }
}

fenceClass('Notification', Notification.prototype)

/** The host reports no keychain: as on a Linux desktop without one. */
export const safeStorage = fenced('safeStorage', {
  isEncryptionAvailable: (): boolean => false,
  isAsyncEncryptionAvailable: (): Promise<boolean> => Promise.resolve(false),
  getSelectedStorageBackend: (): string => 'basic_text',
  setUsePlainTextEncryption(): void {
    throw notSupported('safeStorage.setUsePlainTextEncryption')
  },
})

class PowerMonitor extends EventEmitter {
  getSystemIdleState(): 'active' {
    return 'active'
  }
  getSystemIdleTime(): number {
    return 0
  }
  isOnBatteryPower(): boolean {
    return false
  }
  getCurrentThermalState(): 'unknown' {
    return 'unknown'
  }
}

fenceClass('powerMonitor', PowerMonitor.prototype)

export const powerMonitor = new PowerMonitor()

class Screen extends EventEmitter {
  getPrimaryDisplay() {
    const bounds: Rectangle = { x: 0, y: 0, width: 1920, height: 1080 }
    return {
      id: 1,
      bounds,
      workArea: bounds,
      size: { width: bounds.width, height: bounds.height },
      workAreaSize: { width: bounds.width, height: bounds.height },
      scaleFactor: 1,
      rotation: 0,
      internal: false,
    }
  }
  getAllDisplays() {
    return [this.getPrimaryDisplay()]
  }
  getDisplayMatching() {
    return this.getPrimaryDisplay()
  }
  getDisplayNearestPoint() {
    return this.getPrimaryDisplay()
  }
  getCursorScreenPoint(): { x: number; y: number } {
    return { x: 0, y: 0 }
  }
}

fenceClass('screen', Screen.prototype)

export const screen = new Screen()

const TYPES: Record<string, string> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.jpg': 'image/jpeg',
  '.webp': 'image/webp',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.wasm': 'application/wasm',
  '.map': 'application/json',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.wav': 'audio/wav',
}

async function netFetch(input: string | URL | Request, init?: RequestInit): Promise<Response> {
  const url = input instanceof Request ? input.url : String(input)
  if (!url.startsWith('file:')) return fetch(input, init)
  try {
    const path = fileURLToPath(url)
    const type = TYPES[extname(path).toLowerCase()] ?? 'application/octet-stream'
    return new Response(await readFile(path), { headers: { 'content-type': type } })
  } catch {
    throw new Error('net::ERR_FILE_NOT_FOUND')
  }
}

export const net = fenced('net', {
  fetch: netFetch,
  isOnline: (): boolean => true,
  get online(): boolean {
    return true
  },
})
