/** What the host was started with, and the objects of which there is one per process. */
import { Browser, type BrowserEvents } from './browser.ts'
import { Origins } from './origins.ts'

export interface Environment {
  /** Chromium's profile folder; final once Chromium was started. */
  profile: string
  /** Playwright's debugging port, or null where only the pipe is used. */
  debuggingPort: number | null
  headless: boolean
  sandbox: boolean
  /** Chromium switches, `--name` or `--name=value`. */
  switches: string[]
}

function needsNoSandbox(): boolean {
  return process.getuid?.() === 0
}

function hasDisplay(): boolean {
  if (process.env['ECCP_HOST_HEADLESS'] === '1') return false
  if (process.platform !== 'linux') return true
  return Boolean(process.env['DISPLAY']) || Boolean(process.env['WAYLAND_DISPLAY'])
}

export const environment: Environment = {
  profile: '',
  debuggingPort: null,
  headless: !hasDisplay(),
  sandbox: !needsNoSandbox(),
  switches: [],
}

export const origins = new Origins()

/** Filled in by the modules that own the objects behind; breaks import cycles. */
export const browserEvents: Omit<BrowserEvents, 'onNoSandbox'> = {
  onRequest() {},
  onTargetGone() {},
  onBrowserGone() {},
}

export const browser = new Browser(
  () => ({
    profile: environment.profile,
    headless: environment.headless,
    sandbox: environment.sandbox,
    debuggingPort: environment.debuggingPort,
    switches: environment.switches,
  }),
  {
    onRequest: (request, session) => browserEvents.onRequest(request, session),
    onTargetGone: (targetId) => browserEvents.onTargetGone(targetId),
    onBrowserGone: () => browserEvents.onBrowserGone(),
    onNoSandbox() {
      process.stderr.write('Chromium cannot use its sandbox here and runs without it\n')
      environment.sandbox = false
    },
  },
)

/** Everything stand-ins were asked to do, in order, for tests. */
export interface Recorded {
  what: string
  args: unknown[]
}

export const recorded: Recorded[] = []

export function record(what: string, ...args: unknown[]): void {
  recorded.push({ what, args })
}
