/** Ties React to the store core. */
import { createContext, useCallback, useContext, useSyncExternalStore } from 'react'
import { useStore } from 'zustand'
import { useShallow } from 'zustand/react/shallow'
import type { Core } from './core.ts'
import type { UiState } from './state.ts'

const CoreContext = createContext<Core | null>(null)
export const CoreProvider = CoreContext.Provider

export function useCore(): Core {
  const core = useContext(CoreContext)
  if (!core) throw new Error('no core above this component')
  return core
}

/** Selects from the state; the component renders again when the selected value changed (shallowly). */
export function useApp<T>(select: (state: UiState) => T): T {
  return useStore(useCore().store, useShallow(select))
}

/** The current time in steps of `ms`; it stands still while not `active`. */
export function useNow(ms: number, active = true): number {
  const subscribe = useCallback(
    (changed: () => void) => {
      if (!active) return () => undefined
      const timer = setInterval(changed, ms)
      return () => clearInterval(timer)
    },
    [ms, active],
  )
  return useSyncExternalStore(subscribe, () => Math.floor(Date.now() / ms) * ms)
}
