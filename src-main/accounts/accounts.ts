/**
 * The accounts of one profile: opens their vaults and engines, makes new ones, ends them. Owns what
 * happens to a vault that can't be opened as usual: it is left as it is until the user decides.
 */
import { copyFile, rename } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { createHttpTransport } from '../../src-platform/http-transport.ts'
import { createRecordSealing } from '../../src-platform/record-sealing.ts'
import { EngineError, StoreError, sessionTables } from '../../src-shared/client/index.ts'
import type { Clock, EngineErrorCode, Log, Random, Store } from '../../src-shared/client/index.ts'
import type { AppState } from '../../src-shared/ipc/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { AppError } from '../app-error.ts'
import type { Engine, EngineChange, EngineFactory, EnginePorts } from '../engine-port.ts'
import { createMirrorFile } from '../vault/mirror-file.ts'
import type { RecordStore } from '../vault/record-link.ts'
import { createVault, openVault } from '../vault/vault.ts'
import type { Vault, VaultOptions, VaultProblem } from '../vault/vault.ts'
import { AccountHost } from './account-host.ts'
import type { AccountEntry, AccountRegistry } from './registry.ts'

/** Where sealed records lie: a hidden window each, in a session partition of its own. */
export interface VaultPlaces {
  open(slot: string): RecordStore
  /** Clears what the erased database leaves behind. */
  forget(slot: string): Promise<void>
}

type ProblemName = NonNullable<AppState['problem']>['what']

export interface AccountProblem {
  readonly what: ProblemName
  /** Gives up sessions and keeps messages; null where that can't help. */
  readonly startFresh: (() => Promise<void>) | null
  /** Lets go of the vault without touching it. */
  readonly close: () => Promise<void>
}

export interface AccountsOptions {
  readonly folder: string
  readonly registry: AccountRegistry
  readonly places: VaultPlaces
  readonly engines: EngineFactory
  readonly crypto: Crypto
  readonly random: Random
  readonly clock: Clock
  readonly log: Log
  /** 32 bytes for one vault and its mirror. */
  readonly keyOf: (slot: string) => Uint8Array
  readonly personalNodeUrl: () => Promise<string>
  readonly onChange: (host: AccountHost, change: EngineChange) => void
  /** Accounts or problems came or went. */
  readonly onListChange: () => void
}

/** Codes after which the request may have had its effect: keys are kept for the next try. */
const UNDECIDED: ReadonlySet<EngineErrorCode> = new Set([
  'offline',
  'timeout',
  'homeserver_unreachable',
  'not_a_homeserver',
  'certificate',
  'rate_limited',
  'too_large',
  'server_error',
  'cancelled',
  'internal',
])

function isUndecided(error: unknown): boolean {
  return !(error instanceof EngineError) || UNDECIDED.has(error.code)
}

interface Attempt {
  readonly entry: AccountEntry
  readonly vault: Vault
}

function problemOf(problem: VaultProblem): ProblemName {
  switch (problem) {
    case 'missing':
      return 'vault_missing'
    case 'corrupted':
      return 'record_corrupted'
    case 'rolled_back':
    case 'newer_version':
      return problem
  }
}

function isEngineError(error: unknown, code: string): boolean {
  return error instanceof EngineError && error.code === code
}

export class Accounts {
  readonly #o: AccountsOptions
  readonly #hosts = new Map<string, AccountHost>()
  readonly #problems = new Map<string, AccountProblem>()
  readonly #damagedRecords = new Map<string, number>()
  /** Slots whose vault is gone already, or is going. */
  readonly #wiped = new Map<string, Promise<void>>()

  constructor(options: AccountsOptions) {
    this.#o = options
  }

