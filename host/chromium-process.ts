/**
 * Starts one Chromium on a profile folder and clears up what a killed one left behind.
 * Knows the command line and the profile's locks, nothing of pages.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdirSync, readFileSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Readable, Writable } from 'node:stream'
import { CdpConnection } from './cdp.ts'
import { findChromium } from './find-chromium.ts'
import { HostError } from './host-error.ts'

export interface ChromiumOptions {
  profile: string
  headless: boolean
  sandbox: boolean
  /** Only under Playwright: the debugging port to open beside the pipe, 0 for any. */
  debuggingPort: number | null
  switches: string[]
}

export interface Chromium {
  readonly process: ChildProcess
  readonly connection: CdpConnection
  readonly path: string
  /** Settles when the process is gone. */
  readonly exited: Promise<void>
}

/** With a display, the first window is there from the start: one without tabs. */
export const SPARE_PAGE = 'data:text/html,eccp'

const FLAGS = [
  '--remote-debugging-pipe',
  '--no-first-run',
  '--no-default-browser-check',
  '--no-service-autorun',
  '--disable-background-networking',
  '--disable-background-timer-throttling',
  '--disable-backgrounding-occluded-windows',
  '--disable-renderer-backgrounding',
  '--disable-breakpad',
  '--disable-component-extensions-with-background-pages',
  '--disable-component-update',
  '--disable-default-apps',
  '--disable-dev-shm-usage',
  '--disable-extensions',
  '--disable-field-trial-config',
  '--disable-gpu',
  '--disable-infobars',
  '--disable-quic',
  '--disable-search-engine-choice-screen',
  '--disable-session-crashed-bubble',
  '--disable-sync',
  '--hide-crash-restore-bubble',
  '--metrics-recording-only',
  '--password-store=basic',
  '--use-mock-keychain',
  '--test-type',
  // Electron's pages have the `close` event of message ports, stock Chromium's do not.
  '--enable-blink-features=MessagePortCloseEvent',
  '--disable-features=' +
    [
      'AimEnabled',
      'HttpsFirstBalancedModeAutoEnable',
      'HttpsUpgrades',
      'MediaRouter',
      'OptimizationGuideModelExecution',
      'OptimizationGuideOnDeviceModel',
      'OptimizationHints',
      'PaintHolding',
      'PreconnectToSearch',
      'Translate',
      'WebUIOmniboxAimPopup',
      'WebUIOmniboxPopup',
    ].join(','),
]

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** The command line of a process, or null where the system does not tell. */
function commandLine(pid: number): string | null {
  try {
    return readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8').replaceAll('\0', ' ')
  } catch {
    return null
  }
}

function readPid(read: () => string): number | null {
  try {
    const pid = Number(/(\d+)$/.exec(read().trim())?.[1])
    return Number.isInteger(pid) && pid > 0 ? pid : null
  } catch {
    return null
  }
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

/**
 * Makes the profile free to use. A Chromium whose host was killed closes by itself when its
 * pipe does: that is waited for, and enforced. Rejects with HostError `profile_in_use` while
 * another host lives on the profile.
 */
async function claimProfile(profile: string): Promise<void> {
  mkdirSync(profile, { recursive: true, mode: 0o700 })
  const owner = join(profile, 'host.pid')
  const host = readPid(() => readFileSync(owner, 'utf8'))
  if (host !== null && host !== process.pid && isAlive(host)) {
    // Without /proc a reused number can't be told apart; a live one then counts as a host.
    if (commandLine(host)?.includes('host/start') ?? true) {
      throw new HostError('profile_in_use', `Another development host uses ${profile}`)
    }
  }
  writeFileSync(owner, String(process.pid))
  const lock = join(profile, 'SingletonLock')
  const stale = readPid(() => readlinkSync(lock))
  if (stale !== null && commandLine(stale)?.includes(profile) === true) {
    for (let waited = 0; waited < 3000 && isAlive(stale); waited += 25) await pause(25)
    if (isAlive(stale)) process.kill(stale, 'SIGKILL')
    while (isAlive(stale)) await pause(10)
  }
  for (const name of ['SingletonLock', 'SingletonSocket', 'SingletonCookie']) {
    rmSync(join(profile, name), { force: true })
  }
}

/**
 * Starts Chromium. Rejects with HostError `no_chromium`, `no_sandbox`, `profile_in_use` or
 * `start_failed`.
 */
export async function startChromium(options: ChromiumOptions): Promise<Chromium> {
  const path = findChromium()
  if (path === null) {
    throw new HostError('no_chromium', 'No Chromium, Chrome or Edge found; set ECCP_CHROMIUM')
  }
  await claimProfile(options.profile)
  const args = [...FLAGS, `--user-data-dir=${options.profile}`]
  if (options.headless) args.push('--headless=new', '--no-startup-window')
  else args.push(`--app=${SPARE_PAGE}`)
  if (!options.sandbox) args.push('--no-sandbox')
  if (options.debuggingPort !== null) {
    args.push(`--remote-debugging-port=${String(options.debuggingPort)}`)
  }
  args.push(...options.switches)
  // A process group of its own: Ctrl+C goes to the host, which then quits in order.
  const child = spawn(path, args, {
    stdio: ['ignore', 'ignore', 'pipe', 'pipe', 'pipe'],
    detached: process.platform !== 'win32',
  })
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => resolve())
    child.once('error', () => resolve())
  })
  const verbose = process.env['ECCP_HOST_VERBOSE'] === '1'
  let errors = ''
  if (child.stderr !== null) {
    createInterface({ input: child.stderr }).on('line', (line) => {
      if (verbose || line.startsWith('DevTools listening on ')) process.stderr.write(`${line}\n`)
      errors = `${errors}${line}\n`.slice(-2000)
    })
  }
  const trace = (line: string): void => {
    process.stderr.write(`${performance.now().toFixed(0)} ${line.slice(0, 500)}\n`)
  }
  const connection = new CdpConnection(
    child.stdio[4] as Readable,
    child.stdio[3] as Writable,
    process.env['ECCP_HOST_TRACE'] === '1' ? trace : null,
  )
  try {
    await connection.browser.send('Browser.getVersion')
  } catch {
    await exited
    if (options.sandbox && /no usable sandbox|SUID sandbox|new namespace/i.test(errors)) {
      throw new HostError('no_sandbox', 'Chromium cannot use its sandbox here')
    }
    throw new HostError('start_failed', `Chromium did not start\n${errors}`)
  }
  return { process: child, connection, path, exited }
}
