/**
 * The long poll (Sync §8): ask from the stored position, take in, ask again. `since` says that everything
 * before it is durably stored, so a position is never sent before its commit.
 */
import { POSITION, positionRecord } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import { Unanswered } from '../http/api-client.ts'
import { Backoff } from '../http/backoff.ts'
import { Bell } from '../lifetime.ts'
import type { Connection } from './connection.ts'
import type { Intake } from './intake.ts'

const TIMEOUT_MS = 30_000

export class SyncLoop {
  readonly #ctx: Context
  readonly #connection: Connection
  readonly #intake: Intake
  readonly #bell = new Bell()
  /** After each response that is stored. */
  onStored: (upToDate: boolean) => void = () => undefined
  /** Before the first request; may throw `Unanswered`. */
  beforeFirst: () => Promise<void> = () => Promise.resolve()

  constructor(ctx: Context, connection: Connection, intake: Intake) {
    this.#ctx = ctx
    this.#connection = connection
    this.#intake = intake
  }

  /** Ends a pause between tries. */
  retryNow(): void {
    this.#bell.ring()
  }

  /** Resolves at cancellation or when the node no longer knows the token. */
  async run(): Promise<void> {
    const { life, log } = this.#ctx
    const backoff = new Backoff({ bytes: this.#ctx.random })
    let first = true
    while (!life.cancelled) {
      try {
        if (first) await this.beforeFirst()
        const pause = await this.#once(first)
        if (pause === 'over') return
        first = false
        backoff.succeeded()
        if (pause > 0) await life.sleep(pause, this.#bell)
      } catch (error) {
        if (life.cancelled) return
        const pause = backoff.failed()
        if (error instanceof Unanswered) this.#connection.silent(error.code, pause)
        else log('sync.failed', { error: error instanceof Error ? error.name : 'unknown' })
        await life.sleep(pause, this.#bell)
      }
    }
  }

  /** Milliseconds to pause. Throws `Unanswered`. */
  async #once(first: boolean): Promise<number | 'over'> {
    const { api, db, life } = this.#ctx
    const since = (await db.get(positionRecord, POSITION))?.since ?? null
    const timeout = first ? 0 : TIMEOUT_MS
    const answer = await api.call('sync', {
      query: { timeout, ...(since === null ? {} : { since }) },
      waitMs: timeout,
      cancel: life,
    })
    if (!answer.ok) {
      const { errcode, status, retryAfter } = answer.refusal
      if (status === 401) return 'over'
      this.#connection.answered()
      if (errcode === 'E_SYNC_RESET')
        await db.step('sync.reset', (step) => {
          step.put(positionRecord, POSITION, { v: 1, since: null })
        })
      return errcode === 'E_SYNC_RESET' && since !== null ? 0 : Math.max(retryAfter, 1_000)
    }
    this.#connection.answered()
    await this.#intake.take(answer.value)
    // An answer that brought nothing is the end of the backlog.
    this.onStored(isQuiet(answer.value))
    return 0
  }
}

function isQuiet(response: { rooms: object; to_device: readonly unknown[] }): boolean {
  return Object.keys(response.rooms).length === 0 && response.to_device.length === 0
}
