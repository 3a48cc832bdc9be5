/**
 * A contest: one kind of work, done by us and by peers in turns, so that whatever else the machine is
 * doing slows all of them alike. Knows nothing of the work.
 */

export interface Contestant {
  /** As the table names it. */
  readonly name: string
  /**
   * What doing the work `times` times took, preparation left out. Throws where a message does not come
   * out as it went in.
   */
  run(times: number): Promise<Time>
}

/** Microseconds. */
export interface Time {
  readonly clock: number
  /** Of the whole process, all threads: what other programs of the machine do does not show in it. */
  readonly processor: number
}

export interface Peer {
  readonly contestant: Contestant
  /** How many times as fast as this peer we want to be; null: shown for comparison. */
  readonly aim: number | null
}

export interface Contest {
  readonly work: string
  /** What keeps us from being faster, for where an aim is missed. */
  readonly bound: string
  /** Repetitions in a round; a round should last some milliseconds. */
  readonly times: number
  readonly ours: Contestant
  readonly peers: readonly Peer[]
}

export interface Outcome {
  readonly work: string
  readonly peer: string
  /** For doing the work once, median over the rounds. */
  readonly ours: Time
  readonly theirs: Time
  /** Median over the rounds of the peer's time by ours in the same round. */
  readonly ratio: Time
  readonly aim: number | null
}

/** Rounds that all run first and that are not counted, for the compiler and the caches. */
export const WARM_UP = 100

export async function compete(contest: Contest, rounds: number): Promise<readonly Outcome[]> {
  const { ours, peers, times, work } = contest
  const all = [ours, ...peers.map(({ contestant }) => contestant)]
  const measured = all.map((): Time[] => [])
  for (let round = -WARM_UP; round < rounds; round++) {
    for (let turn = 0; turn < all.length; turn++) {
      // Nobody always comes first, or right after the same neighbour's garbage.
      const at = (round + WARM_UP + turn) % all.length
      const time = await all[at]?.run(times)
      if (round >= 0 && time !== undefined) measured[at]?.push(by(time, times))
    }
  }
  const [own = [], ...others] = measured
  return peers.map(({ contestant, aim }, index) => {
    const theirs = others[index] ?? []
    return {
      work,
      peer: contestant.name,
      ours: medianTime(own),
      theirs: medianTime(theirs),
      ratio: medianTime(theirs.map((time, round) => quotient(time, own[round]))),
      aim,
    }
  })
}

export async function timed(work: () => Promise<void> | void): Promise<Time> {
  const before = process.cpuUsage()
  const start = process.hrtime.bigint()
  await work()
  const clock = Number(process.hrtime.bigint() - start) / 1000
  const { user, system } = process.cpuUsage(before)
  return { clock, processor: user + system }
}

function by({ clock, processor }: Time, times: number): Time {
  return { clock: clock / times, processor: processor / times }
}

function quotient(theirs: Time, ours: Time | undefined): Time {
  const { clock, processor } = ours ?? { clock: Number.NaN, processor: Number.NaN }
  return { clock: theirs.clock / clock, processor: theirs.processor / processor }
}

function medianTime(times: readonly Time[]): Time {
  return {
    clock: median(times.map(({ clock }) => clock)),
    processor: median(times.map(({ processor }) => processor)),
  }
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = Math.floor(sorted.length / 2)
  const upper = sorted[middle] ?? Number.NaN
  return sorted.length % 2 === 1 ? upper : ((sorted[middle - 1] ?? Number.NaN) + upper) / 2
}
