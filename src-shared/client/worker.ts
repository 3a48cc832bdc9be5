/**
 * A background task that runs when there is work, one pass at a time, and comes back after a failure
 * with growing, jittered pauses. It knows nothing of what the work is.
 */
import type { Context } from './context.ts'
import { Backoff } from './http/backoff.ts'
import { Unanswered } from './http/api-client.ts'
import { Bell } from './lifetime.ts'

export class Worker {
  readonly #ctx: Context
  readonly #pass: () => Promise<number | null>
  readonly #bell = new Bell()
  #running = false
  #started = false
  #again = false

  /** `pass` does all there is; it returns the milliseconds to the next pass, or null to wait for work. */
  constructor(ctx: Context, pass: () => Promise<number | null>) {
    this.#ctx = ctx
    this.#pass = pass
  }

  start(): void {
    this.#started = true
    this.kick()
  }

  /** There is work, or reason to hope that it can be done now. */
  kick(): void {
    if (!this.#started || this.#ctx.life.cancelled) return
    if (this.#running) {
      this.#again = true
      this.#bell.ring()
      return
    }
    void this.#run()
  }

  async #run(): Promise<void> {
    const { life, log } = this.#ctx
    const backoff = new Backoff({ bytes: this.#ctx.random })
    this.#running = true
    let pause: number | null = 0
    while (!life.cancelled && (pause !== null || this.#again)) {
      this.#again = false
      if (pause !== null && pause > 0) await life.sleep(pause, this.#bell)
      if (life.cancelled) break
      try {
        pause = await this.#pass()
        backoff.succeeded()
      } catch (error) {
        if (!(error instanceof Unanswered)) {
          log('worker.failed', { error: error instanceof Error ? error.name : 'unknown' })
        }
        pause = backoff.failed()
      }
    }
    this.#running = false
  }
}
