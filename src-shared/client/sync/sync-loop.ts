/**
 * The long poll (Sync §8): ask from the stored position, take in, ask again. `since` says that everything
 * before it is durably stored, so a position is never sent before its commit.
 */
import { POSITION, positionRecord } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import type { Answer } from '../http/api-client.ts'
import { Backoff } from '../http/backoff.ts'
import { salvageSync } from '../http/salvage.ts'
import { Bell, Lifetime } from '../lifetime.ts'
import type { Connection } from './connection.ts'
import type { Intake } from './intake.ts'

const TIMEOUT_MS = 30_000

export class SyncLoop {
  readonly #ctx: Context
  readonly #connection: Connection
  readonly #intake: Intake
  readonly #bell = new Bell()
  /** Ends the poll under way, so that the next one finds out how things are. */
  #poll: Lifetime | null = null
  #inHaste = true
  /** After each response that is stored. */
  onStored: (upToDate: boolean) => void = () => undefined
  /** A record that is needed does not open. */
  onDamage: () => void = () => undefined
  /** Before the first request; may throw `Unanswered`. */
  beforeFirst: () => Promise<void> = () => Promise.resolve()

  constructor(ctx: Context, connection: Connection, intake: Intake) {
    this.#ctx = ctx
    this.#connection = connection
    this.#intake = intake
  }

  /**
   * Ends a pause between tries, and a poll that may be waiting on a connection that is gone: it is asked
   * anew, without waiting for news.
   */
  retryNow(): void {
    if (this.#poll === null) this.#bell.ring()
    else {
      this.#inHaste = true
      this.#poll.cancel()
    }
  }

  /** Resolves at cancellation or when the node no longer knows the token. */
  async run(): Promise<void> {
    const { life, log } = this.#ctx
    const backoff = new Backoff({ bytes: this.#ctx.random })
    let first = true
    while (!life.cancelled) {
      try {
        if (first) await this.beforeFirst()
        first = false
        const pause = await this.#once()
        if (pause === 'over') return
        backoff.succeeded()
        if (pause > 0) await life.sleep(pause, this.#bell)
      } catch (error) {
        if (life.cancelled) return
        if (error instanceof Unanswered && error.code === 'cancelled') continue
        this.#inHaste = true
        const pause = backoff.failed()
        if (error instanceof Unanswered) this.#connection.silent(error.code, pause)
        else if (error instanceof EngineError && error.code === 'vault_damaged') this.onDamage()
        else log('sync.failed', { error: error instanceof Error ? error.name : 'unknown' })
        await life.sleep(pause, this.#bell)
      }
    }
  }

  /** Milliseconds to pause. Throws `Unanswered`. */
  async #once(): Promise<number | 'over'> {
    const { db } = this.#ctx
    const since = (await db.get(positionRecord, POSITION))?.since ?? null
    const answer = await this.#ask(since)
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
    this.#inHaste = false
    await this.#intake.take(answer.value)
    // An answer that brought nothing is the end of the backlog.
    this.onStored(isQuiet(answer.value))
    return 0
  }

  async #ask(since: string | null): Promise<Answer<'sync'>> {
    const { api, clock, life } = this.#ctx
    const timeout = this.#inHaste ? 0 : TIMEOUT_MS
    const poll = new Lifetime(clock)
    const stop = life.onCancel(() => {
      poll.cancel()
    })
    this.#poll = poll
    try {
      return await api.call('sync', {
        query: { timeout, ...(since === null ? {} : { since }) },
        waitMs: timeout,
        salvage: salvageSync,
        cancel: poll,
      })
    } finally {
      stop()
      this.#poll = null
    }
  }
}

function isQuiet(response: { rooms: object; to_device: readonly unknown[] }): boolean {
  return Object.keys(response.rooms).length === 0 && response.to_device.length === 0
}
