/**
 * Where a contestant of ours spends its time: V8's sampling profiler over rounds that are not counted,
 * reduced to the functions that take most of it themselves or in what the runtime does for them. Preparing the work is sampled with it.
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
  'post',
  'timed, contest.ts',
  'hotSpots, profile.ts',
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
  const names = ownNames(nodes)
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

/** The runtime's own functions count as those of ours that called them, by the ids of the nodes. */
function ownNames(nodes: Profiler.Profile['nodes']): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const children = new Set(nodes.flatMap((node) => node.children ?? []))
  const pending = nodes.filter(({ id }) => !children.has(id)).map(({ id }) => ({ id, caller: '' }))
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const node = byId.get(next.id)
    if (node === undefined) continue
    const { functionName, url } = node.callFrame
    const own = url.startsWith('file:')
    const said = functionName === '' ? 'anonymous' : functionName
    const named = own ? `${said}, ${url.split('/').at(-1) ?? ''}` : said
    const name = own || next.caller === '' || said.startsWith('(') ? named : next.caller
    names.set(node.id, name)
    const caller = own ? named : next.caller
    for (const id of node.children ?? []) pending.push({ id, caller })
  }
  return names
}
