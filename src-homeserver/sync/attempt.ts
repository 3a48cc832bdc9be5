/** One look at what is new for a device: an answer, and whether it is worth waiting for more (Sync §8). */
import type { Look, SyncResponse } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'
import { Draft, finish } from './answer.ts'
import { incrementalPage } from './incremental.ts'
import { initialPage } from './initial.ts'
import { firstCursor, formatPosition, parsePosition } from './position.ts'
import type { Cursor, Position } from './position.ts'
import { isOurTurn } from './claim-turn.ts'
import type { Turn } from './turns.ts'
import { digestOf, windowPage } from './windows.ts'
import type { WindowPage } from './windows.ts'

export interface Ask {
  /** The data that `since` counts in. */
  readonly data: string
  readonly since: Position | null
  /** The device has said that everything up to `since` is stored. */
  readonly stored: boolean
  /** Null: every room. */
  readonly windows: { readonly look: Look; readonly turn: Turn } | null
}

export interface Attempt {
  readonly answer: SyncResponse
  readonly next: Position
  /** Nothing to say: worth waiting. */
  readonly empty: boolean
}

/** The one who asks, and the data that its positions count in. */
interface Asker extends Caller {
  readonly data: string
}

/** Throws `ApiError`. */
export function readSince(context: Context, text: string | undefined): Position | null {
  if (text === undefined) return null
  const position = parsePosition(context.storage.id, text)
  if (position === null) throw new ApiError('E_SYNC_RESET')
  return position
}

/** Throws `ApiError`: for a position, or for a device that may no longer ask. */
export async function attempt(context: Context, from: Caller, ask: Ask): Promise<Attempt> {
  const { data, since, windows } = ask
  // What it counts from may be something else by now.
  if (data !== context.storage.id) throw new ApiError('E_SYNC_RESET')
  const work = async (tx: Tx, mayWrite: boolean): Promise<Attempt | null> => {
    // The device may have been let in, removed or signed out while it waited.
    const row = await tx.devices.byToken(from.tokenHash, context.now())
    if (row === undefined) throw new ApiError('M_UNKNOWN_TOKEN')
    if (row.status === 'removed') throw new ApiError('E_DEVICE_REMOVED')
    const caller: Asker = { ...from, data, scope: row.status === 'active' ? 'full' : 'pending' }
    const head = await tx.streams.head()
    if (since !== null && since.pos > head) {
      context.comeback.fromTheFuture()
      throw new ApiError('E_SYNC_RESET')
    }
    if (caller.scope === 'pending') return pendingPage(context, tx, caller, since, head)
    if (windows !== null)
      return throughWindows(context, tx, caller, { ...ask, windows }, { head, mayWrite })
    if (since?.phase === 's') {
      await checkFloor(tx, caller, since.pos)
      if (ask.stored) context.acks.stored(caller.member, caller.device, since.pos)
      const { draft, upTo } = await incrementalPage(context, tx, caller, since.pos)
      return say(context, tx, caller, draft, { phase: 's', pos: upTo }, draft.isEmpty())
    }
    if (since?.phase !== 'i' && !mayWrite) return null
    const pos = since?.phase === 'i' ? since.pos : head
    if (since?.phase !== 'i')
      await tx.devices.update(caller.member, caller.device, { baseline: head })
    const page = await initialPage(context, tx, caller, pos, startingAt(since))
    const next: Position =
      page.from === null ? { phase: 's', pos } : { phase: 'i', pos, from: page.from }
    return say(context, tx, caller, page.draft, next, false)
  }
  const { storage } = context
  // Only where something is to be remembered with the answer it takes a transaction that writes.
  const answered =
    (await storage.read((tx) => work(tx, false))) ?? (await storage.write((tx) => work(tx, true)))
  if (answered === null) throw new Error('a transaction that writes could not')
  return answered
}

/** Rooms that were seen through windows are told anew by the long poll; messages to the device are not. */
function startingAt(since: Position | null): Cursor {
  if (since === null || since.phase === 'p') return firstCursor
  if (since.phase === 'i') return since.from
  return { part: 'to_device', after: since.phase === 'v' ? since.after : since.pos }
}

