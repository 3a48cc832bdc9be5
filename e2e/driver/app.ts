/**
 * The built desktop app in a real window, driven by Playwright. The same in Electron and on the
 * development host: the executable decides. Windows are found by what they expose, not by their order.
 */
import { join } from 'node:path'
import { _electron, type ElectronApplication, type Page } from '@playwright/test'

export const mainEntry = join(import.meta.dirname, '..', '..', 'out', 'main', 'index.js')

export interface AppOptions {
  /** Holds profiles and the personal node; a test gives a folder of its own. */
  readonly home: string
  readonly profile?: string
  readonly env?: Readonly<Record<string, string>>
  readonly args?: readonly string[]
  /** In place of the suite's own. */
  readonly executable?: string
}

export interface RunningApp {
  readonly electron: ElectronApplication
  readonly page: Page
  readonly pid: number
  readonly options: AppOptions
  close(): Promise<void>
}

/** The executable with ECCP_FAULT_OPTIONS as its NODE_OPTIONS. */
export const withFaults = join(import.meta.dirname, '..', 'faults', 'with-faults')

const running = new Set<RunningApp>()

/** Apps of this process that nobody has closed, for pictures of a failure. */
export const openApps = (): readonly RunningApp[] => [...running]

export function executablePath(): string {
  const path = process.env['ECCP_E2E_EXECUTABLE']
  return path ?? join(import.meta.dirname, '..', '..', 'host', 'electron')
}

async function mainPage(electron: ElectronApplication): Promise<Page> {
  const deadline = Date.now() + 30_000
  while (Date.now() < deadline) {
    for (const page of electron.windows()) {
      const isMain = await page.evaluate(() => 'privchat' in window).catch(() => false)
      if (isMain) return page
    }
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
  throw new Error('the main window did not appear in 30 s')
}

export async function launchApp(options: AppOptions): Promise<RunningApp> {
  const asRoot = process.platform === 'linux' && process.getuid?.() === 0
  const electron = await _electron.launch({
    executablePath: options.executable ?? executablePath(),
    args: [
      ...(asRoot ? ['--no-sandbox'] : []),
      mainEntry,
      '--profile',
      options.profile ?? 'default',
      ...(options.args ?? []),
    ],
    env: { ...(process.env as Record<string, string>), ECCP_HOME: options.home, ...options.env },
    timeout: 60_000,
  })
  const pid = electron.process().pid
  if (pid === undefined) throw new Error('the app has no process id')
  const page = await mainPage(electron)
  const app: RunningApp = {
    electron,
    page,
    pid,
    options,
    async close() {
      running.delete(app)
      await electron.close()
    },
  }
  running.add(app)
  return app
}
