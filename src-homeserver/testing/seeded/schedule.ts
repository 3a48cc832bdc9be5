/**
 * What happens in a seeded run, derived from its number and nothing else: who does what, what is cut and killed,
 * and what becomes of every request between nodes. It knows neither nodes nor rooms; a beat that makes no sense
 * when its turn comes (a join of somebody who is in) is done all the same, and refused, or passed over.
 */
import type { Faults } from '../federation-net.ts'
import { seededBy, weighted } from './chance.ts'

/** Where nodes run, and so what a replay repeats: `seeded-runs.test.ts` says it. */
export type Kind = 'steps' | 'loopback' | 'killed' | 'postgresql'

/** Of a person, in `PEOPLE`. */
export type Who = number

export type Act =
  | { readonly kind: 'say' | 'name' | 'topic' | 'join' | 'leave' | 'redact' | 'device' | 'forge' }
  | { readonly kind: 'power'; readonly target: Who; readonly level: number }
  | { readonly kind: 'kick' | 'ban' | 'unban' | 'invite'; readonly target: Who }
  | { readonly kind: 'rule'; readonly rule: 'invite' | 'public' }

/** What becomes of a request, or of the answer to it. */
export type Fate = 'through' | 'lost' | 'again'

export type Beat =
  | {
      readonly beat: 'act'
      readonly who: Who
      readonly act: Act
      /** The answer is taken for lost: the very same is sent once more, some time later. */
      readonly again: boolean
    }
  /** One of what is on its way between nodes, `pick` (0 to 1) from the oldest to the newest; in steps alone. */
  | { readonly beat: 'pass'; readonly pick: number; readonly fate: Fate }
  /** A device asks what is new; `lost`: and does not get the answer. */
  | { readonly beat: 'sync'; readonly pick: number; readonly lost: boolean }
  | { readonly beat: 'time'; readonly ms: number }
  | { readonly beat: 'cut'; readonly from: number; readonly to: number; readonly oneWay: boolean }
  | { readonly beat: 'heal' }
  | { readonly beat: 'kill'; readonly node: number }
  | { readonly beat: 'start' }
  /** PostgreSQL, where the nodes are on it. */
  | { readonly beat: 'kill_database' }

export interface Schedule {
  readonly seed: number
  readonly kind: Kind
  /** Of requests between nodes on loopback. */
  readonly faults: Faults
  /** By how many milliseconds the nodes' clocks differ from the first one's. */
  readonly skew: readonly number[]
  readonly beats: readonly Beat[]
}

export const NODES = ['a.test', 'b.test', 'c.test'] as const
/** Each third one on the same node. The first makes the room, the next two may change some things. */
export const PEOPLE = ['ann', 'bea', 'cem', 'dan', 'eve', 'fay'] as const

/** Of a hundred seeds five are on PostgreSQL, fifteen kill processes, ten run free on loopback, seventy in steps. */
export function kindOf(seed: number): Kind {
  const rest = seed % 20
  if (rest === 0) return 'postgresql'
  if (rest % 5 === 0) return 'killed'
  return rest % 10 === 1 ? 'loopback' : 'steps'
}

/** How many beats of which sort, against each other. */
type Weights = Record<Beat['beat'], number>

const IN_STEPS: Weights = {
  act: 34,
  pass: 44,
  sync: 8,
  time: 6,
  cut: 3,
  heal: 2,
  kill: 1.5,
  start: 1.5,
  kill_database: 0,
}
const FREE: Weights = {
  ...IN_STEPS,
  pass: 0,
  time: 0,
  sync: 12,
  cut: 4,
  heal: 4,
  kill: 0,
  start: 0,
}
const WEIGHTS: Readonly<Record<Kind, Weights>> = {
  steps: IN_STEPS,
  loopback: FREE,
  killed: FREE,
  postgresql: FREE,
}
const BEATS: Readonly<Record<Kind, number>> = {
  steps: 160,
  loopback: 60,
  killed: 60,
  postgresql: 50,
}

