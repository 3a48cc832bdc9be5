import type { SyncResponse } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller, Handler } from '../http/call.ts'
import type { Storage, Tx } from '../storage/index.ts'
import { Draft, finish } from '../sync/answer.ts'
import { incrementalPage } from '../sync/incremental.ts'
import { initialPage } from '../sync/initial.ts'
import { firstCursor, formatPosition, parsePosition } from '../sync/position.ts'
import type { Position } from '../sync/position.ts'

const DEFAULT_TIMEOUT_MS = 0

interface Attempt {
  readonly answer: SyncResponse
  /** Nothing to say: worth waiting. */
  readonly empty: boolean
}

export const sync: Handler<'sync'> = async (context, { caller, query, gone }) => {
  const since = readSince(context, query.since)
  const deadline = context.now() + (query.timeout ?? DEFAULT_TIMEOUT_MS)
  for (;;) {
    // Listening begins before looking, so that nothing falls between.
    const news = listen(context, caller, gone)
    try {
      const { answer, empty } = await attempt(context, caller, since)
      const left = deadline - context.now()
      if (!empty || left <= 0 || gone.aborted) return answer
      if (!(await news.within(left))) return answer
    } finally {
      news.close()
    }
  }
}

function readSince(context: Context, text: string | undefined): Position | null {
  if (text === undefined) return null
  const position = parsePosition(context.storage.id, text)
  if (position === null) throw new ApiError('E_SYNC_RESET')
  return position
}

async function attempt(
  context: Context,
  { member, device, userId, tokenHash }: Caller,
  since: Position | null,
): Promise<Attempt> {
  const starts = since === null || since.phase === 'p'
  // Only a start writes: from there on delivered wraps are dropped as the position passes them.
  const transaction: Storage['read'] = starts
    ? (work) => context.storage.write(work)
    : (work) => context.storage.read(work)
  return transaction(async (tx): Promise<Attempt> => {
    // The device may have been let in, removed or dismissed while it waited.
    const row = await tx.devices.get(member, device)
    if (row === undefined) throw new ApiError('M_UNKNOWN_TOKEN')
    if (row.status === 'removed') throw new ApiError('E_DEVICE_REMOVED')
    const caller: Caller = {
      member,
      device,
      userId,
      tokenHash,
      scope: row.status === 'active' ? 'full' : 'pending',
    }
    const head = await tx.streams.head()
    if (since !== null && since.pos > head) throw new ApiError('E_SYNC_RESET')
    if (caller.scope === 'pending') return pendingPage(context, tx, caller, since, head)
    if (since?.phase === 's') return caughtUp(context, tx, caller, since.pos)
    const pos = since?.phase === 'i' ? since.pos : head
    const from = since?.phase === 'i' ? since.from : firstCursor
    if (starts) await tx.devices.update(member, device, { baseline: head })
    const page = await initialPage(context, tx, caller, pos, from)
    const next: Position =
      page.from === null ? { phase: 's', pos } : { phase: 'i', pos, from: page.from }
    return say(context, tx, caller, page.draft, next, false)
  })
}

async function caughtUp(context: Context, tx: Tx, caller: Caller, since: number): Promise<Attempt> {
  const account = await tx.accounts.byMember(caller.member)
  if (account === undefined || since < account.feed_floor) throw new ApiError('E_SYNC_RESET')
  context.acks.stored(caller.member, caller.device, since)
  const { draft, upTo } = await incrementalPage(context, tx, caller, since)
  return say(context, tx, caller, draft, { phase: 's', pos: upTo }, draft.isEmpty())
}

/** Who is not let in sees how its own letting-in stands, and nothing else. */
async function pendingPage(
  context: Context,
  tx: Tx,
  caller: Caller,
  since: Position | null,
  head: number,
): Promise<Attempt> {
  const draft = new Draft()
  let upTo = head
  if (since !== null) {
    const limit = context.config.syncItems
    const items = await tx.streams.after(caller.member, caller.device, since.pos, limit)
    if (items.length === limit) upTo = items.at(-1)?.pos ?? head
    for (const { kind, ref } of items) {
      if (kind === 'manifest' && ref === caller.member) draft.manifests.add(ref)
      if (kind === 'account') draft.accountNews = true
    }
  }
  const empty = since !== null && draft.isEmpty() && upTo === head
  return say(context, tx, caller, draft, { phase: 'p', pos: upTo }, empty)
}

async function say(
  context: Context,
  tx: Tx,
  caller: Caller,
  draft: Draft,
  next: Position,
  empty: boolean,
): Promise<Attempt> {
  const text = formatPosition(context.storage.id, next)
  return { answer: await finish(tx, caller, draft, text), empty }
}

interface News {
  /** True when there may be some; false when time is up or the caller is gone. */
  within(ms: number): Promise<boolean>
  close(): void
}

function listen(context: Context, { member }: Caller, gone: AbortSignal): News {
  let arrived = false
  let ring: () => void = () => undefined
  const unsubscribe = context.notifier.subscribe(member, () => {
    arrived = true
    ring()
  })
  return {
    async within(ms) {
      context.metrics.waiting(1)
      try {
        await new Promise<void>((resolve) => {
          const timer = setTimeout(resolve, ms)
          ring = () => {
            clearTimeout(timer)
            resolve()
          }
          gone.addEventListener('abort', ring, { once: true })
          if (arrived || gone.aborted) ring()
        })
      } finally {
        gone.removeEventListener('abort', ring)
        context.metrics.waiting(-1)
      }
      return arrived && !gone.aborted
    },
    close: unsubscribe,
  }
}
