/** Ties React to the store core. */
import { createContext, useContext, useEffect, useState } from 'react'
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

/** The current time, renewed every `ms`; only while `active`. */
export function useNow(ms: number, active = true): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    if (!active) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), ms)
    return () => clearInterval(timer)
  }, [ms, active])
  return now
}
