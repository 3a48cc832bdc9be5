/**
 * `npm run mutation [-- MODULE …]`: changes the code of `src-shared/protocol` in thousands of small ways and
 * sees whether the unit tests beside it notice; closes with the score of each module and in total.
 *
 *   --summary          only prints the scores of what was run so far
 *   --survivors        lists the changes that no test noticed as well
 *   --concurrency N    runs N mutants at a time (as many as there are cores)
 *   --force            forgets what was run before
 *
 * A module is a folder of `protocol`; `crypto` names the files beside the folders. Results are kept for each
 * module, so that a run that was stopped goes on where it was, and a change repeats only what it concerns.
 * Fails where a module was not run to its end, or the total is below the score that is asked for.
 */
import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import {
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { cacheFolder, root } from './setup/paths.ts'
import { runNode } from './setup/run.ts'

const SCORE_ASKED_FOR = 85
const home = join(root, 'mutation')
const results = join(cacheFolder, 'mutation')
const source = 'src-shared/protocol'

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    summary: { type: 'boolean', default: false },
    survivors: { type: 'boolean', default: false },
    force: { type: 'boolean', default: false },
    concurrency: { type: 'string', default: String(availableParallelism()) },
  },
})

/** The folders, in the order in which an implementer meets them, and the files beside them. */
const folders = readdirSync(join(root, source), { withFileTypes: true })
  .filter((entry) => entry.isDirectory() && entry.name !== 'testing')
  .map((entry) => entry.name)
const modules = [...folders.sort(), 'crypto']
const unknown = positionals.filter((name) => !modules.includes(name))
if (unknown.length > 0 || !/^[1-9]\d?$/.test(options.concurrency)) {
  console.error(`usage: npm run mutation [-- MODULE …]; the modules are ${modules.join(', ')}`)
  process.exit(1)
}
const wanted = positionals.length > 0 ? positionals : modules

function filesOf(module: string): { readonly mutated: string[]; readonly tests: string } {
  const folder = module === 'crypto' ? source : `${source}/${module}`
  return {
    mutated: globSync(`${folder}/*.ts`, { cwd: root })
      .map((file) => file.replaceAll('\\', '/'))
      .filter((file) => !file.endsWith('.test.ts') && !file.endsWith('/index.ts')),
    tests: `${folder}/*.test.ts`,
  }
}

function installTools(): void {
  const stamp = join(home, 'node_modules', '.installed')
  const lock = createHash('sha256')
    .update(readFileSync(join(home, 'package-lock.json')))
    .digest('hex')
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === lock) return
  console.log('Installing Stryker (once, and again only when its lockfile changes) …')
  const installed = spawnSync('npm', ['ci', '--ignore-scripts', '--loglevel=error'], {
    cwd: home,
    stdio: 'inherit',
    shell: process.platform === 'win32',
  })
  if (installed.status !== 0) {
    console.error('Stryker could not be installed: is the npm registry reachable?')
    process.exit(1)
  }
  writeFileSync(stamp, lock)
}

const reportOf = (module: string): string => join(results, `${module}.json`)
/** There while the module's report is that of a run to its end; a stopped run leaves out what it did not reach. */
const finishedMark = (module: string): string => join(results, `${module}.finished`)

/**
 * Of code that runs on loading Stryker takes over what survived, even where a test was added since; so what
 * survived there is left out of what it knows, and tried again.
 */
function forgetStaticSurvivors(module: string): void {
  if (!existsSync(reportOf(module))) return
  const report = JSON.parse(readFileSync(reportOf(module), 'utf8')) as Report
  for (const file of Object.values(report.files))
    file.mutants = file.mutants.filter(
      ({ status, static: onLoading }) => status !== 'Survived' || onLoading !== true,
    )
  writeFileSync(reportOf(module), JSON.stringify(report))
}

