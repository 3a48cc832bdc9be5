/**
 * Where a contestant of ours spends its time: V8's sampling profiler over rounds that are not counted, of
 * which only what a round measures is taken. What the runtime does counts for the function of ours that
 * asked for it; the profiler, the clock and the preparing of the work count for nothing.
 */
import { Session } from 'node:inspector/promises'
import type { Profiler } from 'node:inspector'
import { timed } from './contest.ts'
import type { Contest } from './contest.ts'

const SECONDS = 3
const SHOWN = 6
const SAMPLE_MICROSECONDS = 200
const COLLECTOR = '(garbage collector)'

type Node = Profiler.Profile['nodes'][number]

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
  const collecting = new Set(
    nodes.flatMap((node) => (node.callFrame.functionName === COLLECTOR ? node.id : [])),
  )
  const spent = new Map<string, number>()
  let total = 0
  let measuring = false
  for (const [at, sample] of samples.entries()) {
    // Collecting garbage stands beside all functions; it is laid to what ran before.
    const collects = collecting.has(sample)
    if (!collects) measuring = names.has(sample)
    const name = collects ? COLLECTOR : names.get(sample)
    if (!measuring || name === undefined) continue
    const time = timeDeltas[at] ?? 0
    total += time
    spent.set(name, (spent.get(name) ?? 0) + time)
  }
  return [...spent]
    .sort(([, a], [, b]) => b - a)
    .slice(0, SHOWN)
    .map(([name, time]) => `${((100 * time) / total).toFixed(0)} % \`${name}\``)
}

/** By the ids of the nodes, for functions called within `timed` and what the runtime does for them. */
function ownNames(nodes: readonly Node[]): ReadonlyMap<number, string> {
  const names = new Map<number, string>()
  const byId = new Map(nodes.map((node) => [node.id, node]))
  const clock = nodes.filter(({ callFrame }) => callFrame.functionName === timed.name)
  const pending = clock.flatMap(({ children = [] }) => children.map((id) => ({ id, caller: '' })))
  for (let next = pending.pop(); next !== undefined; next = pending.pop()) {
    const node = byId.get(next.id)
    if (node === undefined) continue
    const { functionName, url } = node.callFrame
    const said = functionName === '' ? 'anonymous' : functionName
    const name = url.startsWith('file:') ? `${said}, ${url.split('/').at(-1) ?? ''}` : next.caller
    if (name !== '') names.set(node.id, name)
    for (const id of node.children ?? []) pending.push({ id, caller: name })
  }
  return names
}
