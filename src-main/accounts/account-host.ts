/**
 * One account at work: its vault, its engine, and the alerts that are main's own to raise (a damaged
 * record, a full disk). Knows nothing of windows, keys or other accounts.
 */
import type { Log } from '../../src-shared/client/index.ts'
import type { AccountView, Alert } from '../../src-shared/view-model/index.ts'
import type { Engine, EngineChange } from '../engine-port.ts'
import type { Vault } from '../vault/vault.ts'
import type { AccountEntry } from './registry.ts'

/** Alerts of main's own; the engine's have other ids. */
type OwnAlert = Extract<
  Alert['alert'],
  { what: 'vault_damaged' | 'vault_rolled_back' | 'storage_full' | 'personal_node_down' }
>
const OWN_PREFIX = 'app:'
const TIER: Record<OwnAlert['what'], Alert['tier']> = {
  vault_damaged: 1,
  storage_full: 1,
  vault_rolled_back: 2,
  personal_node_down: 2,
}

export interface AccountHostOptions {
  readonly entry: AccountEntry
  readonly vault: Vault
  readonly engine: Engine
  readonly now: () => number
  readonly log: Log
  /** Every change of the engine, with main's own part already added to views and alerts. */
  readonly onChange: (host: AccountHost, change: EngineChange) => void
}

export class AccountHost {
  readonly #o: AccountHostOptions
  readonly #own = new Map<string, Alert & { readonly alert: OwnAlert }>()
  readonly #understood = new Set<OwnAlert['what']>()
  readonly #unsubscribe: () => void

  constructor(options: AccountHostOptions) {
    this.#o = options
    this.#unsubscribe = options.engine.subscribe((change) => this.#changed(change))
  }

  get account(): string {
    return this.#o.engine.account
  }

  get entry(): AccountEntry {
    return this.#o.entry
  }

  get engine(): Engine {
    return this.#o.engine
  }

  get vault(): Vault {
    return this.#o.vault
  }

  view(): AccountView {
    return this.#withNode(this.engine.view())
  }

  alerts(): Alert[] {
    const own = [...this.#own.values()]
    // The engine can keep its word of a full disk only once there is room again; main's own says it
    // for exactly as long as it is true.
    const others = this.engine
      .alerts()
      .filter(
        ({ alert }) =>
          alert.what !== 'storage_full' && !own.some((mine) => mine.alert.what === alert.what),
      )
    return [...own, ...others]
  }

  /** Raises an alert of main's own, once; the same again only brings new figures. */
  raise(alert: OwnAlert): void {
    const id = `${OWN_PREFIX}${alert.what}`
    const time = this.#own.get(id)?.time ?? this.#o.now()
    // Who has understood is not stopped again by each further try; a banner keeps saying it.
    const tier = this.#understood.has(alert.what) ? 2 : TIER[alert.what]
    this.#own.set(id, { id, tier, room: null, time, alert })
    this.#alertsChanged()
  }

  settle(what: OwnAlert['what']): void {
    this.#understood.delete(what)
    if (this.#own.delete(`${OWN_PREFIX}${what}`)) this.#alertsChanged()
  }

  async dismissAlert(id: string): Promise<void> {
    const own = this.#own.get(id)
    if (!id.startsWith(OWN_PREFIX)) await this.engine.dismissAlert(id)
    else if (own?.alert.what === 'storage_full' && own.tier === 1) {
      this.#understood.add(own.alert.what)
      this.raise(own.alert)
    } else if (this.#own.delete(id)) this.#alertsChanged()
  }

  /** Stops the engine, then closes the vault. */
  async stop(): Promise<void> {
    this.#unsubscribe()
    await this.engine.stop().catch((error: unknown) => this.#failed('stop', error))
    await this.vault.close().catch((error: unknown) => this.#failed('close', error))
  }

  #failed(what: string, error: unknown): void {
    this.#o.log('account.failed', { what, error: error instanceof Error ? error.name : 'unknown' })
  }

  #withNode(view: AccountView): AccountView {
    return { ...view, personalNode: this.entry.server === null }
  }

  #alertsChanged(): void {
    this.#o.onChange(this, { kind: 'alerts', alerts: this.alerts() })
  }

  #changed(change: EngineChange): void {
    switch (change.kind) {
      case 'account':
        this.#o.onChange(this, { ...change, view: this.#withNode(change.view) })
        return
      case 'alerts':
        this.#o.onChange(this, { ...change, alerts: this.alerts() })
        return
      default:
        this.#o.onChange(this, change)
    }
  }
}