const ACTS: Readonly<Record<Act['kind'], number>> = {
  say: 40,
  name: 8,
  topic: 4,
  power: 9,
  kick: 6,
  ban: 4,
  unban: 4,
  invite: 9,
  join: 11,
  leave: 3,
  rule: 2,
  redact: 3,
  device: 1.5,
  forge: 2,
}

export function scheduleOf(seed: number): Schedule {
  const kind = kindOf(seed)
  const draw = seededBy(seed, 'schedule')
  const upTo = (end: number): number => Math.floor(draw() * end)
  // Runs differ in how much goes wrong, and in how much people quarrel.
  const trouble = 0.3 + draw() * 1.4
  const quarrel = 0.4 + draw() * 1.6
  const weights = { ...WEIGHTS[kind] }
  for (const what of ['cut', 'kill'] as const) weights[what] *= trouble
  const acts = { ...ACTS }
  for (const what of ['power', 'kick', 'ban', 'leave'] as const) acts[what] *= quarrel
  const loss = 0.12 * trouble

  function act(): Act {
    const named = weighted(acts, draw)
    switch (named) {
      case 'power':
        return {
          kind: named,
          target: upTo(PEOPLE.length),
          level: [0, 0, 25, 50, 75, 100][upTo(6)] ?? 0,
        }
      case 'kick':
      case 'ban':
      case 'unban':
      case 'invite':
        return { kind: named, target: upTo(PEOPLE.length) }
      case 'rule':
        return { kind: named, rule: draw() < 0.5 ? 'invite' : 'public' }
      default:
        return { kind: named }
    }
  }

  function next(): Beat {
    const beat = weighted(weights, draw)
    switch (beat) {
      case 'act':
        return { beat, who: upTo(PEOPLE.length), act: act(), again: draw() < 0.1 }
      case 'pass': {
        const luck = draw()
        const fate = luck < loss ? 'lost' : luck < loss * 1.5 ? 'again' : 'through'
        // Mostly in order, so that things get done.
        return { beat, pick: draw() < 0.6 ? 0 : draw(), fate }
      }
      case 'sync':
        return { beat, pick: draw(), lost: draw() < 0.25 }
      case 'time':
        return { beat, ms: upTo(4) === 0 ? 3000 : upTo(400) }
      case 'cut': {
        const from = upTo(NODES.length)
        const to = (from + 1 + upTo(NODES.length - 1)) % NODES.length
        return { beat, from, to, oneWay: draw() < 0.3 }
      }
      case 'kill':
        return { beat, node: upTo(NODES.length) }
      default:
        return { beat }
    }
  }

  const beats = Array.from({ length: BEATS[kind] }, next)
  return {
    seed,
    kind,
    faults: {
      lost: Math.round(120 * trouble),
      answerLost: Math.round(80 * trouble),
      repeated: 100,
      maxDelayMs: upTo(60),
    },
    skew: NODES.map((_, index) => (index === 0 ? 0 : upTo(6000) - 3000)),
    beats: withEnds(kind, beats, draw),
  }
}

/** Processes are dear to start: so many ends, spread over the run, each with its new beginning soon after. */
function withEnds(kind: Kind, beats: readonly Beat[], draw: () => number): Beat[] {
  const out = [...beats]
  const insert = (from: number, to: number, beat: Beat): number => {
    const place = Math.floor((from + draw() * (to - from)) * out.length)
    out.splice(place, 0, beat)
    return place
  }
  if (kind === 'killed' || kind === 'postgresql') {
    insert(0.15, 0.45, { beat: 'kill', node: Math.floor(draw() * NODES.length) })
    insert(0.45, 0.55, { beat: 'start' })
    insert(0.6, 0.9, { beat: 'kill', node: Math.floor(draw() * NODES.length) })
  }
  if (kind === 'postgresql')
    for (const [from, to] of [
      [0.1, 0.4],
      [0.6, 0.9],
    ] as const)
      insert(from, to, { beat: 'kill_database' })
  return out
}
