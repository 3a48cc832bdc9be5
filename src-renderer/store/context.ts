/** What every part of the store core is given: state, the way to main, time, and reporting. */
import type { StoreApi } from 'zustand/vanilla'
import type {
  Bridge,
  CallInput,
  CallName,
  CallResult,
  IpcError,
} from '../../src-shared/ipc/index.ts'
import { errorText } from '../text/errors.ts'
import type { Toast, UiState } from './state.ts'

/** Time as the core sees it; tests pass their own. */
export interface Clock {
  now(): number
  /** Calls back once after `ms`; returns a cancel function. */
  after(ms: number, run: () => void): () => void
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(ms, run) {
    const timer = globalThis.setTimeout(run, ms)
    return () => globalThis.clearTimeout(timer)
  },
}

export interface Context {
  readonly store: StoreApi<UiState>
  readonly clock: Clock
  newId(): string
  set(patch: Partial<UiState>): void
  call<N extends CallName>(name: N, input: CallInput<N>): Promise<CallResult<N>>
  /** Like `call`, for what may simply fail: the error becomes a toast. True on success. */
  attempt<N extends CallName>(name: N, input: CallInput<N>): Promise<boolean>
  announce(text: string): void
  toast(text: string, options?: { tone?: Toast['tone']; undo?: Toast['undo'] }): string
  dismissToast(id: string): void
  fail(error: IpcError): void
}

const toastTime = 6_000

export function createContext(bridge: Bridge, store: StoreApi<UiState>, clock: Clock): Context {
  let ids = 0
  const prefix = clock.now().toString(36) + Math.random().toString(36).slice(2, 8)

  const context: Context = {
    store,
    clock,
    newId: () => `${prefix}-${ids++}`,
    set: (patch) => store.setState(patch),
    async call(name, input) {
      try {
        return await bridge.call(name, input)
      } catch {
        return { ok: false, error: { code: 'internal' } }
      }
    },
    async attempt(name, input) {
      const result = await context.call(name, input)
      if (!result.ok) context.fail(result.error)
      return result.ok
    },
    announce(text) {
      store.setState((state) => ({ announcement: { text, turn: state.announcement.turn + 1 } }))
    },
    toast(text, { tone = 'plain', undo = null } = {}) {
      const id = context.newId()
      const again = store.getState().toasts.filter((toast) => toast.text !== text || toast.undo)
      store.setState({ toasts: [...again.slice(-3), { id, text, tone, undo }] })
      context.announce(text)
      const stays = undo ? Math.max(0, undo.until - clock.now()) : toastTime
      clock.after(stays, () => context.dismissToast(id))
      return id
    },
    dismissToast(id) {
      store.setState((state) => ({ toasts: state.toasts.filter((toast) => toast.id !== id) }))
    },
    fail(error) {
      if (error.code !== 'cancelled') context.toast(errorText(error), { tone: 'error' })
    },
  }
  return context
}
