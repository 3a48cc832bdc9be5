/** The page's own world: receives what the preload exposes. Runs from its source text. */
import type { createBridge } from './bridge.ts'
import type { PageConfig, PageGlobal } from './dom.ts'

export function startMainWorld(
  scope: PageGlobal,
  config: PageConfig,
  makeBridge: typeof createBridge,
): void {
  if (scope.top !== scope.window) return
  makeBridge(scope, config.toMain, config.toIsolated, (key, value) => {
    Object.defineProperty(scope, key, { value, enumerable: true })
  })
}
