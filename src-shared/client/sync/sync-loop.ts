/**
 * Following the account (Sync §8): a stream where the node has one, otherwise the long poll; through windows
 * where it has them. A position says that everything before it is durably stored, so it is never sent before
 * its commit.
 */
import { streamClose } from '../../api/index.ts'
import type { Capabilities, SyncResponse, TypingNews } from '../../api/index.ts'
import { POSITION, positionRecord } from '../account/account-record.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import type { Answer } from '../http/api-client.ts'
import { Backoff } from '../http/backoff.ts'
import { salvageSync } from '../http/salvage.ts'
import { Bell, Lifetime } from '../lifetime.ts'
import type { Step } from '../store/database.ts'
import type { Connection } from './connection.ts'
import type { Intake } from './intake.ts'
import type { Looking } from './looking.ts'
import { SyncStream } from './sync-stream.ts'
import type { StreamEnd } from './sync-stream.ts'

const TIMEOUT_MS = 30_000
/** After a refused upgrade the long poll serves for so long. */
const STREAM_PAUSE_MS = 5 * 60_000
/** After one that came to nothing. */
const STREAM_RETRY_MS = 60_000
/** After the node could not go on, or another sync of this device took over. */
const CALM_MS = 5_000
const DAY_MS = 24 * 60 * 60_000

export class SyncLoop {
  readonly #ctx: Context
  readonly #connection: Connection
  readonly #intake: Intake
  readonly #looking: Looking
  readonly #stream: SyncStream
  readonly #bell = new Bell()
  /** Ends the poll under way, so that the next one finds out how things are. */
  #poll: Lifetime | null = null
  #inHaste = true
  #node: Pick<Capabilities, 'transports' | 'features'> | null = null
  #nodeAskedAt = 0
  /** No stream before. */
  #streamAfter = 0
  #streaming = false
  /** After each response that is stored. */
  onStored: (upToDate: boolean) => void = () => undefined
  /** Who writes in the room that is looked at. */
  onTyping: (lists: TypingNews) => void = () => undefined
  /** A record that is needed does not open. */
  onDamage: () => void = () => undefined
  /** The node does not know the position: it may have been set back. */
  onReset: (step: Step) => Promise<void> = () => Promise.resolve()
  /** Before the first request; may throw `Unanswered`. */
  beforeFirst: () => Promise<void> = () => Promise.resolve()