async function mutate(module: string): Promise<void> {
  const { mutated, tests } = filesOf(module)
  const configuration = join(results, `${module}.config.json`)
  mkdirSync(results, { recursive: true })
  rmSync(finishedMark(module), { force: true })
  forgetStaticSurvivors(module)
  writeFileSync(
    configuration,
    JSON.stringify(
      {
        testRunner: 'protocol',
        plugins: [join(home, 'runner.ts')],
        protocolTests: tests,
        testRunnerNodeArgs: ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'],
        mutate: mutated,
        coverageAnalysis: 'perTest',
        concurrency: Number(options.concurrency),
        incremental: true,
        incrementalFile: reportOf(module),
        force: options.force,
        ignorePatterns: [
          '*',
          '!src-shared',
          'src-shared/*',
          '!src-shared/protocol/**',
          '!src-platform/**',
          '!package.json',
        ],
        tempDirName: join(results, 'sandbox'),
        disableTypeChecks: false,
        reporters: ['progress-append-only'],
        // The runner has limits of its own; these count the time of a machine that may be busy.
        timeoutMS: 600_000,
        dryRunTimeoutMinutes: 30,
        warnings: { slow: false, unknownOptions: false },
      },
      null,
      2,
    ),
  )
  console.log(`\n── ${module}`)
  const ran = await runNode([
    join(home, 'node_modules', '@stryker-mutator', 'core', 'bin', 'stryker.js'),
    'run',
    configuration,
  ])
  rmSync(configuration)
  if (ran.code === 0) writeFileSync(finishedMark(module), '')
}

interface Place {
  readonly line: number
  readonly column: number
}

interface Report {
  readonly files: Readonly<
    Record<
      string,
      {
        readonly source: string
        mutants: readonly {
          readonly mutatorName: string
          readonly replacement?: string
          readonly status: string
          readonly static?: boolean
          readonly location: { readonly start: Place; readonly end: Place }
        }[]
      }
    >
  >
}

interface Score {
  detected: number
  timedOut: number
  survived: number
  uncovered: number
}

const percent = ({ detected, survived, uncovered }: Score): number =>
  (100 * detected) / Math.max(1, detected + survived + uncovered)

function scoreOf(module: string): Score | null {
  if (!existsSync(reportOf(module))) return null
  const report = JSON.parse(readFileSync(reportOf(module), 'utf8')) as Report
  const score: Score = { detected: 0, timedOut: 0, survived: 0, uncovered: 0 }
  const left: string[] = []
  for (const [file, { source: text, mutants }] of Object.entries(report.files)) {
    for (const { status, location, mutatorName, replacement } of mutants) {
      if (status === 'Killed' || status === 'Timeout') score.detected += 1
      if (status === 'Timeout') score.timedOut += 1
      if (status === 'Survived') score.survived += 1
      if (status === 'NoCoverage') score.uncovered += 1
      if (status !== 'Survived' && status !== 'NoCoverage') continue
      const { start } = location
      const change = `${oneLine(part(text, location))} → ${oneLine(replacement ?? mutatorName)}`
      left.push(
        `  ${file}:${String(start.line)}:${String(start.column)} ${status === 'Survived' ? mutatorName : `${mutatorName}, never run`}: ${change}`,
      )
    }
  }
  if (options.survivors && left.length > 0) console.log(`${module}\n${left.join('\n')}`)
  return score
}

function part(text: string, { start, end }: { start: Place; end: Place }): string {
  const lines = text.split('\n').slice(start.line - 1, end.line)
  const last = lines.length - 1
  lines[last] = (lines[last] ?? '').slice(0, end.column - 1)
  lines[0] = (lines[0] ?? '').slice(start.column - 1)
  return lines.join('\n')
}

function oneLine(text: string): string {
  const line = text.replaceAll(/\s+/g, ' ').trim()
  return line.length > 100 ? `${line.slice(0, 60)} … ${line.slice(-35)}` : line
}

if (!options.summary) {
  installTools()
  for (const module of wanted) await mutate(module)
}

const total: Score = { detected: 0, timedOut: 0, survived: 0, uncovered: 0 }
const rows = wanted.map((module) => ({ module, score: scoreOf(module) }))
console.log(
  `\n${'module'.padEnd(12)}${'score'.padStart(9)}   noticed (time-outs), survived, never run`,
)
for (const { module, score } of rows) {
  if (score === null) {
    console.log(`${module.padEnd(12)}${'—'.padStart(9)}   not run`)
    continue
  }
  for (const key of Object.keys(total) as (keyof Score)[]) total[key] += score[key]
  const finished = existsSync(finishedMark(module))
  console.log(`${line(module, score)}${finished ? '' : '; stopped before the end'}`)
}
console.log(line('total', total))
const complete = wanted.every((module) => existsSync(finishedMark(module)))
process.exit(complete && percent(total) >= SCORE_ASKED_FOR ? 0 : 1)

function line(name: string, score: Score): string {
  const { detected, timedOut, survived, uncovered } = score
  return (
    `${name.padEnd(12)}${percent(score).toFixed(2).padStart(7)} %   ` +
    `${String(detected)} (${String(timedOut)}), ${String(survived)}, ${String(uncovered)}`
  )
}
