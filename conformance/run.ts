/** Runs cases one after the other against one setting and says of each whether the node keeps what it promises. */
import { AssertionError } from 'node:assert'
import { performance } from 'node:perf_hooks'
import { parts } from './case.ts'
import type { Case, Part } from './case.ts'
import type { Setting } from './setting.ts'

const CASE_MS = 60_000
const SLOW_CASE_MS = 240_000

export interface Result {
  readonly part: Part
  readonly name: string
  readonly section: string
  readonly outcome: 'passed' | 'failed' | 'not_run'
  /** Why it failed or was not run. */
  readonly reason?: string
  readonly ms: number
}

export interface Selection {
  readonly cases: Readonly<Record<Part, readonly Case[]>>
  /** Leaves out what waits for deadlines; said of each. */
  readonly quick?: boolean
  /** Only cases whose name or section is chosen. */
  readonly chosen?: (one: Case) => boolean
  readonly onResult?: (result: Result) => void
}

export async function runCases(setting: Setting, selection: Selection): Promise<Result[]> {
  const { cases, quick = false, chosen = () => true, onResult } = selection
  const results: Result[] = []
  for (const part of parts)
    for (const one of cases[part]) {
      if (!chosen(one)) continue
      const result = await runCase(setting, part, one, quick)
      results.push(result)
      onResult?.(result)
    }
  return results
}

async function runCase(setting: Setting, part: Part, one: Case, quick: boolean): Promise<Result> {
  const { name, section } = one
  const about = { part, name, section }
  const lacks =
    setting.lacks(one) ?? (quick && one.slow === true ? 'left out of a quick run' : null)
  if (lacks !== null) return { ...about, outcome: 'not_run', reason: lacks, ms: 0 }
  const began = performance.now()
  const most = one.slow === true ? SLOW_CASE_MS : CASE_MS
  let timer: NodeJS.Timeout | undefined
  try {
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(() => reject(new Error(`no end after ${most / 1000} s`)), most)
    })
    await Promise.race([one.run(setting), late])
    return { ...about, outcome: 'passed', ms: Math.round(performance.now() - began) }
  } catch (error) {
    const ms = Math.round(performance.now() - began)
    return { ...about, outcome: 'failed', reason: reasonOf(error), ms }
  } finally {
    clearTimeout(timer)
  }
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return 'failed'
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : ''
  const expected =
    error instanceof AssertionError && error.generatedMessage === false && error.operator !== 'fail'
      ? `: expected ${short(error.expected)}, got ${short(error.actual)}`
      : ''
  return `${error.message}${cause}${expected}`.slice(0, 2000)
}

function short(value: unknown): string {
  return (JSON.stringify(value) ?? String(value)).slice(0, 200)
}
