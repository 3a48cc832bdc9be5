/** Runs the fixture app in the host for a test, and talks with it over its own stdio. */
import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { inspect } from 'node:util'

export const HOST = join(import.meta.dirname, '..', 'electron')
export const APP = join(import.meta.dirname, 'app')

export async function temporaryFolder(): Promise<{ path: string; remove(): Promise<void> }> {
  const path = await mkdtemp(join(tmpdir(), 'eccp-host-test-'))
  return {
    path,
    // Chromium may still be writing its last files.
    remove: () => rm(path, { recursive: true, force: true, maxRetries: 20, retryDelay: 50 }),
  }
}

export interface RunningHost {
  readonly process: ChildProcess
  readonly errors: () => string
  readonly exited: Promise<number | null>
  /** Waits for the fixture's next report of that name. */
  next(name: string): Promise<unknown>
  /** Evaluates an expression in the fixture's main process. */
  main(expression: string): Promise<unknown>
  /** Evaluates an expression in the fixture's page; the result must be JSON. */
  page(expression: string): Promise<unknown>
  quit(): Promise<number | null>
}

export interface RunOptions {
  args?: string[]
  env?: Record<string, string>
}

/** Starts the fixture, headless unless `env` says otherwise. */
export function runHost(userData: string, { args = [], env = {} }: RunOptions = {}): RunningHost {
  const child = spawn(HOST, [APP, `--user-data-dir=${userData}`, ...args], {
    stdio: ['pipe', 'pipe', 'pipe'],
    env: { ...process.env, ECCP_HOST_HEADLESS: '1', ...env },
  })
  let errors = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => (errors += text))
  child.stdin.on('error', () => {})
  const reports: [string, unknown][] = []
  const waiting: { name: string; resolve(value: unknown): void; reject(error: Error): void }[] = []
  createInterface({ input: child.stdout }).on('line', (line) => {
    const [name, value] = JSON.parse(line) as [string, unknown]
    const at = waiting.findIndex((it) => it.name === name)
    if (at === -1) reports.push([name, value])
    else waiting.splice(at, 1)[0]?.resolve(value)
  })
  const exited = new Promise<number | null>((resolve) => {
    child.once('exit', (code) => {
      for (const { reject } of waiting.splice(0)) reject(new Error(`The host ended\n${errors}`))
      resolve(code)
    })
  })
  const next = (name: string): Promise<unknown> => {
    const at = reports.findIndex(([it]) => it === name)
    if (at !== -1) return Promise.resolve(reports.splice(at, 1)[0]?.[1])
    return new Promise((resolve, reject) => waiting.push({ name, resolve, reject }))
  }
  let lastId = 0
  const main = async (expression: string): Promise<unknown> => {
    const id = ++lastId
    child.stdin.write(`${JSON.stringify({ id, expression })}\n`)
    const [ok, value] = (await next(`result-${String(id)}`)) as [boolean, unknown]
    if (!ok) throw new Error(String(value))
    return value
  }
  return {
    process: child,
    errors: () => errors,
    exited,
    next,
    main,
    page: (expression) =>
      main(`fixture.main().webContents.executeJavaScript(${JSON.stringify(expression)})`),
    async quit() {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGTERM')
        setTimeout(() => child.kill('SIGKILL'), 10_000).unref()
      }
      return exited
    },
  }
}

/** The process numbers of the Chromium main processes on a folder, by /proc. */
export function chromiumOn(userData: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        const line = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
        return line.includes(`--user-data-dir=${userData}/`) && !line.includes('--type=')
      } catch {
        return false
      }
    })
    .map(Number)
}

/** Waits until `condition` holds; fails after ten seconds. */
export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const deadline = Date.now() + 10_000
  while (!(await condition())) {
    if (Date.now() > deadline) throw new Error(`Waited in vain: ${inspect(condition)}`)
    await new Promise((resolve) => setTimeout(resolve, 25))
  }
}
