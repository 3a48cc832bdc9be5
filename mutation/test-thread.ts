/**
 * The thread that runs the tests: one job in, one answer out. It holds the modules' sources; the
 * runner ends it where a mutant never comes back.
 */
import { globSync } from 'node:fs'
import { basename, join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { ModuleGraph } from './module-graph.ts'
import { createExpect, TestCollector, type CollectedTest } from './test-api.ts'

export interface ThreadData {
  /** The sandbox: a copy of the checkout with the instrumented modules. */
  readonly root: string
  readonly testFiles: string
  /** How many milliseconds of the processor each test takes when all is well, as far as that is known. */
  readonly durations: ReadonlyMap<string, number>
}

export interface Job {
  /** The tests to run, by id; all of them where it is undefined. */
  readonly tests: readonly string[] | undefined
  /** The mutant, none in the first run; the file that it changes, and from when on it is active. */
  readonly mutant:
    { readonly id: string; readonly file: string; readonly whileLoading: boolean } | undefined
  readonly hitLimit: number | undefined
}

export interface TestOutcome {
  readonly id: string
  readonly name: string
  readonly file: string
  readonly position: CollectedTest['position']
  /** Of the processor's time. */
  readonly milliseconds: number
  readonly failure: string | null
}

export interface Answer {
  readonly outcomes: readonly TestOutcome[]
  /** Why the tests could not be collected, which a mutant that breaks a module on loading causes. */
  readonly loadFailure: string | null
  readonly coverage: unknown
  readonly hits: number | undefined
}

/** With a mutant: said before each file and each test, so that the runner knows what it waits for. */
export interface Begun {
  readonly begun: string
}

/** What the instrumented code reads and writes, under the name that Stryker gave it. */
interface Instruments {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  mutantCoverage?: unknown
  hitCount?: number | undefined
  hitLimit?: number | undefined
}

const { root, testFiles, durations } = workerData as ThreadData
const port = parentPort
if (port === null) throw new Error('this file is a thread')

const files = globSync(testFiles, { cwd: root })
  .sort()
  .map((file) => join(root, file))
if (files.length === 0) throw new Error(`there is no test among ${testFiles}`)

const instruments: Instruments = {}
Object.assign(globalThis, { __stryker__: instruments })

const collector = new TestCollector(root.endsWith('/') ? root : `${root}/`)
const graph = new ModuleGraph()
graph.provide('vitest', {
  describe: collector.describe,
  it: collector.it,
  test: collector.it,
  expect: await createExpect(),
})
await graph.prepare(files)

async function work(job: Job): Promise<Answer> {
  instruments.activeMutant = job.mutant?.whileLoading === true ? job.mutant.id : undefined
  instruments.currentTestId = undefined
  instruments.hitCount = job.mutant === undefined ? undefined : 0
  instruments.hitLimit = job.hitLimit
  const wanted = job.tests === undefined ? null : new Set(job.tests)
  const answer = (outcomes: TestOutcome[], loadFailure: string | null): Answer => ({
    outcomes,
    loadFailure,
    coverage: job.mutant === undefined ? instruments.mutantCoverage : undefined,
    hits: instruments.hitCount,
  })

  const outcomes: TestOutcome[] = []
  collector.take()
  try {
    await graph.load(
      inOrder(
        wanted === null ? files : files.filter((file) => holdsAny(file, wanted)),
        job.mutant?.file,
      ),
      (file) => {
        if (job.mutant?.whileLoading !== true) instruments.activeMutant = undefined
        begin(file)
        collector.begin(file)
      },
      async () => {
        instruments.activeMutant = job.mutant?.id
        return await run(collector.take().filter(({ id }) => wanted?.has(id) ?? true))
      },
    )
  } catch (error) {
    return answer(outcomes, messageOf(error))
  }
  return answer(outcomes, null)

  function begin(what: string): void {
    if (job.mutant !== undefined) port?.postMessage({ begun: what } satisfies Begun)
  }

  async function run(tests: CollectedTest[]): Promise<'go on' | 'enough'> {
    if (job.mutant !== undefined) tests.sort((a, b) => timeOf(a.id) - timeOf(b.id))
    for (const { body, ...test } of tests) {
      instruments.currentTestId = test.id
      begin(test.id)
      const started = process.cpuUsage()
      let failure: string | null = null
      try {
        await body()
      } catch (error) {
        failure = messageOf(error)
      }
      instruments.currentTestId = undefined
      const { user, system } = process.cpuUsage(started)
      outcomes.push({ ...test, milliseconds: (user + system) / 1000, failure })
      if (job.mutant !== undefined && failure !== null) return 'enough'
    }
    return 'go on'
  }
}

/** First the tests that bear the name of the changed file, then the quick ones. */
function inOrder(chosen: readonly string[], changed: string | undefined): readonly string[] {
  if (changed === undefined) return chosen
  const stem = basename(changed, '.ts')
  const rank = (file: string): number => (basename(file).startsWith(stem) ? 0 : 1)
  const time = new Map(chosen.map((file) => [file, timeOfFile(file)]))
  return chosen.toSorted((a, b) => rank(a) - rank(b) || (time.get(a) ?? 0) - (time.get(b) ?? 0))
}

function timeOf(id: string): number {
  return durations.get(id) ?? 0
}

function timeOfFile(file: string): number {
  const prefix = prefixOf(file)
  let sum = 0
  for (const [id, milliseconds] of durations) if (id.startsWith(prefix)) sum += milliseconds
  return sum
}

function holdsAny(file: string, ids: ReadonlySet<string>): boolean {
  const prefix = prefixOf(file)
  for (const id of ids) if (id.startsWith(prefix)) return true
  return false
}

/** What the ids of a file's tests begin with. */
function prefixOf(file: string): string {
  return `${file.slice(root.endsWith('/') ? root.length : root.length + 1)}#`
}

function messageOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).slice(0, 500)
}

port.on('message', (job: Job) => {
  work(job).then(
    (done) => {
      port.postMessage(done)
    },
    (error: unknown) => {
      // A fault of this harness, not of a test: the whole run stops.
      port.postMessage({ broken: messageOf(error) })
    },
  )
})
port.postMessage('ready')
