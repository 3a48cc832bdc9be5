import { toLook } from '../../src-shared/api/index.ts'
import type { SyncResponse } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import type { Caller, Handler } from '../http/call.ts'
import { attempt, readSince } from '../sync/attempt.ts'
import type { Ask } from '../sync/attempt.ts'
import { beginWindows } from '../sync/begin-windows.ts'
import { claimTurn } from '../sync/claim-turn.ts'
import { listen } from '../sync/news.ts'
import { typingFor } from '../sync/typing-news.ts'

const DEFAULT_TIMEOUT_MS = 0

export const sync: Handler<'sync'> = async (context, { caller, query, gone }) => {
  const since = readSince(context, query.since)
  const { id: data } = context.storage
  return poll(context, caller, { data, since, stored: true, windows: null }, query.timeout, gone)
}

export const syncWindows: Handler<'syncWindows'> = async (context, { caller, body, gone }) => {
  const since = readSince(context, body.since)
  const { id: data } = context.storage
  const overtaken = new AbortController()
  const turn = context.turns.take(caller.member, caller.device, () => overtaken.abort())
  try {
    await claimTurn(context, caller)
    await beginWindows(context, caller, since)
    const ask = { data, since, stored: true, windows: { look: toLook(body), turn } }
    return await poll(context, caller, ask, body.timeout, AbortSignal.any([gone, overtaken.signal]))
  } finally {
    turn.end()
  }
}

async function poll(
  context: Context,
  caller: Caller,
  ask: Ask,
  timeout = DEFAULT_TIMEOUT_MS,
  gone: AbortSignal,
): Promise<SyncResponse> {
  const deadline = performance.now() + timeout
  const rooms = ask.windows?.look.typing ?? []
  for (;;) {
    const news = listen(context, caller, gone)
    const unwatch = context.typing.watch(rooms, news.ring)
    try {
      const { answer: plain, empty } = await attempt(context, caller, ask)
      const typing = await typingNews(context, caller, rooms)
      const answer = typing === null ? plain : { ...plain, typing }
      const left = deadline - performance.now()
      if (!empty || typing !== null || left <= 0 || gone.aborted) return answer
      if (!(await news.within(left))) return answer
    } finally {
      unwatch()
      news.close()
    }
  }
}

/** Null where it is what the device was told last. */
async function typingNews(context: Context, caller: Caller, rooms: readonly string[]) {
  if (rooms.length === 0) return null
  const lists = await typingFor(context, caller, rooms)
  return context.typing.isNews(`${caller.member}/${caller.device}`, lists) ? lists : null
}
