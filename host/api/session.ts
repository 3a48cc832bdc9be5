/**
 * Sessions by partition: their protocol handlers, request filter and permission answers. A
 * `persist:` partition shares Chromium's profile under origins of its own, any other lives in
 * a browser context in memory.
 */
import { EventEmitter } from 'node:events'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { browser, environment, origins } from '../environment.ts'
import { fenceClass, fenced } from '../host-error.ts'
import { partitionLabel } from '../origins.ts'

export type ProtocolHandler = (request: Request) => Response | Promise<Response>

export interface RequestDetails {
  id: number
  url: string
  method: string
  resourceType: string
  referrer: string
  timestamp: number
  webContentsId?: number
  webContents?: unknown
}

type BeforeRequest = (
  details: RequestDetails,
  callback: (response: { cancel?: boolean; redirectURL?: string }) => void,
) => void

type PermissionCheck = (
  webContents: unknown,
  permission: string,
  requestingOrigin: string,
  details: object,
) => boolean

type PermissionRequest = (
  webContents: unknown,
  permission: string,
  callback: (granted: boolean) => void,
  details: object,
) => void

/** Chromium's permission names by Electron's. */
const PERMISSIONS: Record<string, string[]> = {
  'clipboard-read': ['clipboardReadWrite'],
  'clipboard-sanitized-write': ['clipboardSanitizedWrite'],
  geolocation: ['geolocation'],
  'idle-detection': ['idleDetection'],
  media: ['audioCapture', 'videoCapture'],
  midi: ['midi'],
  notifications: ['notifications'],
  'persistent-storage': ['durableStorage'],
  'window-management': ['windowManagement'],
  'storage-access': ['storageAccess'],
  'display-capture': ['displayCapture'],
}

class Protocol {
  readonly #handlers = new Map<string, ProtocolHandler>()

  handle(scheme: string, handler: ProtocolHandler): void {
    if (this.#handlers.has(scheme)) {
      throw new Error(`Failed to register protocol: ${scheme}`)
    }
    if (/^(https?|file|data|blob|about)$/.test(scheme)) {
      throw new Error(`Intercepting ${scheme}: is not supported by the development host`)
    }
    origins.register(scheme)
    this.#handlers.set(scheme, handler)
  }

  unhandle(scheme: string): void {
    this.#handlers.delete(scheme)
  }

  isProtocolHandled(scheme: string): boolean {
    return this.#handlers.has(scheme)
  }

  handlerOf(scheme: string): ProtocolHandler | undefined {
    return this.#handlers.get(scheme)
  }
}

class WebRequest {
  #patterns: RegExp[] = []
  #listener: BeforeRequest | null = null

  onBeforeRequest(
    filter: { urls: string[] } | BeforeRequest | null,
    listener?: BeforeRequest | null,
  ): void {
    const all = typeof filter === 'function' || filter === null
    this.#listener = all ? filter : (listener ?? null)
    this.#patterns = all ? [/^/] : filter.urls.map(patternOf)
  }

  /** What the app's filter says of a request. */
  ask(details: RequestDetails): Promise<{ cancel?: boolean; redirectURL?: string }> {
    const listener = this.#listener
    if (listener === null || !this.#patterns.some((pattern) => pattern.test(details.url))) {
      return Promise.resolve({})
    }
    return new Promise((resolve) => listener(details, resolve))
  }
}

fenceClass('session.protocol', Protocol.prototype)
fenceClass('session.webRequest', WebRequest.prototype)

/** A match pattern of web extensions as a regular expression. */
function patternOf(pattern: string): RegExp {
  if (pattern === '<all_urls>') return /^/
  const escaped = pattern.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replaceAll('*', '.*')
  return new RegExp(`^${escaped.replace(/^\.\*:/, '[a-z]+:')}$`)
}

export class Session extends EventEmitter {
  readonly protocol: Protocol = new Protocol()
  readonly webRequest: WebRequest = new WebRequest()
  readonly partition: string
  /** This session's part of a mapped host name. */
  readonly label: string
  #check: PermissionCheck | null = null
  #request: PermissionRequest | null = null

  constructor(partition: string) {
    super()
    this.partition = partition
    this.label = partitionLabel(partition)
  }

  isPersistent(): boolean {
    return this.partition === '' || this.partition.startsWith('persist:')
  }

  getStoragePath(): string | null {
    return this.isPersistent() ? environment.profile : null
  }

  setPermissionCheckHandler(handler: PermissionCheck | null): void {
    this.#check = handler
  }

