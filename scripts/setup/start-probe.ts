/**
 * Preloaded into every process of a start that is measured (scripts/bench-start.ts): each appends to the
 * file that ECCP_START_MARKS names when it began; the app also when its window came, when that was first
 * painted, and when there was something to use.
 */
import { appendFileSync } from 'node:fs'

export type Mark = 'script' | 'app' | 'window' | 'painted' | 'usable'

export interface Marked {
  readonly mark: Mark
  /** Milliseconds since 1970, with fractions. */
  readonly at: number
  readonly pid: number
}

interface Window {
  readonly webContents: {
    executeJavaScript(code: string): Promise<unknown>
    getURL(): string
    once(event: 'dom-ready', listener: () => void): void
  }
}
interface Electron {
  readonly app: {
    on(event: 'browser-window-created', listener: (event: object, window: Window) => void): void
  }
}

const now = (): number => performance.timeOrigin + performance.now()

function note(mark: Mark, at: number): void {
  const file = process.env['ECCP_START_MARKS']
  if (file === undefined) return
  const marked: Marked = { mark, at, pid: process.pid }
  appendFileSync(file, `${JSON.stringify(marked)}\n`)
}

/** Answers with the times of the first paint and of the first thing to use, found by its role. */
const LOOK = `new Promise((resolve) => {
  const usable = () =>
    document.querySelector('nav[aria-label="Conversations"]') ??
    [...document.querySelectorAll('input')].find((input) => input.offsetParent !== null && !input.disabled)
  const look = () => {
    if (!usable()) return setTimeout(look, 5)
    const [paint] = performance.getEntriesByType('paint')
    const at = performance.timeOrigin + performance.now()
    resolve({ painted: paint ? performance.timeOrigin + paint.startTime : at, usable: at })
  }
  look()
})`

async function watch(window: Window, created: number): Promise<void> {
  const { webContents } = window
  await new Promise<void>((resolve) => {
    webContents.once('dom-ready', resolve)
  })
  // The hidden window that stores has nothing to use.
  if (webContents.getURL().includes('vault')) return
  const seen = (await webContents.executeJavaScript(LOOK)) as { painted: number; usable: number }
  note('window', created)
  note('painted', seen.painted)
  note('usable', seen.usable)
}

function watchApp(): void {
  note('app', performance.timeOrigin)
  // The host sets this right before `electron` can be imported, and long before the first window.
  let type: unknown
  Object.defineProperty(process, 'type', {
    get: () => type,
    set(value: unknown) {
      type = value
      const name = 'electron'
      queueMicrotask(() => {
        void import(name).then((electron: Electron) => {
          electron.app.on('browser-window-created', (_event, window) => {
            void watch(window, now())
          })
        })
      })
    },
  })
}

const script = process.argv[1] ?? ''
if (/[\\/]scripts[\\/]start\.ts$/.test(script)) note('script', performance.timeOrigin)
if (/[\\/]host[\\/]start\.js$/.test(script)) watchApp()
