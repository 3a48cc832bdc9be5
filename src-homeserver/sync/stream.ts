/**
 * One stream (Sync §8): news as they come, as many as may be on the way without being stored. It knows no
 * socket, only where frames go; an answer is made when the one before has left.
 */
import { streamAskSchema, streamClose, syncStream, toLook } from '../../src-shared/api/index.ts'
import type { Look, StreamAsk, StreamNews } from '../../src-shared/api/index.ts'
import { passBoundary } from '../../src-platform/boundary.ts'
import { EncodingError, parseJson } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { asApiError } from '../http/answers.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller } from '../http/call.ts'
import { failure } from '../log.ts'
import { createQuota } from '../quota.ts'
import { attempt, readSince } from './attempt.ts'
import { beginWindows } from './begin-windows.ts'
import { claimTurn } from './claim-turn.ts'
import { listen } from './news.ts'
import { formatPosition } from './position.ts'
import type { Position } from './position.ts'
import type { Turn } from './turns.ts'
import { typingFor } from './typing-news.ts'

/** Frames of one client; far more than looking about takes. */
const FRAMES = { max: 1200, windowMs: 60_000 }

export interface Outlet {
  /** Resolves when the frame has left this process; rejects when it can't any more. */
  send(text: string): Promise<void>
  close(code: number): void
}

export interface Stream {
  /** A text frame of the client. */
  take(bytes: Uint8Array): void
  /** The client is gone. */
  end(): void
}

class BadFrame extends Error {
  override readonly name = 'BadFrame'
}

export function openStream(context: Context, caller: Caller, outlet: Outlet): Stream {
  const gone = new AbortController()
  const frames = createQuota(FRAMES)
  let turn: Turn | null = null
  let look: Look | null = null
  /** What positions count in. */
  let data = ''
  /** Sent and not stored, oldest first. */
  let unstored: Position[] = []
  let changed: () => void = () => undefined
  const typing = followTyping(context, caller, outlet)

  function close(code: number): void {
    if (gone.signal.aborted) return
    end()
    outlet.close(code)
  }

  function end(): void {
    gone.abort()
    typing.ask([])
    turn?.end()
    changed()
  }

  async function fail(error: unknown): Promise<void> {
    if (gone.signal.aborted) return
    if (error instanceof BadFrame) {
      close(streamClose.badFrame)
      return
    }
    const known = asApiError(error)
    if (known.errcode === 'M_UNKNOWN') context.log.error(failure(error), 'stream failed')
    const { errcode, error: text } = known.body()
    const frame: StreamNews = { type: 'error', errcode, error: text }
    const code = turn?.over === true ? streamClose.replaced : closeCode(errcode)
    await outlet.send(JSON.stringify(frame)).catch(() => undefined)
    close(code)
  }

  function take(bytes: Uint8Array): void {
    if (gone.signal.aborted) return
    if (!frames.take('', context.now())) {
      void fail(new ApiError('M_LIMIT_EXCEEDED'))
      return
    }
    try {
      takeAsk(readAsk(bytes))
    } catch (error) {
      void fail(error)
    }
  }

  function takeAsk(ask: StreamAsk): void {
    if (ask.type === 'start') {
      if (turn !== null) throw new BadFrame()
      const since = readSince(context, ask.since)
      data = context.storage.id
      if (ask.lists !== undefined || ask.rooms !== undefined) look = toLook(ask)
      typing.ask(ask.typing ?? [])
      turn = context.turns.take(caller.member, caller.device, () => close(streamClose.replaced))
      run(since, turn).catch(fail)
      return
    }
    if (turn === null) throw new BadFrame()
    if (ask.type === 'look') {
      if (look === null) throw new BadFrame()
      typing.ask(ask.typing ?? [])
      // Asking who writes is no other window.
      const { typing: _typing, ...asked } = toLook(ask)
      const { typing: _before, ...before } = look
      look = toLook(ask)
      if (JSON.stringify(asked) === JSON.stringify(before)) return
    } else stored(ask.position)
    changed()
  }

  function stored(text: string): void {
    const at = unstored.findIndex((sent) => formatPosition(data, sent) === text)
    const position = unstored[at]
    // What was said before is said again, or was never sent: nothing follows from either.
    if (position === undefined) return
    unstored = unstored.slice(at + 1)
    acknowledge(position)
  }

  function acknowledge(position: Position): void {
    const { member, device } = caller
    if (position.phase === 's') context.acks.stored(member, device, position.pos)
    if (position.phase === 'w') context.acks.stored(member, device, position.pos, 'windows')
  }

  async function run(from: Position | null, own: Turn): Promise<void> {
    await claimTurn(context, caller)
    if (look !== null) await beginWindows(context, caller, from)
    // Sending it is saying that it is stored.
    if (from !== null) acknowledge(from)
    let since = from
    let toldOfEnd = false
    while (!gone.signal.aborted) {
      if (unstored.length >= syncStream.maxUnstored) {
        await new Promise<void>((resolve) => (changed = resolve))
        continue
      }
      const news = listen(context, caller, gone.signal)
      changed = news.ring
      try {
        const windows = look === null ? null : { look, turn: own }
        const { answer, next, empty } = await attempt(context, caller, {
          data,
          since,
          stored: false,
          windows,
        })
        if (gone.signal.aborted) return
        since = next
        if (empty && toldOfEnd) {
          await news.within(Infinity)
          continue
        }
        toldOfEnd ||= empty
        unstored.push(next)
        await send({ type: 'news', sync: answer })
      } finally {
        news.close()
      }
    }
  }

  async function send(frame: StreamNews): Promise<void> {
    const text = JSON.stringify(frame)
    if (Buffer.byteLength(text) > syncStream.maxNews) throw new ApiError('M_TOO_LARGE')
    passBoundary('stream.before', 'news')
    // Whoever can't be reached any more comes back with what they have stored.
    await outlet.send(text).catch(end)
    passBoundary('stream.after', 'news')
  }

  return { take, end }
}

