/** Waiting times between tries: exponential with full jitter, so that many clients do not return at once. */
import type { Random } from '../ports.ts'

const FIRST_MS = 500
const LONGEST_MS = 60_000
/** A floor keeps a lucky draw from hammering a server that is down. */
const LEAST_MS = 200

export class Backoff {
  readonly #random: Random
  #failures = 0

  constructor(random: Random) {
    this.#random = random
  }

  get failures(): number {
    return this.#failures
  }

  succeeded(): void {
    this.#failures = 0
  }

  /** Milliseconds to wait before the next try; `atLeast` is what the server asked for. */
  failed(atLeast = 0): number {
    const ceiling = Math.min(LONGEST_MS, FIRST_MS * 2 ** Math.min(this.#failures, 16))
    this.#failures++
    const [a = 0, b = 0] = this.#random.bytes(2)
    const jittered = Math.floor((ceiling * (a * 256 + b)) / 65_536)
    return Math.max(LEAST_MS, jittered, atLeast)
  }
}
