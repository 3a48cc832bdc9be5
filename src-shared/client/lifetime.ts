/** How long the engine runs: one cancellation for everything under way, and sleeps that end with it. */
import type { Cancel, Clock } from './ports.ts'

export class Lifetime implements Cancel {
  readonly #clock: Clock
  readonly #listeners = new Set<() => void>()
  #cancelled = false

  constructor(clock: Clock) {
    this.#clock = clock
  }

  get cancelled(): boolean {
    return this.#cancelled
  }

  onCancel(listener: () => void): () => void {
    if (this.#cancelled) {
      listener()
      return () => undefined
    }
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  cancel(): void {
    if (this.#cancelled) return
    this.#cancelled = true
    const listeners = [...this.#listeners]
    this.#listeners.clear()
    for (const listener of listeners) listener()
  }

  /** Ends after `ms`, at cancellation, or when `wake` is rung. Never throws. */
  sleep(ms: number, wake?: Bell): Promise<void> {
    return new Promise((resolve) => {
      if (this.#cancelled) {
        resolve()
        return
      }
      const takeBack: (() => void)[] = []
      const done = (): void => {
        for (const undo of takeBack) undo()
        resolve()
      }
      if (Number.isFinite(ms)) takeBack.push(this.#clock.after(ms, done))
      takeBack.push(this.onCancel(done))
      if (wake !== undefined) takeBack.push(wake.onRing(done))
    })
  }
}

/** Wakes those who wait. A ring while nobody listens is remembered once. */
export class Bell {
  readonly #waiting = new Set<() => void>()
  #rung = false

  ring(): void {
    if (this.#waiting.size === 0) {
      this.#rung = true
      return
    }
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const wake of waiting) wake()
  }

  onRing(wake: () => void): () => void {
    if (this.#rung) {
      this.#rung = false
      // Later, so that the sleeper has finished setting itself up.
      void Promise.resolve().then(wake)
      return () => undefined
    }
    this.#waiting.add(wake)
    return () => this.#waiting.delete(wake)
  }
}
