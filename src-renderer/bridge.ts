/** The one way out of the renderer: what preload put on the window, typed by the IPC contract. */
import type { Bridge } from '../src-shared/ipc/index.ts'

declare global {
  interface Window {
    readonly privchat?: Bridge
  }
}

export type * from '../src-shared/ipc/index.ts'

export function bridgeOfWindow(): Bridge | null {
  return window.privchat ?? null
}