  get hosts(): readonly AccountHost[] {
    return [...this.#hosts.values()]
  }

  get problems(): readonly AccountProblem[] {
    return [...this.#problems.values()]
  }

  /** Throws `AppError('bad_input')` for an account that is not open here. */
  host(account: string): AccountHost {
    const host = this.hosts.find((candidate) => candidate.account === account)
    if (host === undefined) throw new AppError('bad_input')
    return host
  }

  /** Whose engine says that it is this user, signed in or not. */
  hostOf(userId: string): AccountHost | null {
    return this.hosts.find(({ engine }) => engine.view().userId === userId) ?? null
  }

  livesOnPersonalNode(): boolean {
    return this.#o.registry.entries.some((entry) => entry.server === null)
  }

  /** Opens every account of the registry; what can't be opened becomes a problem. */
  async openAll(): Promise<void> {
    for (const entry of this.#o.registry.entries) {
      if (entry.phase === 'leaving') await this.#discard(entry, null)
      else await this.#open(entry)
    }
    this.#o.onListChange()
  }

  async stopAll(): Promise<void> {
    const hosts = this.hosts
    const problems = this.problems
    this.#hosts.clear()
    this.#problems.clear()
    await Promise.all([
      ...hosts.map((host) => host.stop()),
      ...problems.map(({ close }) => close()),
    ])
  }

  /**
   * Runs `make` on an empty vault and keeps the account it returns. Where the outcome stays open, the
   * vault with the keys is kept, and the same purpose goes on with it, after a restart too.
   */
  async add(
    purpose: string,
    server: { readonly url: string | null; readonly serverName: string },
    make: (ports: EnginePorts) => Promise<Engine>,
  ): Promise<AccountHost> {
    const { entry, vault } = await this.#attempt(purpose, server)
    let engine: Engine
    try {
      engine = await make(this.#ports(entry, vault))
    } catch (error) {
      if (isUndecided(error)) await vault.close()
      else await this.#discard(entry, vault)
      throw error
    }
    const ready: AccountEntry = { ...entry, phase: 'ready' }
    await this.#o.registry.put(ready)
    await this.#dropFormer(engine.account)
    const host = this.#admit(ready, vault, engine)
    this.#o.onListChange()
    return host
  }

  /** A device of this account that was removed was kept in sight only until now. */
  async #dropFormer(account: string): Promise<void> {
    for (const former of this.hosts.filter((host) => host.account === account)) {
      this.#hosts.delete(former.entry.slot)
      // What could not be erased now is erased at the next start.
      if (await this.#isWiped(former)) await this.#o.registry.remove(former.entry.slot)
    }
  }

  /** Tells the node where it can be reached, then deletes everything this device has of the account. */
  async signOut(account: string): Promise<void> {
    const host = this.host(account)
    if (await this.#isWiped(host)) {
      this.#hosts.delete(host.entry.slot)
      await this.#o.registry.remove(host.entry.slot)
      this.#o.onListChange()
      return
    }
    // A node that can't be reached must not keep anyone from leaving: the token goes with the vault.
    await host.engine.signOut().catch((error: unknown) => {
      this.#o.log('account.sign_out_unheard', {
        error: error instanceof EngineError ? error.code : 'internal',
      })
    })
    await this.#o.registry.put({ ...host.entry, phase: 'leaving' })
    this.#hosts.delete(host.entry.slot)
    await host.engine.stop().catch(() => {})
    await this.#discard(host.entry, host.vault)
    this.#o.onListChange()
  }

  /**
   * This device was taken off the account's list: what it holds is deleted at once. The account stays in
   * sight, signed out, until the user has seen it.
   */
  wipe(host: AccountHost): Promise<void> {
    const { slot } = host.entry
    const wiping = this.#wiped.get(slot) ?? this.#wipe(host)
    this.#wiped.set(slot, wiping)
    return wiping
  }

  async #wipe({ entry, engine, vault }: AccountHost): Promise<void> {
    await this.#o.registry.put({ ...entry, phase: 'leaving' })
    await engine.stop().catch(() => {})
    await vault.erase()
    await this.#forget(entry.slot)
  }

