/**
 * A test runner for Stryker that runs the unit tests of one folder of `protocol` many times faster than
 * Vitest would: modules are evaluated anew for each mutant, in one thread, from sources that are parsed
 * once. Time limits count the processor's time, so that a busy machine kills no mutant.
 */
import { Worker } from 'node:worker_threads'
import type { Answer, Begun, Job, TestOutcome, ThreadData } from './test-thread.ts'

/** With a mutant, a test may take this many times what it takes without it, and this many milliseconds more. */
const TIME_FACTOR = 5
const TIME_ALLOWED_MS = 2_500
const HEAP_LIMIT_MB = 1_024
/** A thread that has run this many mutants makes room for a fresh one. */
const RUNS_PER_THREAD = 400

const SUCCESS = 0
const FAILED = 1

interface DryRunOptions {
  readonly timeout: number
}

interface MutantRunOptions {
  readonly testFilter?: readonly string[]
  readonly hitLimit?: number
  readonly activeMutant: { readonly id: string; readonly fileName: string }
  readonly mutantActivation: 'runtime' | 'static'
}

interface Ended {
  readonly ended: string
}

class ProtocolTestRunner {
  readonly #data: Omit<ThreadData, 'durations'>
  #thread: Worker | null = null
  #runs = 0
  #durations = new Map<string, number>()

  constructor(options: { readonly protocolTests: string }) {
    this.#data = { root: process.cwd(), testFiles: options.protocolTests }
    // A mutant that never comes back would outlive a run that is stopped.
    process.once('disconnect', () => process.exit(1))
  }

  capabilities(): { reloadEnvironment: boolean } {
    return { reloadEnvironment: true }
  }

  async dryRun(_: DryRunOptions): Promise<unknown> {
    const done = await this.#run({ tests: undefined, mutant: undefined, hitLimit: undefined })
    if ('ended' in done) return { status: 'error', errorMessage: done.ended }
    if (done.loadFailure !== null) return { status: 'error', errorMessage: done.loadFailure }
    for (const { id, milliseconds } of done.outcomes) this.#durations.set(id, milliseconds)
    // The next thread knows them.
    await this.dispose()
    return {
      status: 'complete',
      tests: done.outcomes.map(testResult),
      mutantCoverage: done.coverage,
    }
  }

  async mutantRun(options: MutantRunOptions): Promise<unknown> {
    const { testFilter: tests, hitLimit, activeMutant, mutantActivation } = options
    const done = await this.#run({
      tests,
      mutant: {
        id: activeMutant.id,
        file: activeMutant.fileName,
        whileLoading: mutantActivation === 'static',
      },
      hitLimit,
    })
    if ('ended' in done) return { status: 'timeout', reason: done.ended }
    if (hitLimit !== undefined && (done.hits ?? 0) > hitLimit) {
      return { status: 'timeout', reason: `more than ${String(hitLimit)} hits` }
    }
    if (done.loadFailure !== null) {
      // A module that does not load fails every test.
      const killedBy = [...(tests ?? this.#durations.keys())].slice(0, 1)
      return {
        status: 'killed',
        killedBy,
        failureMessage: `on loading: ${done.loadFailure}`,
        nrOfTests: 0,
      }
    }
    const failed = done.outcomes.find(({ failure }) => failure !== null)
    const nrOfTests = done.outcomes.length
    return failed === undefined
      ? { status: 'survived', nrOfTests }
      : { status: 'killed', killedBy: [failed.id], failureMessage: failed.failure, nrOfTests }
  }

  async dispose(): Promise<void> {
    await this.#thread?.terminate()
    this.#thread = null
  }

  /** One job in the thread. With a mutant, each file has its time to load, and each test to run. */
  async #run(job: Job): Promise<Answer | Ended> {
    if (this.#runs >= RUNS_PER_THREAD) await this.dispose()
    const thread = this.#thread ?? (await this.#start())
    this.#runs += 1
    let started = process.cpuUsage()
    let limit = job.mutant === undefined ? Infinity : TIME_ALLOWED_MS
    return await new Promise<Answer | Ended>((resolve, reject) => {
      const settle = (result: Answer | Ended): void => {
        clearInterval(watch)
        thread.off('message', onMessage).off('error', onError).off('exit', onExit)
        if ('ended' in result) {
          this.#thread = null
          void thread.terminate().then(() => {
            resolve(result)
          })
        } else resolve(result)
      }
      const watch = setInterval(() => {
        const { user, system } = process.cpuUsage(started)
        if ((user + system) / 1000 > limit) {
          settle({ ended: `more than ${String(Math.round(limit))} ms of processor time` })
        }
      }, 200)
      const onMessage = (answer: Answer | Begun | { readonly broken: string }): void => {
        if ('broken' in answer) reject(new Error(answer.broken))
        else if ('begun' in answer) {
          started = process.cpuUsage()
          limit = (this.#durations.get(answer.begun) ?? 0) * TIME_FACTOR + TIME_ALLOWED_MS
        } else settle(answer)
      }
      const onError = (error: unknown): void => {
        settle({ ended: error instanceof Error ? error.message : String(error) })
      }
      const onExit = (): void => {
        settle({ ended: 'the thread ended' })
      }
      thread.on('message', onMessage).on('error', onError).on('exit', onExit)
      thread.postMessage(job)
    })
  }

  async #start(): Promise<Worker> {
    const thread = new Worker(new URL('./test-thread.ts', import.meta.url), {
      workerData: { ...this.#data, durations: this.#durations } satisfies ThreadData,
      resourceLimits: { maxOldGenerationSizeMb: HEAP_LIMIT_MB },
    })
    this.#thread = thread
    this.#runs = 0
    await new Promise<void>((resolve, reject) => {
      thread.once('message', () => {
        resolve()
      })
      thread.once('error', reject)
    })
    return thread
  }
}

function testResult({ id, name, file, position, milliseconds, failure }: TestOutcome): unknown {
  return {
    id,
    name,
    fileName: file,
    ...(position === null ? {} : { startPosition: position }),
    timeSpentMs: milliseconds,
    ...(failure === null ? { status: SUCCESS } : { status: FAILED, failureMessage: failure }),
  }
}

const createRunner = Object.assign(
  (options: { readonly protocolTests: string }) => new ProtocolTestRunner(options),
  { inject: ['options'] },
)

export const strykerPlugins = [{ kind: 'TestRunner', name: 'protocol', factory: createRunner }]