  constructor(ctx: Context, connection: Connection, intake: Intake, looking: Looking) {
    this.#ctx = ctx
    this.#connection = connection
    this.#intake = intake
    this.#looking = looking
    this.#stream = new SyncStream(ctx, {
      take: (answer) => this.#take(answer),
      typing: (lists) => {
        this.onTyping(lists)
      },
      quiet: () => {
        this.onStored(true)
      },
    })
  }

  /** Somebody looks at this room, or at none. */
  async look(room: string | null): Promise<void> {
    if (!(await this.#looking.open(room))) return
    if (this.#streaming) this.#stream.look(this.#looking.look)
    // The poll under way asks about something else.
    else this.#poll?.cancel()
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
    const { db, clock } = this.#ctx
    const since = (await db.get(positionRecord, POSITION))?.since ?? null
    const node = await this.#askNode()
    let withoutStream = 0
    if (node.transports.includes('websocket') && clock.now() >= this.#streamAfter) {
      const end = await this.#follow(since, node)
      if (end.why === 'cancelled') return 0
      if (end.why === 'closed') return this.#afterStream(end, since)
      withoutStream = end.why === 'refused' ? STREAM_PAUSE_MS : STREAM_RETRY_MS
    }
    const answer = await this.#ask(since, node)
    // Whatever kept the stream from opening, it was not the node's being away.
    if (withoutStream > 0) this.#streamAfter = clock.now() + withoutStream
    if (!answer.ok) {
      const { errcode, status, retryAfter } = answer.refusal
      if (status === 401) return 'over'
      this.#connection.answered()
      if (errcode === 'E_SYNC_RESET') await this.#reset()
      return errcode === 'E_SYNC_RESET' && since !== null ? 0 : Math.max(retryAfter, 1_000)
    }
    await this.#take(answer.value)
    return 0
  }

  async #take(answer: SyncResponse): Promise<void> {
    this.#connection.answered()
    this.#inHaste = false
    if (answer.typing !== undefined) this.onTyping(answer.typing)
    await this.#intake.take(answer)
    // An answer that brought nothing is the end of the backlog.
    const quiet = isQuiet(answer)
    this.onStored(quiet)
    if ((await this.#looking.took(answer, quiet)) && this.#streaming)
      this.#stream.look(this.#looking.look)
  }

  async #reset(): Promise<void> {
    await this.#ctx.db.step('sync.reset', async (step) => {
      step.put(positionRecord, POSITION, { v: 1, since: null })
      await this.onReset(step)
    })
  }

  /** What the node can do; asked at the start and daily. Throws `Unanswered`. */
  async #askNode(): Promise<Pick<Capabilities, 'transports' | 'features'>> {
    const { api, clock, life } = this.#ctx
    const now = clock.now()
    if (this.#node !== null && now - this.#nodeAskedAt < DAY_MS) return this.#node
    const answer = await api.call('capabilities', { cancel: life })
    this.#node = answer.ok ? answer.value : { transports: ['long_poll'], features: [] }
    this.#nodeAskedAt = now
    return this.#node
  }

  /** Over a stream until it ends. Throws `Unanswered`. */
  async #follow(since: string | null, node: Pick<Capabilities, 'features'>): Promise<StreamEnd> {
    const look = hasWindows(node) ? this.#looking.look : null
    return this.#untilCancelled(async (poll) => {
      this.#streaming = look !== null
      try {
        return await this.#stream.run(since, look, poll)
      } finally {
        this.#streaming = false
      }
    })
  }

  async #afterStream(
    end: StreamEnd & { readonly why: 'closed' },
    since: string | null,
  ): Promise<number | 'over'> {
    const { api, clock } = this.#ctx
    if (end.errcode !== null) {
      this.#connection.answered()
      api.refusedToken(end.errcode)
    }
    switch (end.errcode) {
      case 'M_UNKNOWN_TOKEN':
      case 'E_DEVICE_REMOVED':
        return 'over'
      case 'E_SYNC_RESET':
        await this.#reset()
        return since === null ? CALM_MS : 0
      case 'M_TOO_LARGE':
        // The long poll takes it in one piece; then a stream may go on.
        this.#streamAfter = clock.now() + CALM_MS
        return 0
      case null:
        break
      default:
        this.#streamAfter = clock.now() + CALM_MS
        return CALM_MS
    }
    if (end.code === streamClose.replaced) return CALM_MS
    // Broken off: how things are is found out by asking again.
    this.#inHaste = true
    throw new Unanswered('unreachable')
  }

  async #ask(since: string | null, node: Pick<Capabilities, 'features'>): Promise<Answer<'sync'>> {
    const { api } = this.#ctx
    const timeout = this.#inHaste ? 0 : TIMEOUT_MS
    const from = { timeout, ...(since === null ? {} : { since }) }
    const how = { waitMs: timeout, salvage: salvageSync }
    return this.#untilCancelled((cancel) =>
      hasWindows(node)
        ? api.call('syncWindows', { body: { ...from, ...this.#looking.look }, ...how, cancel })
        : api.call('sync', { query: from, ...how, cancel }),
    )
  }

  async #untilCancelled<T>(work: (poll: Lifetime) => Promise<T>): Promise<T> {
    const { clock, life } = this.#ctx
    const poll = new Lifetime(clock)
    const stop = life.onCancel(() => {
      poll.cancel()
    })
    this.#poll = poll
    try {
      return await work(poll)
    } finally {
      stop()
      this.#poll = null
    }
  }
}

function hasWindows({ features }: Pick<Capabilities, 'features'>): boolean {
  return features.includes('sync_windows')
}

function isQuiet({ rooms, to_device: messages, summaries }: SyncResponse): boolean {
  return Object.keys(rooms).length === 0 && messages.length === 0 && summaries === undefined
}
