/** The app's core in one process: real vaults over fake-indexeddb, a tiny engine, a shell that records. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { createSystemClock } from '../../src-platform/system-clock.ts'
import { createSystemRandom } from '../../src-platform/system-random.ts'
import { EngineError } from '../../src-shared/client/index.ts'
import type { CallInput, CallName, CallResult } from '../../src-shared/ipc/index.ts'
import { createNobleCrypto } from '../../src-shared/protocol/index.ts'
import type { AccountView, Alert } from '../../src-shared/view-model/index.ts'
import { AppCore } from '../app-core.ts'
import type { Shell } from '../app-core.ts'
import type { Engine, EngineChange, EngineFactory, EnginePorts } from '../engine-port.ts'
import { dispatch } from '../ipc/dispatch.ts'
import { PersonalNode } from '../node/personal-node.ts'
import type { AppNotification } from '../notification-text.ts'
import { SettingsFile } from '../settings-file.ts'
import type { Keychain, KeychainState } from '../vault/keychain.ts'
import { KeyRing } from '../vault/key-ring.ts'
import { createRecordLink } from '../vault/record-link.ts'
import { openRecords } from '../vault-page/records.ts'
import { serveRecords } from '../vault-page/serve.ts'
import { vaultReady } from '../vault/port-messages.ts'
import type { VaultRequest } from '../vault/port-messages.ts'

const SELF = { table: 'account', key: 'self' }
export const SESSION = { table: 'sessions', key: 'peer' }
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
const text = (value: Uint8Array): string => new TextDecoder().decode(value)

/** Just enough of an engine to have an account, a session and changes. */
class TinyEngine {
  readonly account: string
  readonly ports: EnginePorts
  readonly #name: string
  readonly #listeners = new Set<(change: EngineChange) => void>()
  started = false
  stopped = false
  signedOut: 'token_expired' | 'device_removed' | null = null
  /** Those it was signed in with again. */
  readonly passwords: string[] = []
  constructor(ports: EnginePorts, name: string) {
    this.ports = ports
    this.#name = name
    this.account = `account-of-${name}`
  }
  start = (): void => {
    this.started = true
  }
  stop = async (): Promise<void> => {
    this.stopped = true
  }
  subscribe = (listener: (change: EngineChange) => void) => {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }
  tell(change: EngineChange): void {
    for (const listener of this.#listeners) listener(change)
  }
  view = (): AccountView => ({
    account: this.account,
    userId: `@${this.#name}:example.org`,
    displayName: this.#name,
    homeserver: 'example.org',
    personalNode: false,
    device: 'device',
    deviceName: 'device',
    state: this.signedOut === null ? 'ready' : 'signed_out',
    connection:
      this.signedOut === null
        ? { state: 'online' }
        : { state: 'signed_out', reason: this.signedOut },
    queuedMessages: 0,
  })
  kept: Alert[] = []
  alerts = () => this.kept
  roomList = () => []
  watch = (): void => {}
  retryNow = (): void => {}
  /** What others may see of the user: read receipts, and that they write. */
  shows: { receipts?: boolean; typing?: boolean } = {}
  setReadReceipts = async (on: boolean): Promise<void> => {
    this.shows.receipts = on
  }
  setTyping = (on: boolean): void => {
    this.shows.typing = on
  }
  signOut = async (): Promise<void> => {}
  signInAgain = async (password: string): Promise<void> => {
    this.passwords.push(password)
    this.signedOut = null
  }
}

let lastCommit = 0
async function write(ports: EnginePorts, key: typeof SELF, value: string): Promise<void> {
  const puts = [{ ...key, value: bytes(value) }]
  await ports.store.commit({ id: `tiny-${lastCommit++}`, puts, deletes: [] })
}

export class AppBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'privchat-app-'))
  readonly disks = new Map<string, IDBFactory>()
  readonly engines: TinyEngine[] = []
  readonly emitted: { name: string; payload: unknown }[] = []
  readonly notifications: { content: AppNotification; click: () => void }[] = []
  keychain: KeychainState = 'none'
  focused = false
  hasWindow = false
  /** Whether disks have no room for another commit. */
  isFull = false
  /** What the next account that is made fails with. */
  failNext: EngineError | null = null
  core: AppCore

  constructor() {
    this.core = this.make()
  }

  /** A new process over the same folder and disks. */
  async restart(): Promise<void> {
    await this.core.stop()
    this.core = this.make()
    await this.core.start()
  }

  call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallResult<CallName>> {
    return dispatch(this.core.handlers, () => {}, name, input)
  }

  async codeOf<N extends CallName>(name: N, input: CallInput<N>): Promise<string | null> {
    const result = await this.call(name, input)
    return result.ok ? null : result.error.code
  }

  /** Makes an account by the words that were shown. */
  async createAccount(name = 'ada'): Promise<string | null> {
    const prepared = await this.call('account.prepare', {})
    if (!prepared.ok) return prepared.error.code
    const { ticket, words, confirm } = prepared.value as {
      ticket: string
      words: string[]
      confirm: number[]
    }
    const confirmation = confirm.map((position) => words[position] ?? '')
    const account = {
      name,
      password: 'password',
      displayName: name,
      registrationToken: null,
      confirmation,
    }
    return this.codeOf('account.create', { ticket, server: null, ...account })
  }

  get lastEngine(): TinyEngine {
    const engine = this.engines.at(-1)
    if (engine === undefined) throw new Error('there is no engine')
    return engine
  }

  async close(): Promise<void> {
    await this.core.stop()
    rmSync(this.folder, { recursive: true, force: true })
  }

  make(): AppCore {
    const random = createSystemRandom()
    const crypto = createNobleCrypto()
    const keychain: Keychain = {
      state: async () => this.keychain,
      wrap: async (secret) => bytes(`wrapped:${secret}`),
      unwrap: async (wrapped) => text(wrapped).slice('wrapped:'.length),
    }
    const shell: Shell = {
      openExternal: async () => {},
      copyText: () => {},
      openSecondProfile: async () => {},
      setTheme: () => {},
      showWindow: () => {},
      hasWindow: () => this.hasWindow,
      isFocused: () => this.focused,
      notify: (content, click) => this.notifications.push({ content, click }),
    }
    const cost = { memory: 64, passes: 1, lanes: 1 }
    return new AppCore({
      profileFolder: this.folder,
      keyRing: new KeyRing({
        path: join(this.folder, 'vault-key.json'),
        keychain,
        crypto,
        random,
        cost,
      }),
      places: { open: (slot) => this.#link(slot), forget: async () => {} },
      engines: this.#factory(),
      settings: new SettingsFile(join(this.folder, 'settings.json')),
      node: new QuietNode(join(this.folder, 'node')),
      shell,
      crypto,
      random,
      clock: { ...createSystemClock(), after: () => () => {} },
      log: () => {},
      version: '0',
      deviceName: 'test',
      developmentShell: true,
      emit: (name, payload) => this.emitted.push({ name, payload }),
    })
  }

  #link(slot: string) {
    const disk = this.disks.get(slot) ?? new IDBFactory()
    this.disks.set(slot, disk)
    return createRecordLink({
      open: async () => {
        const records = openRecords('vault', { indexedDB: disk, IDBKeyRange })
        let listener: (message: unknown) => void = () => {}
        const take = serveRecords(records, (reply) => listener(reply))
        return {
          post: (message: VaultRequest) => {
            if (this.isFull && message.op === 'apply')
              listener({ n: message.n, ok: false, failure: 'full' })
            else take(message)
          },
          onMessage(given) {
            listener = given
            queueMicrotask(() => given(vaultReady))
          },
          onLost: () => {},
          close: () => records.close(),
        }
      },
    })
  }

  #admit(engine: TinyEngine): Engine {
    this.engines.push(engine)
    return engine as unknown as Engine
  }

  #factory(): EngineFactory {
    const make = async (ports: EnginePorts, name: string): Promise<Engine> => {
      const failure = this.failNext
      this.failNext = null
      await write(ports, SELF, name)
      if (failure !== null) throw failure
      await write(ports, SESSION, 'ratchet')
      return this.#admit(new TinyEngine(ports, name))
    }
    const words = Array.from({ length: 24 }, (_, index) => `word${index}`)
    return {
      prepare: () => ({ words, confirm: [3, 7, 20] }) as never,
      create: (ports, _draft, input) => make(ports, input.name),
      signIn: (ports, input) => make(ports, input.name),
      open: async (ports) => {
        const [self] = await ports.store.read([SELF])
        if (self === null || self === undefined) throw new EngineError('no_account')
        return this.#admit(new TinyEngine(ports, text(self)))
      },
    }
  }
}

/** A personal node that is always there. */
class QuietNode extends PersonalNode {
  constructor(folder: string) {
    const program = { command: 'none', args: [], env: {} }
    super({ folder, program, random: createSystemRandom(), log: () => {} })
  }
  override get state() {
    return { state: 'running', url: 'http://127.0.0.1:1', serverName: 'test.personal' } as const
  }
  override ensure = async (): Promise<string> => 'http://127.0.0.1:1'
  override check = async (): Promise<void> => {}
}
