/**
 * `npm run bench:start`: how long the second start takes, from the command to a window one can use. The
 * app has an account, its vault is locked and its personal node is down, as after a night. A profile of
 * its own, in a temporary folder.
 *
 * usage: npm run bench:start [-- --runs N]
 */
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { launchApp } from '../e2e/driver/app.ts'
import { choosePassphrase, createAccount } from '../e2e/driver/person.ts'
import { endPersonalNode } from '../e2e/driver/personal-node.ts'
import { buildDesktop } from './setup/build.ts'
import { root } from './setup/paths.ts'
import { chooseShell, describeShell, hasDisplay } from './setup/shell.ts'
import type { Mark, Marked } from './setup/start-probe.ts'

const AIM = 5
const PATIENCE_MS = 60_000
const probe = pathToFileURL(join(import.meta.dirname, 'setup', 'start-probe.ts')).href

const parts: readonly { readonly mark: Mark; readonly part: string }[] = [
  { mark: 'script', part: 'npm, bootstrap and Node until the start script runs' },
  { mark: 'app', part: 'start script: shell and build checked, app process up' },
  { mark: 'window', part: 'app: modules loaded, window opened' },
  { mark: 'painted', part: 'first paint' },
  { mark: 'usable', part: 'something to use: the lock screen' },
]

const { values } = parseArgs({ options: { runs: { type: 'string', default: '7' } } })
const runs = Number(values.runs)
if (!Number.isInteger(runs) || runs < 1) {
  console.error('usage: npm run bench:start [-- --runs N]')
  process.exit(2)
}
process.exit(await benchStart())

async function benchStart(): Promise<number> {
  const shell = await chooseShell()
  if (shell === null || !(await buildDesktop())) return 1
  if (shell.kind !== 'host') {
    console.error('The start is measured on the development host only; Electron takes no probe.')
    return 1
  }
  process.env['ECCP_E2E_EXECUTABLE'] = shell.executable
  const home = mkdtempSync(join(tmpdir(), 'privchat-bench-start-'))
  try {
    const app = await launchApp({ home })
    await choosePassphrase(app.page)
    const password = 'a clock in the tower'
    await createAccount(app.page, { name: 'ada', displayName: 'Ada', password, server: null })
    await app.close()
    const measured: Marks[] = []
    // The first one fills Node's compile cache and counts for nothing.
    for (let run = 0; run <= runs; run++) {
      endPersonalNode(home)
      const marks = await oneStart(home, run)
      if (run > 0) measured.push(marks)
    }
    print(measured, describeShell(shell))
    return 0
  } finally {
    endPersonalNode(home)
    rmSync(home, { recursive: true, force: true, maxRetries: 20, retryDelay: 100 })
  }
}

/** Milliseconds after the command. */
type Marks = ReadonlyMap<Mark, number>

async function oneStart(home: string, run: number): Promise<Marks> {
  const file = join(home, `marks-${String(run)}.jsonl`)
  const npm = process.env['npm_execpath']
  const command =
    npm?.endsWith('.js') === true
      ? [npm, 'start', '--silent']
      : [join(root, 'scripts', 'bootstrap.mjs'), 'start']
  const began = performance.timeOrigin + performance.now()
  const child = spawn(process.execPath, command, {
    cwd: root,
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...process.env,
      ECCP_HOME: home,
      ECCP_START_MARKS: file,
      NODE_OPTIONS: `--import ${probe}`,
      // Without a display the start would be that of the demo.
      ...(hasDisplay() ? {} : { DISPLAY: 'none', ECCP_HOST_HEADLESS: '1' }),
    },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString('utf8')).slice(-4000)
    })
  const ended = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  const deadline = Date.now() + PATIENCE_MS
  let marked: readonly Marked[] = []
  while (!marked.some(({ mark }) => mark === 'usable')) {
    if (Date.now() > deadline || child.exitCode !== null)
      throw new Error(
        `the app did not come up: ${marked.map(({ mark }) => mark).join(', ')}\n${output}`,
      )
    await new Promise((resolve) => setTimeout(resolve, 20))
    marked = existsSync(file)
      ? readFileSync(file, 'utf8')
          .split('\n')
          .filter((line) => line.endsWith('}'))
          .map((line) => JSON.parse(line) as Marked)
      : []
  }
  const app = marked.find(({ mark }) => mark === 'app')
  if (app !== undefined) process.kill(app.pid, 'SIGTERM')
  await ended
  return new Map(marked.map(({ mark, at }) => [mark, at - began]))
}

function print(measured: readonly Marks[], shell: string): void {
  const seconds = (value: number): string => (value / 1000).toFixed(2)
  const total = measured.map((marks) => marks.get('usable') ?? Number.NaN)
  console.log(
    `Second start on ${shell}: ${seconds(median(total))} s to a usable window (median of ${String(runs)}, ${seconds(Math.min(...total))} to ${seconds(Math.max(...total))} s; aim ${String(AIM)} s)`,
  )
  let before: Mark | null = null
  for (const { mark, part } of parts) {
    const from = before
    const took = measured.map(
      (marks) => (marks.get(mark) ?? Number.NaN) - (from === null ? 0 : (marks.get(from) ?? 0)),
    )
    console.log(`  ${seconds(median(took)).padStart(6)} s  ${part}`)
    before = mark
  }
}

function median(numbers: readonly number[]): number {
  const sorted = numbers.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
