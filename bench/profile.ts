/**
 * Where a contestant of ours spends its time: V8's sampling profiler over rounds that are not counted,
 * reduced to the functions that take most of it themselves. Preparing the work is sampled with it.
 */
import { Session } from 'node:inspector/promises'
import type { Profiler } from 'node:inspector'
import type { Contest } from './contest.ts'

/** Enough samples that the profiler's own start and end do not matter. */
const SECONDS = 1
const SHOWN = 6
const SAMPLE_MICROSECONDS = 200
/** The profiler itself, the clock, and no work at all. */
const MEASURING: ReadonlySet<string> = new Set([
  '(program)',
  '(idle)',
  'cpuUsage',
  'post, node:inspector',
])

export async function hotSpots({ ours, times }: Contest): Promise<readonly string[]> {
  const session = new Session()
  session.connect()
  try {
    await session.post('Profiler.enable')
    await session.post('Profiler.setSamplingInterval', { interval: SAMPLE_MICROSECONDS })
    await session.post('Profiler.start')
    const end = performance.now() + SECONDS * 1000
    do await ours.run(times)
    while (performance.now() < end)
    const { profile } = await session.post('Profiler.stop')
    return largest(profile)
  } finally {
    session.disconnect()
  }
}

function largest({ nodes, samples = [], timeDeltas = [] }: Profiler.Profile): readonly string[] {
  const names = new Map(nodes.map(({ id, callFrame }) => [id, nameOf(callFrame)]))
  const spent = new Map<string, number>()
  let total = 0
  for (const [at, sample] of samples.entries()) {
    const name = names.get(sample) ?? ''
    const time = timeDeltas[at] ?? 0
    if (MEASURING.has(name)) continue
    total += time
    spent.set(name, (spent.get(name) ?? 0) + time)
  }
  return [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, time]) => `${((100 * time) / total).toFixed(0)} % \`${name}\``)
}

function nameOf({ functionName, url }: Profiler.Profile['nodes'][number]['callFrame']): string {
  const file = url.split('/').at(-1) ?? ''
  const name = functionName === '' ? 'anonymous' : functionName
  return file === '' ? name : `${name}, ${file}`
}
