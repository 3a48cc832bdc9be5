/**
 * The thread that runs the tests: one message in, one answer out. It holds the modules' sources; the
 * runner ends it where a mutant never comes back.
 */
import { globSync } from 'node:fs'
import { join } from 'node:path'
import { parentPort, workerData } from 'node:worker_threads'
import { ModuleGraph } from './module-graph.ts'
import { createExpect, TestCollector, type CollectedTest } from './test-api.ts'

export interface ThreadData {
  /** The sandbox: a copy of the checkout with the instrumented modules. */
  readonly root: string
  readonly testFiles: string
}

export interface Job {
  /** The tests to run, by id; all of them where it is undefined. */
  readonly tests: readonly string[] | undefined
  /** The mutant, none in the first run; from when on it is active. */
  readonly mutant: { readonly id: string; readonly whileLoading: boolean } | undefined
  readonly hitLimit: number | undefined
}

export interface TestOutcome {
  readonly id: string
  readonly name: string
  readonly file: string
  readonly position: CollectedTest['position']
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

/** What the instrumented code reads and writes, under the name that Stryker gave it. */
interface Instruments {
  activeMutant?: string | undefined
  currentTestId?: string | undefined
  mutantCoverage?: unknown
  hitCount?: number | undefined
  hitLimit?: number | undefined
}

const { root, testFiles } = workerData as ThreadData
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

/** How long each test took when all were well: the quick ones are asked first. */
const durations = new Map<string, number>()

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

  collector.take()
  try {
    await graph.load(
      wanted === null ? files : files.filter((file) => holdsAny(file, wanted)),
      (file) => {
        collector.begin(file)
      },
    )
  } catch (error) {
    return answer([], messageOf(error))
  }
  const tests = collector.take().filter(({ id }) => wanted?.has(id) ?? true)
  if (job.mutant !== undefined) {
    tests.sort((a, b) => (durations.get(a.id) ?? 0) - (durations.get(b.id) ?? 0))
  }
  instruments.activeMutant = job.mutant?.id

  const outcomes: TestOutcome[] = []
  for (const { body, ...test } of tests) {
    instruments.currentTestId = test.id
    const started = performance.now()
    let failure: string | null = null
    try {
      await body()
    } catch (error) {
      failure = messageOf(error)
    }
    const milliseconds = performance.now() - started
    outcomes.push({ ...test, milliseconds, failure })
    if (job.mutant === undefined) durations.set(test.id, milliseconds)
    else if (failure !== null) break
  }
  instruments.currentTestId = undefined
  return answer(outcomes, null)
}

function holdsAny(file: string, ids: ReadonlySet<string>): boolean {
  const prefix = `${file.slice(root.endsWith('/') ? root.length : root.length + 1)}#`
  for (const id of ids) if (id.startsWith(prefix)) return true
  return false
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