/**
 * Frames about who writes: one on its way at a time, and it tells how things are when it leaves. So a slow
 * client is told less, not late.
 */
function followTyping(context: Context, caller: Caller, outlet: Outlet) {
  let rooms: readonly string[] = []
  let unwatch: () => void = () => undefined
  let telling = false
  let again = false
  let told = ''

  async function tell(): Promise<void> {
    if (telling) {
      again = true
      return
    }
    telling = true
    try {
      do {
        again = false
        if (rooms.length === 0) return
        const lists = await typingFor(context, caller, rooms)
        const text = JSON.stringify(lists)
        if (text === told || again) continue
        told = text
        const frame: StreamNews = { type: 'typing', rooms: lists }
        await outlet.send(JSON.stringify(frame))
      } while (again)
    } catch (error) {
      context.log.debug(failure(error), 'who writes was not told')
    } finally {
      telling = false
    }
  }

  return {
    ask(asked: readonly string[]) {
      if (asked.join() === rooms.join()) return
      unwatch()
      rooms = asked
      told = JSON.stringify(Object.fromEntries(asked.map((room) => [room, []])))
      unwatch = context.typing.watch(asked, () => void tell())
      if (asked.length > 0) void tell()
    },
  }
}

function readAsk(bytes: Uint8Array): StreamAsk {
  try {
    const parsed = streamAskSchema.safeParse(parseJson(bytes, { maxBytes: syncStream.maxAsked }))
    if (parsed.success) return parsed.data
  } catch (error) {
    if (!(error instanceof EncodingError)) throw error
  }
  throw new BadFrame()
}

function closeCode(errcode: string): number {
  switch (errcode) {
    case 'M_UNKNOWN_TOKEN':
      return streamClose.badToken
    case 'E_DEVICE_REMOVED':
      return streamClose.deviceRemoved
    case 'E_SYNC_RESET':
      return streamClose.reset
    case 'M_TOO_LARGE':
      return streamClose.tooLarge
    case 'M_LIMIT_EXCEEDED':
      return streamClose.limit
    default:
      return streamClose.failed
  }
}
