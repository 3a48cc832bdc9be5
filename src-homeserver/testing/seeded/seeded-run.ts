/**
 * Seeded runs: which ones a test run does, and one of them from seed to verdict. What a run was to do and what
 * happened in it is written out where something is wrong.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Result } from './result.ts'
import { runFree } from './run-free.ts'
import { runInSteps } from './run-in-steps.ts'
import { kindOf, scheduleOf } from './schedule.ts'
import type { Kind } from './schedule.ts'

/** Ten by default, a hundred in the long run, and whatever `ECCP_SEED` names (`17`, or `17,18`). */
export function seedsOf(...kinds: readonly Kind[]): number[] {
  const named = process.env['ECCP_SEED']
  const [first, count] = process.env['ECCP_LONG'] === '1' ? [1, 100] : [11, 10]
  const all =
    named === undefined
      ? Array.from({ length: count }, (_, index) => first + index)
      : named.split(',').map(Number)
  return all.filter((seed) => kinds.includes(kindOf(seed)))
}

/** Throws with everything that is wrong. */
export async function runSeed(seed: number): Promise<Result> {
  const schedule = scheduleOf(seed)
  const result = await (schedule.kind === 'steps' ? runInSteps(schedule) : runFree(schedule))
  if (result.faults.length === 0) return result
  const folder = join(import.meta.dirname, '..', '..', '..', 'artefacts', 'seeded-runs')
  mkdirSync(folder, { recursive: true })
  const file = join(folder, `seed-${seed}.json`)
  writeFileSync(
    file,
    JSON.stringify({ faults: result.faults, journal: result.journal, schedule }, null, 1),
  )
  const of = schedule.kind === 'postgresql' ? '.postgresql' : ''
  throw new Error(
    [
      `seed ${seed} (${schedule.kind}): ${result.faults.length} faults; all of it in ${file}`,
      `again: ECCP_SEED=${seed} npx vitest run src-homeserver/federation/seeded-runs${of}.test.ts`,
      ...result.faults.slice(0, 12),
    ].join('\n'),
  )
}
