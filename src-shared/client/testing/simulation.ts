/** Clock and randomness for tests: both replayable from a seed, time moves only when told. */
import type { Clock, Random } from '../ports.ts'

interface Timer {
  readonly at: number
  readonly order: number
  readonly callback: () => void
}

export class SimulatedClock implements Clock {
  #now: number
  #order = 0
  readonly #timers = new Set<Timer>()

  constructor(now = 1_750_000_000_000) {
    this.#now = now
  }

  now(): number {
    return this.#now
  }

  after(ms: number, callback: () => void): () => void {
    const timer: Timer = { at: this.#now + Math.max(0, ms), order: this.#order++, callback }
    this.#timers.add(timer)
    return () => this.#timers.delete(timer)
  }

  /** When the next timer fires; null if there is none. */
  next(): number | null {
    const times = [...this.#timers].map((timer) => timer.at)
    return times.length === 0 ? null : Math.min(...times)
  }

  /** Moves time on, firing what is due in order; lets promises settle between timers. */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await settle()
      const due = [...this.#timers]
        .filter((timer) => timer.at <= end)
        .sort((a, b) => a.at - b.at || a.order - b.order)[0]
      if (due === undefined) break
      this.#timers.delete(due)
      this.#now = Math.max(this.#now, due.at)
      due.callback()
    }
    this.#now = end
    await settle()
  }
}

/** Real time, for tests against a real node. */
export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms)
    return () => {
      clearTimeout(timer)
    }
  },
}

/** xoshiro-free and tiny: a counter through a 32-bit mixer. Never for anything but tests. */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = (): number => {
    state = (state + 0x9e3779b9) >>> 0
    let z = state
    z = Math.imul(z ^ (z >>> 16), 0x85ebca6b)
    z = Math.imul(z ^ (z >>> 13), 0xc2b2ae35)
    return (z ^ (z >>> 16)) & 0xff
  }
  return { bytes: (length) => Uint8Array.from({ length }, next) }
}

/** Lets everything that needs no timer run. */
export async function settle(turns = 30): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}
