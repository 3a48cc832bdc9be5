/** App state, the account on screen, settings, devices and their approval. */
import type { AppState, Settings } from '../../src-shared/ipc/index.ts'
import type { AccountView } from '../../src-shared/view-model/index.ts'
import type { Context } from './context.ts'
import type { UiState } from './state.ts'

export const currentAccount = (state: UiState): AccountView | null =>
  state.app?.accounts.find((view) => view.account === state.account) ?? null

/** Signed out because the sign-in ran out, everything is still there to be read and written. */
const isUsable = (view: AccountView | null | undefined): boolean =>
  view?.state === 'ready' ||
  (view?.connection.state === 'signed_out' && view.connection.reason === 'token_expired')

export interface Session {
  /** Asks main how things stand; again after a failure. */
  load(): Promise<void>
  show(account: string): void
  changeSettings(patch: Partial<Settings>): Promise<void>
  retryConnection(): Promise<void>
  signOut(): Promise<boolean>
  answerPairing(device: string, same: boolean): Promise<boolean>
  postponePairing(device: string): void
  resumePairing(device: string): void
  accountChanged(view: AccountView): void
  applyApp(app: AppState): void
}

interface AccountChanges {
  /** An account can be used from now on, or another one is on screen. */
  opened(): void
  /** The account on screen was locked. */
  closed(): void
}

export function createSession(ctx: Context, changes: AccountChanges): Session {
  const { store } = ctx

  /** Keeps the account on screen if it is still there, else takes the first usable one. */
  function choose(accounts: readonly AccountView[]): string | null {
    const current = store.getState().account
    if (accounts.some((view) => view.account === current)) return current
    const usable = accounts.find((view) => view.state === 'ready') ?? accounts[0]
    return usable?.account ?? null
  }

  const session: Session = {
    async load() {
      const [app, settings] = await Promise.all([
        ctx.call('app.state', {}),
        ctx.call('app.settings', {}),
      ])
      if (settings.ok) ctx.set({ settings: settings.value })
      if (!app.ok) {
        ctx.set({ startError: app.error.code })
        return
      }
      session.applyApp(app.value)
    },
    show(account) {
      if (store.getState().account === account) return
      ctx.set({ account })
      changes.opened()
    },
    async changeSettings(patch) {
      const before = store.getState().settings
      ctx.set({ settings: { ...before, ...patch } })
      const result = await ctx.call('app.setSettings', patch)
      if (result.ok) ctx.set({ settings: result.value })
      else {
        ctx.set({ settings: before })
        ctx.fail(result.error)
      }
    },
    async retryConnection() {
      const { account } = store.getState()
      if (account) await ctx.attempt('account.retryNow', { account })
    },
    async signOut() {
      const { account } = store.getState()
      if (!account) return false
      return ctx.attempt('account.signOut', { account })
    },
    async answerPairing(device, same) {
      const { account } = store.getState()
      if (!account) return false
      return ctx.attempt('account.answerPairing', { account, device, same })
    },
    postponePairing(device) {
      ctx.set({ postponed: [...store.getState().postponed, device] })
    },
    resumePairing(device) {
      ctx.set({ postponed: store.getState().postponed.filter((id) => id !== device) })
    },
    accountChanged(view) {
      const { app } = store.getState()
      if (!app) return
      const known = app.accounts.some((each) => each.account === view.account)
      const accounts = known
        ? app.accounts.map((each) => (each.account === view.account ? view : each))
        : [...app.accounts, view]
      session.applyApp({ ...app, accounts })
    },
    applyApp(app) {
      const before = store.getState()
      const wasUsable = isUsable(currentAccount(before)) && before.app?.stage === 'ready'
      const account = choose(app.accounts)
      ctx.set({ app, account, startError: null })
      const view = app.accounts.find((each) => each.account === account)
      const usable = isUsable(view) && app.stage === 'ready'
      if (account !== before.account || (usable && !wasUsable)) changes.opened()
      else if (wasUsable && !usable) changes.closed()
    },
  }
  return session
}
