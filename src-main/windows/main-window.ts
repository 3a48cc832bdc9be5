/** The one window a person sees. Owns its place, its confinement and when it appears. */
import { BrowserWindow, screen } from 'electron'
import { appUrl } from './app-scheme.ts'
import { isReachable, readWindowState, rememberWindowState, workAreas } from './window-state.ts'

const CRASH_WINDOW_MS = 60_000
const MAX_CRASHES = 3

export interface MainWindowOptions {
  readonly preload: string
  readonly statePath: string
  readonly title: string
}

export function openMainWindow(options: MainWindowOptions): BrowserWindow {
  const state = readWindowState(options.statePath)
  const isThere = state !== null && isReachable(state.bounds, workAreas(screen))
  const window = new BrowserWindow({
    ...(isThere ? state.bounds : { width: 1200, height: 800 }),
    minWidth: 720,
    minHeight: 480,
    title: options.title,
    show: false,
    autoHideMenuBar: true,
    webPreferences: {
      preload: options.preload,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      webviewTag: false,
      spellcheck: false,
    },
  })
  if (state?.maximized === true) window.maximize()
  rememberWindowState(window, options.statePath)
  window.once('ready-to-show', () => window.show())
  // The profile's name belongs in the title, whatever the page calls itself.
  window.on('page-title-updated', (event) => event.preventDefault())
  reopenAfterCrash(window)
  void window.loadURL(appUrl)
  return window
}

/** The page holds nothing that main does not have, so it simply starts again; not for ever, though. */
function reopenAfterCrash(window: BrowserWindow): void {
  let crashes: number[] = []
  window.webContents.on('render-process-gone', (_event, { reason }) => {
    const now = Date.now()
    crashes = [...crashes.filter((time) => now - time < CRASH_WINDOW_MS), now]
    if (reason === 'clean-exit' || crashes.length > MAX_CRASHES) return
    setTimeout(() => {
      if (!window.isDestroyed()) void window.loadURL(appUrl)
    }, 100)
  })
}
