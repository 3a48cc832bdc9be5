/**
 * The stream (Sync §8), one link's lifetime: news are taken in one after the other, each committed before
 * the node hears that it is stored. It knows nothing of what to do when it ends.
 */
import { streamClose, streamNewsSchema, syncStream } from '../../api/index.ts'
import type { Errcode, Look, StreamAsk, SyncResponse, TypingNews } from '../../api/index.ts'
import { EncodingError, parseJson, toUtf8 } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import { Unanswered } from '../http/api-client.ts'
import { salvageSync } from '../http/salvage.ts'
import { Bell } from '../lifetime.ts'
import type { Lifetime } from '../lifetime.ts'
import type { Link, LinkListener } from '../ports.ts'

export type StreamEnd =
  /** Ended here. */
  | { readonly why: 'cancelled' }
  /** The node does not take the upgrade. */
  | { readonly why: 'refused' }
  /** It did not come to anything: no connection, or one that says nothing. */
  | { readonly why: 'failed' }
  | { readonly why: 'closed'; readonly code: number; readonly errcode: Errcode | null }

/** News that the node may send ahead, and what is told between them. */
const MAX_WAITING = syncStream.maxUnstored + 8
/** With nothing to say for so long, that is worth knowing too. */
const QUIET_MS = 30_000
/** A start is answered at once, or by nobody. */
const FIRST_MS = 20_000

export interface StreamTaker {
  /** Resolves when everything up to `answer.next` is durably stored. */
  take(answer: SyncResponse): Promise<void>
  /** Who writes; nothing of it is kept. */
  typing(lists: TypingNews): void
  /** Nothing has come for a while. */
  quiet(): void
}

export class SyncStream {
  readonly #ctx: Context
  readonly #taker: StreamTaker
  #link: Link | null = null

  constructor(ctx: Context, taker: StreamTaker) {
    this.#ctx = ctx
    this.#taker = taker
  }

  /** Other windows from now on. */
  look(look: Look): void {
    this.#say({ type: 'look', ...look })
  }

  /** Resolves at its end. Throws `Unanswered` where it does not open, and what `take` throws. */
  async run(since: string | null, look: Look | null, poll: Lifetime): Promise<StreamEnd> {
    const { log } = this.#ctx
    const waiting: string[] = []
    const bell = new Bell()
    let answered = false
    let ended: number | null = null
    log('stream.before', { what: 'start' })
    const link = await this.#open(
      {
        onFrame(text) {
          waiting.push(text)
          // A node that sends on and on would fill the memory.
          if (waiting.length > MAX_WAITING) ended ??= streamClose.badFrame
          bell.ring()
        },
        onEnd(code) {
          ended ??= code
          bell.ring()
        },
      },
      poll,
    )
    if ('why' in link) return link
    log('stream.after', { what: 'start' })
    this.#link = link
    const stop = poll.onCancel(() => {
      bell.ring()
    })
    try {
      this.#say({ type: 'start', ...(since === null ? {} : { since }), ...look })
      for (;;) {
        if (poll.cancelled) return { why: 'cancelled' }
        const text = waiting.shift()
        if (text !== undefined) {
          const errcode = await this.#frame(text)
          if (errcode !== null) return { why: 'closed', code: ended ?? 1006, errcode }
          answered = true
        } else if (ended !== null) return { why: 'closed', code: ended, errcode: null }
        else if (answered) await this.#wait(poll, bell)
        else if (!(await this.#isHeard(poll, bell))) return { why: 'failed' }
      }
    } finally {
      stop()
      this.#link = null
      link.close()
    }
  }

  async #open(listener: LinkListener, poll: Lifetime): Promise<Link | StreamEnd> {
    const { path, subprotocol, maxNews: maxBytes, silenceMs } = syncStream
    try {
      const request = { path, subprotocol, maxBytes, silenceMs }
      return (await this.#ctx.api.link(request, listener, poll)) ?? { why: 'refused' }
    } catch (error) {
      if (!(error instanceof Unanswered) || error.code === 'certificate') throw error
      return { why: error.code === 'cancelled' ? 'cancelled' : 'failed' }
    }
  }

  async #isHeard(poll: Lifetime, bell: Bell): Promise<boolean> {
    const { clock } = this.#ctx
    const before = clock.now()
    await poll.sleep(FIRST_MS, bell)
    return poll.cancelled || clock.now() - before < FIRST_MS
  }

  async #wait(poll: Lifetime, bell: Bell): Promise<void> {
    const { clock } = this.#ctx
    const before = clock.now()
    await poll.sleep(QUIET_MS, bell)
    if (!poll.cancelled && clock.now() - before >= QUIET_MS) this.#taker.quiet()
  }

  /** The code with which the node ends the stream; null after news. */
  async #frame(text: string): Promise<Errcode | null> {
    const { log } = this.#ctx
    const frame = readFrame(text)
    if (frame === null) return 'M_UNKNOWN'
    if (frame.type === 'error') return frame.errcode
    if (frame.type === 'typing') {
      this.#taker.typing(frame.rooms)
      return null
    }
    log('stream.after', { what: 'news' })
    await this.#taker.take(frame.sync)
    log('stream.before', { what: 'stored' })
    this.#say({ type: 'stored', position: frame.sync.next })
    return null
  }

  #say(ask: StreamAsk): void {
    this.#link?.send(JSON.stringify(ask))
  }
}

function readFrame(text: string) {
  let json: unknown
  try {
    json = parseJson(toUtf8(text), { maxBytes: syncStream.maxNews })
  } catch (error) {
    if (error instanceof EncodingError) return null
    throw error
  }
  const parsed = streamNewsSchema.safeParse(json)
  if (parsed.success) return parsed.data
  // One malformed thing among many must not keep the others from being read.
  const news = typeof json === 'object' && json !== null && 'sync' in json ? json.sync : null
  const salvaged = streamNewsSchema.safeParse({ type: 'news', sync: salvageSync(news) })
  return salvaged.success ? salvaged.data : null
}