  /** False where nobody began to, or where it failed: then it is for the caller to do. */
  async #isWiped({ entry }: AccountHost): Promise<boolean> {
    const wiping = this.#wiped.get(entry.slot)
    if (wiping === undefined) return false
    this.#wiped.delete(entry.slot)
    return wiping.then(
      () => true,
      () => false,
    )
  }

  /** For every account whose sessions can't be used: gives them up and opens it again. */
  async startFresh(): Promise<void> {
    const startable = [...this.#problems].filter(([, { startFresh }]) => startFresh !== null)
    if (startable.length === 0) throw new AppError('not_allowed')
    for (const [slot, { what, startFresh }] of startable) {
      await startFresh?.()
      this.#problems.delete(slot)
      const entry = this.#o.registry.entries.find((candidate) => candidate.slot === slot)
      if (entry !== undefined) await this.#open(entry)
      // What was damaged was explained already, and is not older than it should be.
      if (what === 'rolled_back') this.#hosts.get(slot)?.raise({ what: 'vault_rolled_back' })
    }
    this.#o.onListChange()
  }

  /**
   * For every account whose vault is gone for good: its mirror goes into `folder`, beside a copy of the
   * list as it was, and the account is no longer one of this profile. What records there may be stay.
   */
  async setAside(folder: string): Promise<void> {
    const { registry } = this.#o
    const gone = [...this.#problems].filter(
      ([, { what, startFresh }]) => what === 'vault_missing' && startFresh === null,
    )
    if (gone.length === 0) throw new AppError('not_allowed')
    await copyFile(registry.path, join(folder, basename(registry.path)))
    for (const [slot, { close }] of gone) {
      await close()
      const mirror = this.#mirrorPath(slot)
      await rename(mirror, join(folder, basename(mirror))).catch(() =>
        this.#o.log('vault.no_mirror'),
      )
      await registry.remove(slot)
      this.#problems.delete(slot)
    }
    this.#o.onListChange()
  }

  #mirrorPath(slot: string): string {
    return join(this.#o.folder, `${slot}.mirror`)
  }

  /** The vault of an earlier try for the same purpose, or a new one. Other tries were given up. */
  async #attempt(
    purpose: string,
    server: { readonly url: string | null; readonly serverName: string },
  ): Promise<Attempt> {
    const { registry, random } = this.#o
    const tries = registry.entries.filter(({ phase }) => phase === 'new')
    for (const entry of tries) {
      if (entry.purpose !== purpose) await this.#discard(entry, null)
    }
    const earlier = tries.find((entry) => entry.purpose === purpose)
    if (earlier !== undefined) {
      const options = this.#vaultOptions(earlier)
      const opening = await openVault(options)
      if (opening.ok) return { entry: earlier, vault: opening.vault }
      await options.records.close()
      await this.#discard(earlier, null)
    }
    const slot = [...random.bytes(16)].map((byte) => (byte % 36).toString(36)).join('')
    const { url, serverName } = server
    const entry: AccountEntry = { slot, server: url, serverName, phase: 'new', purpose }
    await registry.put(entry)
    return { entry, vault: await createVault(this.#vaultOptions(entry)) }
  }

  /** The entry goes last: a crash on the way is made good at the next start. */
  async #discard(entry: AccountEntry, opened: Vault | null): Promise<void> {
    const { mirror, records } = this.#vaultOptions(entry)
    try {
      if (opened !== null) await opened.erase()
      else {
        await records.erase()
        await mirror.remove()
      }
    } finally {
      await records.close()
    }
    await this.#forget(entry.slot)
    await this.#o.registry.remove(entry.slot)
  }

  /** The records are gone already; an empty partition that stays is no harm. */
  async #forget(slot: string): Promise<void> {
    await this.#o.places.forget(slot).catch(() => this.#o.log('vault.forget_failed'))
  }

  async #open(entry: AccountEntry): Promise<void> {
    const { slot } = entry
    const options = this.#vaultOptions(entry)
    const opening = await openVault(options).catch(() => null)
    if (opening === null) {
      this.#problems.set(slot, {
        what: 'vault_missing',
        startFresh: null,
        close: () => options.records.close(),
      })
      return
    }
    if (!opening.ok) {
      await this.#notOpened(entry, options, opening.problem, opening.startFresh)
      return
    }
    const { vault } = opening
    try {
      const engine = await this.#o.engines.open(this.#ports(entry, vault))
      const ready: AccountEntry = { ...entry, phase: 'ready' }
      if (entry.phase === 'new') await this.#o.registry.put(ready)
      this.#admit(ready, vault, engine)
    } catch (error) {
      if (entry.phase === 'new') {
        if (isUndecided(error)) await vault.close()
        else await this.#discard(entry, vault)
        return
      }
      this.#o.log('account.not_opened', {
        error: error instanceof Error ? error.message : 'unknown',
      })
      this.#problems.set(slot, {
        what: isEngineError(error, 'no_account') ? 'vault_missing' : 'record_corrupted',
        startFresh: () => this.#dropSessions(vault),
        close: () => vault.close(),
      })
    }
  }

  async #notOpened(
    entry: AccountEntry,
    options: VaultOptions,
    problem: VaultProblem,
    startFresh: (() => Promise<Vault>) | null,
  ): Promise<void> {
    if (problem === 'missing' && entry.phase === 'new') {
      await options.records.close()
      await this.#discard(entry, null)
      return
    }
    this.#problems.set(entry.slot, {
      what: problemOf(problem),
      close: () => options.records.close(),
      startFresh:
        startFresh === null
          ? null
          : async () => {
              const vault = await startFresh()
              await vault.close()
            },
    })
  }

  async #dropSessions(vault: Vault): Promise<void> {
    await vault.dropSessions()
    await vault.close()
  }

  #admit(entry: AccountEntry, vault: Vault, engine: Engine): AccountHost {
    const { clock, log, onChange } = this.#o
    const host = new AccountHost({ entry, vault, engine, now: clock.now, log, onChange })
    this.#hosts.set(entry.slot, host)
    engine.start()
    return host
  }

  #vaultOptions(entry: AccountEntry): VaultOptions {
    const { crypto, random, places, keyOf } = this.#o
    const sealing = createRecordSealing(crypto, random, keyOf(entry.slot))
    return {
      records: places.open(entry.slot),
      mirror: createMirrorFile(this.#mirrorPath(entry.slot), sealing),
      sealing,
      random,
      sessionTables,
      log: this.#o.log,
      onDamage: (table) => this.#damaged(entry.slot, table),
    }
  }

  #ports(entry: AccountEntry, vault: Vault): EnginePorts {
    const { crypto, clock, random, log, personalNodeUrl } = this.#o
    const { server } = entry
    return {
      crypto,
      store: this.#watched(entry.slot, vault),
      transport: createHttpTransport({ baseUrl: server === null ? personalNodeUrl : () => server }),
      clock,
      random,
      log,
    }
  }

  /** Tells the user when the disk is full, and when that is over. */
  #watched(slot: string, vault: Vault): Store {
    return {
      read: (keys) => vault.read(keys),
      wasCommitted: (id) => vault.wasCommitted(id),
      commit: async (batch) => {
        try {
          await vault.commit(batch)
          this.#hosts.get(slot)?.settle('storage_full')
        } catch (error) {
          if (error instanceof StoreError && error.code === 'full') {
            this.#hosts.get(slot)?.raise({ what: 'storage_full' })
          }
          throw error
        }
      },
    }
  }

  /**
   * A damaged session record stops the account, since going on could reuse keys; any other costs what it
   * held, and the rest goes on.
   */
  #damaged(slot: string, table: string): void {
    const host = this.#hosts.get(slot)
    this.#o.log('vault.damaged', { table })
    if (host === undefined) return
    const isSession = table.startsWith('#') || (sessionTables as readonly string[]).includes(table)
    if (!isSession) {
      const records = (this.#damagedRecords.get(slot) ?? 0) + 1
      this.#damagedRecords.set(slot, records)
      host.raise({ what: 'vault_damaged', records })
      return
    }
    this.#hosts.delete(slot)
    const stopped = host.engine.stop().catch(() => {})
    this.#problems.set(slot, {
      what: 'record_corrupted',
      startFresh: async () => {
        await stopped
        await this.#dropSessions(host.vault)
      },
      close: async () => {
        await stopped
        await host.vault.close()
      },
    })
    this.#o.onListChange()
  }
}