  setPermissionRequestHandler(handler: PermissionRequest | null): void {
    this.#request = handler
  }

  /** Answers Chromium's permissions for an origin ahead of any question. Electron grants by default. */
  async settlePermissions(webContents: unknown, url: string): Promise<void> {
    const origin = originOf(url)
    if (origin === 'null') return
    const granted: string[] = []
    for (const [permission, types] of Object.entries(PERMISSIONS)) {
      if (await this.#isGranted(webContents, permission, origin)) granted.push(...types)
    }
    // Denies everything that it does not grant.
    await browser
      .send('Browser.grantPermissions', {
        origin: origins.toChromium(`${origin}/`, this.label).replace(/\/$/, ''),
        permissions: granted,
      })
      .catch(() => {})
  }

  async #isGranted(webContents: unknown, permission: string, origin: string): Promise<boolean> {
    const details = { requestingUrl: `${origin}/`, isMainFrame: true }
    if (this.#check !== null && !this.#check(webContents, permission, origin, details)) return false
    const request = this.#request
    if (request === null) return true
    return new Promise((resolve) => request(webContents, permission, resolve, details))
  }

  /**
   * Deletes what pages of this session ever stored, at this start or an earlier one. `origin`
   * narrows it; kinds of storage can't be told apart.
   */
  async clearStorageData(options: { origin?: string } = {}): Promise<void> {
    const known = options.origin === undefined ? storedOrigins(this.label) : [options.origin]
    if (known.length === 0) return
    const partition = this.isPersistent() ? null : this.partition
    const target = await browser.openTarget({ hidden: true, width: 0, height: 0 }, partition)
    for (const origin of known) {
      const address = origins.toChromium(`${originOf(origin)}/`, this.label).replace(/\/$/, '')
      const all = { origin: address, storageTypes: 'all' }
      await target.session.send('Storage.clearDataForOrigin', all)
    }
    await browser.closeTarget(target.targetId)
  }

  /** A page of this session is about to show `url`. */
  attend(url: string): void {
    const origin = originOf(url)
    if (origin !== 'null') rememberOrigin(this.label, origin)
  }

  setSpellCheckerEnabled(): void {}

  async flushStorageData(): Promise<void> {}

  async closeAllConnections(): Promise<void> {}
}

fenceClass('session', Session.prototype)

/** Origins with storage by session label: Chromium deletes by origin alone. */
type Stored = Record<string, string[]>

const originsFile = (): string => join(environment.profile, 'eccp-origins.json')

function readStored(): Stored {
  try {
    return JSON.parse(readFileSync(originsFile(), 'utf8')) as Stored
  } catch {
    return {}
  }
}

function storedOrigins(label: string): string[] {
  return readStored()[label] ?? []
}

function rememberOrigin(label: string, origin: string): void {
  const stored = readStored()
  const known = stored[label] ?? []
  if (known.includes(origin)) return
  stored[label] = [...known, origin]
  mkdirSync(environment.profile, { recursive: true, mode: 0o700 })
  writeFileSync(originsFile(), JSON.stringify(stored))
}

/** The origin of any address, custom schemes included; `null` for opaque ones. */
export function originOf(url: string): string {
  const match = /^([a-z][a-z0-9+.-]*):\/\/([^/?#]*)/i.exec(url)
  if (match === null) return 'null'
  if (/^https?$/i.test(match[1] ?? '')) return new URL(url).origin
  return `${(match[1] ?? '').toLowerCase()}://${(match[2] ?? '').toLowerCase()}`
}

const sessions = new Map<string, Session>()

export function fromPartition(partition: string): Session {
  let session = sessions.get(partition)
  if (session === undefined) sessions.set(partition, (session = new Session(partition)))
  return session
}

/** The session whose pages have this label in their host names. */
export function sessionOfLabel(label: string): Session | undefined {
  for (const session of sessions.values()) if (session.label === label) return session
  return undefined
}

export const session = fenced('session', {
  fromPartition: (partition: string): Session => fromPartition(partition),
  get defaultSession(): Session {
    return fromPartition('')
  },
})

export const protocol = fenced('protocol', {
  registerSchemesAsPrivileged(schemes: { scheme: string }[]): void {
    for (const { scheme } of schemes) origins.register(scheme)
  },
  handle: (scheme: string, handler: ProtocolHandler): void =>
    fromPartition('').protocol.handle(scheme, handler),
  unhandle: (scheme: string): void => fromPartition('').protocol.unhandle(scheme),
  isProtocolHandled: (scheme: string): boolean =>
    fromPartition('').protocol.isProtocolHandled(scheme),
})
