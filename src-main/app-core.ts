/**
 * Where the app stands: locked or not, which accounts, which problem, and what may be done about it.
 * Everything Electron does for it arrives as a port, so that this is the same in every shell and in tests.
 */
import { existsSync, mkdirSync, readdirSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import type { Clock, Log, Random } from '../src-shared/client/index.ts'
import type { AppState, CallInput, EventName, EventPayload } from '../src-shared/ipc/index.ts'
import { parseUserId } from '../src-shared/protocol/index.ts'
import type { Crypto } from '../src-shared/protocol/index.ts'
import type { AccountView } from '../src-shared/view-model/index.ts'
import type { AccountHost } from './accounts/account-host.ts'
import { Accounts } from './accounts/accounts.ts'
import type { VaultPlaces } from './accounts/accounts.ts'
import { AccountRegistry } from './accounts/registry.ts'
import { AppError } from './app-error.ts'
import { Drafts } from './accounts/drafts.ts'
import type { Engine, EngineChange, EngineFactory } from './engine-port.ts'
import { findHomeserver } from './homeserver.ts'
import { createHandlers } from './ipc/handlers.ts'
import type { Handlers } from './ipc/dispatch.ts'
import { externalUrl } from './links.ts'
import { notificationOf } from './notification-text.ts'
import type { AppNotification } from './notification-text.ts'
import type { PersonalNode } from './node/personal-node.ts'
import type { SettingsFile } from './settings-file.ts'
import type { KeyRing, KeyRingState } from './vault/key-ring.ts'

/** What the shell around the app does for it. */
export interface Shell {
  openExternal(url: string): Promise<void>
  copyText(text: string): void
  openSecondProfile(): Promise<void>
  setTheme(theme: 'system' | 'light' | 'dark'): void
  /** Whether the user is looking at the app. */
  isFocused(): boolean
  notify(notification: AppNotification, onClick: () => void): void
  /** Brings the main window to the front. */
  showWindow(): void
  /** Whether there is a window that may hold something unsaved. */
  hasWindow(): boolean
}

export interface AppCoreOptions {
  readonly profileFolder: string
  readonly keyRing: KeyRing
  readonly places: VaultPlaces
  readonly engines: EngineFactory
  readonly settings: SettingsFile
  readonly node: PersonalNode
  readonly shell: Shell
  readonly crypto: Crypto
  readonly random: Random
  readonly clock: Clock
  readonly log: Log
  readonly version: string
  readonly deviceName: string
  readonly developmentShell: boolean
  readonly emit: <N extends EventName>(name: N, payload: EventPayload<N>) => void
}

type Problem = AppState['problem']
const NODE_CHECK_MS = 10_000
/** A window that does not answer keeps nobody from quitting. */
const LAST_WORDS_MS = 1_000

export class AppCore {
  readonly handlers: Handlers
  readonly #o: AppCoreOptions
  readonly #drafts: Drafts
  #stage: AppState['stage'] = 'starting'
  #keyProblem: Problem = null
  #keychain: AppState['keychain'] = 'none'
  /** Engines that have been told what the user wants others to see. */
  readonly #withSettings = new WeakSet<Engine>()
  #accounts: Accounts | null = null
  readonly #watched = new Map<string, string | null>()
  #cancelNodeCheck: () => void = () => {}
  #stopped = false
  #windowIsReady: () => void = () => {}
  /** Unlocking, locking and starting fresh happen one after the other. */
  #turns: Promise<unknown> = Promise.resolve()

  constructor(options: AppCoreOptions) {
    this.#o = options
    this.#drafts = new Drafts(options)
    this.handlers = createHandlers(this.#appCalls(), () => this.#unlocked())
  }

  get state(): AppState {
    const { node, developmentShell, version } = this.#o
    return {
      stage: this.#stage,
      problem: this.#stage === 'vault_problem' ? this.#problem() : null,
      keychain: this.#keychain,
      personalNode: node.state,
      developmentShell,
      version,
      accounts: this.#views(),
    }
  }

  async start(): Promise<void> {
    this.#o.shell.setTheme(this.#o.settings.current.theme)
    await this.#inTurn(async () => {
      this.#keychain = await this.#o.keyRing.keychainState()
      await this.#afterKeyRing(await this.#o.keyRing.open())
    })
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelNodeCheck()
    await this.#lastWords()
    await this.#inTurn(async () => {
      await this.#accounts?.stopAll()
      this.#accounts = null
    })
  }

  /** The window saves what was typed last; its calls are taken in before its answer. */
  async #lastWords(): Promise<void> {
    if (this.#accounts === null || !this.#o.shell.hasWindow()) return
    await new Promise<void>((resolve) => {
      const cancel = this.#o.clock.after(LAST_WORDS_MS, resolve)
      this.#windowIsReady = () => {
        cancel()
        resolve()
      }
      this.#o.emit('closing', {})
    })
  }

  stateChanged(): void {
    this.#o.emit('app.state', this.state)
  }

  /** The node came up or went down. */
  nodeChanged(): void {
    const { state } = this.#o.node.state
    for (const host of this.#accounts?.hosts ?? []) {
      if (host.entry.server !== null) continue
      if (state === 'stopped') host.raise({ what: 'personal_node_down' })
      if (state !== 'running') continue
      host.settle('personal_node_down')
      host.engine.retryNow()
    }
    this.stateChanged()
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#turns.then(work, work)
    this.#turns = result.catch(() => {})
    return result
  }

  #views(): AccountView[] {
    return (this.#accounts?.hosts ?? []).map((host) => host.view())
  }

  #unlocked(): Accounts {
    if (this.#accounts === null) throw new AppError('locked')
    return this.#accounts
  }

  #problem(): Problem {
    const [problem] = this.#accounts?.problems ?? []
    if (problem === undefined) return this.#keyProblem
    return {
      what: problem.what,
      canUsePassphrase: false,
      canStartFreshSessions: problem.startFresh !== null,
      canStartOver: problem.startFresh === null && problem.what === 'vault_missing',
    }
  }

  #setStage(stage: AppState['stage']): void {
    this.#stage = stage
    this.stateChanged()
  }

  async #afterKeyRing(ring: KeyRingState): Promise<void> {
    this.#keyProblem = null
    switch (ring.state) {
      case 'empty':
        if (this.#hasAccounts() || this.#hasVaults()) {
          // Accounts without their key: making a new one would bury them.
          this.#notOpened('key_missing')
        } else if (this.#keychain === 'available') {
          await this.#o.keyRing.create(null)
          await this.#openAccounts()
        } else this.#setStage('needs_passphrase')
        return
      case 'open':
        await this.#openAccounts()
        return
      case 'locked':
        this.#setStage('locked')
        return
      case 'problem':
        if (ring.what === 'keychain_locked') this.#keychain = 'unreadable'
        this.#notOpened(
          ring.what === 'record_corrupted' ? 'key_missing' : ring.what,
          ring.canUsePassphrase,
        )
    }
  }

  /** Before any account: nothing here opens, and everything stays as it is until the user decides. */
  #notOpened(what: NonNullable<Problem>['what'], canUsePassphrase = false): void {
    // What a later try, another program version or the passphrase may open is not given up.
    const mayOpen = canUsePassphrase || what === 'keychain_locked' || what === 'newer_version'
    this.#keyProblem = {
      what,
      canUsePassphrase,
      canStartFreshSessions: false,
      canStartOver: !mayOpen,
    }
    this.#setStage('vault_problem')
  }

  #hasVaults(): boolean {
    const mirrors = this.#path('vaults')
    return existsSync(mirrors) && readdirSync(mirrors).length > 0
  }

  #hasAccounts(): boolean {
    return existsSync(this.#path('accounts.sealed'))
  }

  #path(name: string): string {
    return join(this.#o.profileFolder, name)
  }

  async #openAccounts(): Promise<void> {
    const { keyRing, crypto, random, clock, log, places, engines, node } = this.#o
    let registry: AccountRegistry
    if (!this.#hasAccounts() && this.#hasVaults()) {
      // An empty list would be written over the only one that tells whose these vaults are.
      this.#notOpened('record_corrupted')
      return
    }
    try {
      registry = await AccountRegistry.open({
        path: this.#path('accounts.sealed'),
        crypto,
        random,
        key: keyRing.derive('privchat/accounts/1'),
      })
    } catch {
      this.#notOpened('record_corrupted')
      return
    }
    this.#accounts = new Accounts({
      folder: this.#path('vaults'),
      registry,
      places,
      engines,
      crypto,
      random,
      clock,
      log,
      keyOf: (slot) => keyRing.derive(`privchat/vault/1/${slot}`),
      personalNodeUrl: () => node.url(),
      onChange: (host, change) => this.#changed(host, change),
      onListChange: () => this.#listChanged(),
    })
    await this.#accounts.openAll()
    this.#watchNode()
  }

  /** Stage follows from accounts and problems once the key is there. */
  #listChanged(): void {
    const accounts = this.#accounts
    if (accounts === null) return
    for (const { engine } of accounts.hosts) {
      if (this.#withSettings.has(engine)) continue
      this.#withSettings.add(engine)
      const { sendReadReceipts, sendTyping } = this.#o.settings.current
      void engine.setReadReceipts(sendReadReceipts)
      engine.setTyping(sendTyping)
    }
    if (accounts.problems.length > 0) this.#setStage('vault_problem')
    else this.#setStage(accounts.hosts.length > 0 ? 'ready' : 'onboarding')
  }

  /** The node runs while someone here lives on it, or may want to. */
  #watchNode(): void {
    this.#cancelNodeCheck()
    const wanted =
      this.#accounts !== null &&
      (this.#accounts.livesOnPersonalNode() || this.#stage === 'onboarding')
    if (wanted) void this.#o.node.check().catch(() => {})
    if (this.#stopped) return
    this.#cancelNodeCheck = this.#o.clock.after(NODE_CHECK_MS, () => this.#watchNode())
  }

  #changed(host: AccountHost, change: EngineChange): void {
    const { emit } = this.#o
    const { account } = host
    switch (change.kind) {
      case 'account':
        emit('account', change.view)
        if (change.view.personalNode && change.view.connection.state === 'offline') {
          void this.#o.node.check()
        }
        return
      case 'rooms':
        emit('rooms', { account, changed: [...change.changed], removed: [...change.removed] })
        return
      case 'timeline':
        emit('timeline', {
          account,
          room: change.room,
          upserts: [...change.upserts],
          removed: [...change.removed],
          reset: change.reset,
        })
        return
      case 'typing':
        emit('typing', { account, room: change.room, names: change.names })
        return
      case 'details':
        emit('details', { account, room: change.room })
        return
      case 'pairings':
        emit('pairings', { account, pairings: [...change.pairings] })
        return
      case 'alerts':
        emit('alerts', { account, alerts: [...change.alerts] })
        return
      case 'notify':
        this.#notify(account, change)
        return
      case 'signed_out':
        emit('account', host.view())
        if (change.reason === 'device_removed') {
          void this.#accounts?.wipe(host).catch(() => this.#o.log('account.wipe_failed'))
        }
    }
  }

  #notify(account: string, change: Extract<EngineChange, { kind: 'notify' }>): void {
    const { shell, settings, emit } = this.#o
    if (shell.isFocused() && this.#watched.get(account) === change.room) return
    const notification = notificationOf(change, settings.current.notifications)
    if (notification === null) return
    shell.notify(notification, () => {
      shell.showWindow()
      emit('navigate', { account, room: change.room })
    })
  }

  #appCalls(): Parameters<typeof createHandlers>[0] {
    const { keyRing, settings, shell } = this.#o
    return {
      'app.state': () => this.state,
      'app.setPassphrase': (input) => this.#inTurn(() => this.#setPassphrase(input)),
      'app.unlock': ({ passphrase }) => this.#inTurn(() => this.#unlock(passphrase)),
      'app.lock': () =>
        this.#inTurn(async () => {
          await keyRing.lock()
          await this.#accounts?.stopAll()
          this.#accounts = null
          this.#watched.clear()
          this.#setStage('locked')
          return null
        }),
      'app.checkAgain': () =>
        this.#inTurn(async () => {
          await this.#checkAgain()
          return null
        }),
      'app.startFreshSessions': () =>
        this.#inTurn(async () => {
          await this.#unlocked().startFresh()
          return null
        }),
      'app.startOver': () =>
        this.#inTurn(async () => {
          await this.#startOver()
          return null
        }),
      'app.settings': () => settings.current,
      'app.setSettings': (input) => this.#setSettings(input),
      'app.openExternal': async ({ url }) => {
        const allowed = externalUrl(url)
        if (allowed === null) throw new AppError('bad_input')
        await shell.openExternal(allowed)
        return null
      },
      'app.copyText': ({ text }) => {
        shell.copyText(text)
        return null
      },
      'app.openSecondProfile': async () => {
        await shell.openSecondProfile()
        return null
      },
      'app.readyToClose': () => {
        this.#windowIsReady()
        return null
      },
      'account.prepare': () => {
        this.#unlocked()
        return this.#drafts.prepare()
      },
      'account.checkServer': async ({ server }) => {
        const { url, serverName, registration } = await findHomeserver(server)
        return { url, serverName, registration }
      },
      'account.create': (input) => this.#inTurn(() => this.#create(input)),
      'account.signIn': (input) => this.#inTurn(() => this.#signIn(input)),
      'account.signOut': ({ account }) =>
        this.#inTurn(async () => {
          await this.#unlocked().signOut(account)
          this.#watched.delete(account)
          return null
        }),
      'timeline.watch': ({ account, room }) => {
        this.#unlocked().host(account).engine.watch(room)
        this.#watched.set(account, room)
        return null
      },
    }
  }

  /** Only where something could not be opened: what runs is left alone. */
  async #checkAgain(): Promise<void> {
    if (this.#stage !== 'vault_problem') return
    if (this.#accounts !== null) {
      await this.#accounts.stopAll()
      await this.#accounts.openAll()
      return
    }
    this.#keychain = await this.#o.keyRing.keychainState()
    await this.#afterKeyRing(await this.#o.keyRing.open())
  }

  /** Puts aside what no try can open; deletes nothing. A key that opened is kept. */
  async #startOver(): Promise<void> {
    const forgotten = this.#stage === 'locked' && this.#accounts === null
    if (!forgotten && this.state.problem?.canStartOver !== true) throw new AppError('not_allowed')
    const { keyRing, clock } = this.#o
    const stamp = new Date(clock.now()).toISOString().replace(/[:.]/g, '-')
    const aside = join(this.#path('set-aside'), stamp)
    mkdirSync(aside, { recursive: true, mode: 0o700 })
    if (this.#accounts !== null) {
      await this.#accounts.setAside(aside)
      return
    }
    const isOpen = (await keyRing.open()).state === 'open'
    for (const name of ['accounts.sealed', 'vaults', ...(isOpen ? [] : ['vault-key.json'])])
      if (existsSync(this.#path(name))) renameSync(this.#path(name), join(aside, name))
    await this.#afterKeyRing(await keyRing.open())
  }

  async #setPassphrase(input: CallInput<'app.setPassphrase'>): Promise<null> {
    const { keyRing } = this.#o
    if (this.#stage === 'needs_passphrase') {
      await keyRing.create(input.passphrase)
      await this.#openAccounts()
    } else await keyRing.setPassphrase(input.passphrase, input.current)
    return null
  }

  async #unlock(passphrase: string): Promise<null> {
    const isWaiting = this.#stage === 'locked' || this.#keyProblem?.canUsePassphrase === true
    if (!isWaiting || this.#accounts !== null) throw new AppError('not_allowed')
    await this.#o.keyRing.unlock(passphrase)
    this.#keyProblem = null
    await this.#openAccounts()
    return null
  }

  async #setSettings(changes: CallInput<'app.setSettings'>) {
    const { settings, shell, emit } = this.#o
    const next = await settings.change(changes)
    shell.setTheme(next.theme)
    for (const host of this.#accounts?.hosts ?? []) {
      await host.engine.setReadReceipts(next.sendReadReceipts)
      host.engine.setTyping(next.sendTyping)
    }
    emit('settings', next)
    return next
  }

  /** Null is the personal node, started where it does not run. */
  async #server(server: string | null): Promise<{ url: string | null; serverName: string }> {
    if (server !== null) return findHomeserver(server)
    await this.#o.node.ensure()
    const { serverName } = this.#o.node.state
    if (serverName === null) throw new AppError('homeserver_unreachable')
    return { url: null, serverName }
  }

  async #create(input: CallInput<'account.create'>): Promise<AccountView> {
    const accounts = this.#unlocked()
    const draft = this.#drafts.confirmed(input.ticket, input.confirmation)
    const server = await this.#server(input.server)
    const purpose = JSON.stringify(['create', server.serverName, input.name])
    const host = await accounts.add(purpose, server, (ports) =>
      this.#o.engines.create(ports, draft, {
        serverName: server.serverName,
        name: input.name,
        password: input.password,
        displayName: input.displayName,
        deviceName: this.#o.deviceName,
        registrationToken: input.registrationToken,
      }),
    )
    this.#drafts.forget(input.ticket)
    return host.view()
  }

  async #signIn(input: CallInput<'account.signIn'>): Promise<AccountView> {
    const accounts = this.#unlocked()
    const userId = parseUserId(input.name)
    const isElsewhere = userId !== null && userId.server !== this.#o.node.state.serverName
    const named = input.server ?? (isElsewhere ? userId.server : null)
    const nameOnly = userId?.name ?? input.name
    const known = accounts.hostOf(userId === null ? `@${nameOnly}:${named}` : input.name)
    // Where it lives is known already, and a bare server name may say nothing of that.
    const server =
      known === null
        ? await this.#server(named)
        : { url: known.entry.server, serverName: known.entry.serverName }
    const former = known ?? accounts.hostOf(`@${nameOnly}:${server.serverName}`)
    if (former !== null) {
      const { state, connection } = former.engine.view()
      if (state !== 'signed_out') throw new AppError('already_exists')
      if (connection.state === 'signed_out' && connection.reason === 'token_expired') {
        await former.engine.signInAgain(input.password)
        return former.view()
      }
    }
    const purpose = JSON.stringify(['sign_in', server.serverName, nameOnly])
    const host = await accounts.add(purpose, server, (ports) =>
      this.#o.engines.signIn(ports, {
        serverName: server.serverName,
        name: nameOnly,
        password: input.password,
        deviceName: this.#o.deviceName,
      }),
    )
    return host.view()
  }
}