async function checkFloor(tx: Tx, { member }: Caller, since: number): Promise<void> {
  const account = await tx.accounts.byMember(member)
  if (account === undefined || since < account.feed_floor) throw new ApiError('E_SYNC_RESET')
}

type WindowedAsk = Ask & { readonly windows: NonNullable<Ask['windows']> }

async function throughWindows(
  context: Context,
  tx: Tx,
  caller: Asker,
  ask: WindowedAsk,
  { head, mayWrite }: { readonly head: number; readonly mayWrite: boolean },
): Promise<Attempt | null> {
  const { look } = ask.windows
  const digest = digestOf(look)
  const start = startOf(ask.since, head)
  const { member, device } = caller
  if (start !== null) {
    const draft = new Draft()
    const { syncItems, syncBytes } = context.config
    const rows = await tx.toDevice.between(member, device, start.after, start.pos, syncItems)
    for (const row of rows) {
      draft.addToDevice(row)
      if (draft.items < syncItems && draft.bytes < syncBytes) continue
      const next: Position = { phase: 'v', pos: start.pos, after: row.pos }
      return say(context, tx, caller, draft, next, false)
    }
    if (!mayWrite) return null
    await tx.windowRooms.dropAll(member, device)
    const asked = { look, since: start.pos, fresh: true, settled: false }
    const page = await windowPage(context, tx, caller, asked, draft)
    return sayWindows(context, tx, caller, ask, page, digest, false)
  }
  const since = ask.since
  if (since === null) throw new Error('a start without a beginning')
  await checkFloor(tx, caller, since.pos)
  if (ask.stored) context.acks.stored(member, device, since.pos, 'windows')
  const settled = since.phase === 'w' && since.look === digest && !since.more
  const asked = { look, since: since.pos, fresh: false, settled }
  const page = await windowPage(context, tx, caller, asked)
  if (!mayWrite && page.shown.length + page.left.length > 0) return null
  const empty = page.draft.isEmpty() && !page.more && settled
  return sayWindows(context, tx, caller, ask, page, digest, empty)
}

/** Null where there is no need to begin anew: the rooms' part of the position is then its own. */
function startOf(
  since: Position | null,
  head: number,
): { readonly pos: number; readonly after: number } | null {
  if (since === null || since.phase === 'p') return { pos: head, after: 0 }
  if (since.phase === 'v') return { pos: since.pos, after: since.after }
  if (since.phase === 'i' && since.from.part === 'to_device')
    return { pos: since.pos, after: since.from.after }
  return null
}

async function sayWindows(
  context: Context,
  tx: Tx,
  caller: Asker,
  { windows, since }: WindowedAsk,
  page: WindowPage,
  look: string,
  empty: boolean,
): Promise<Attempt> {
  // Transactions that write come one after the other: nothing of an overtaken sync is remembered.
  if (windows.turn.over || !(await isOurTurn(context, tx, caller)))
    throw new ApiError('M_LIMIT_EXCEEDED')
  const { member, device } = caller
  await tx.windowRooms.drop(member, device, page.left)
  // What this answer shows must not count as known to one who still asks from before it.
  const shows = page.shown.length > 0 && since?.pos === page.upTo
  const pos = shows ? await tx.streams.take('account', member, null, context.now()) : page.upTo
  for (const row of page.shown) await tx.windowRooms.put({ ...row, shown_at: pos })
  const next: Position = { phase: 'w', pos, look, more: page.more }
  return say(context, tx, caller, page.draft, next, empty)
}

/** Who is not let in sees how its own letting-in stands, and nothing else. */
async function pendingPage(
  context: Context,
  tx: Tx,
  caller: Asker,
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
  caller: Asker,
  draft: Draft,
  next: Position,
  empty: boolean,
): Promise<Attempt> {
  const text = formatPosition(caller.data, next)
  return { answer: await finish(tx, caller, draft, text), next, empty }
}
