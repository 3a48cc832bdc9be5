/**
 * Giving others what they miss of a room (Federation §15, Room state §7): as far as their members may see it, in
 * this node's order, which no event stands in before what it rests on.
 */
import { joinRuleOf } from '../../src-shared/protocol/index.ts'
import type { Pdu } from '../../src-shared/protocol/index.ts'
import type { ServerAnswer, ServerBody, ServerKeys } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import type { Guards } from '../guards.ts'
import { toPdu } from '../rooms/stored-event.ts'
import type { EventRow, Span, Tx } from '../storage/index.ts'
import { membershipChanges, spansOf } from '../sync/visible-spans.ts'

const ANSWER_BYTES = 2 * 1024 * 1024
const SCAN = 500
/** Events looked at for one answer; a gap wider than that is told from the beginning. */
const MAX_SCAN = 20_000
const END = Number.MAX_SAFE_INTEGER

export interface MissingAnswer {
  readonly events: readonly Pdu[]
  readonly more: boolean
  readonly next: string | null
}

/** Null where the room, or all of it, is none of the asker's business. */
export async function missingFor(
  context: Context,
  tx: Tx,
  asker: string,
  room: string,
  { wanted, known, limit, after }: ServerBody<'missing'>,
): Promise<MissingAnswer | null> {
  // Who has pushed something before leaving still gives what it rests on.
  if (wanted.length === 0 && !(await speaksFor(tx, room))) return null
  const view = await viewOf(context, tx, asker, room)
  if (view === null) return null
  const from = after === undefined ? null : Number(after)
  if (from === null && known.length > 0) {
    const found = await between(tx, room, view.upTo, wanted, known)
    if (found !== null) {
      const page = found.slice(0, limit)
      const rows = await tx.events.byIds(page)
      const given = give(
        view,
        asker,
        rows.sort((a, b) => a.pos - b.pos),
      )
      return { events: given.pdus, more: given.count < found.length, next: null }
    }
  }
  const start = from === null || !Number.isSafeInteger(from) || from < 0 ? 0 : from
  const rows = await tx.events.between(room, start, view.upTo, limit + 1)
  const { pdus, count, last } = give(view, asker, rows.slice(0, limit))
  const more = count < rows.length
  return { events: pdus, more, next: more ? String(last) : null }
}

/** Only who is in the room speaks for it. */
async function speaksFor(tx: Tx, room: string): Promise<boolean> {
  return (await tx.rooms.localMembers(room, ['join'])).length > 0
}

/**
 * What this node has of the signing keys of servers in the room's history, its own apart: nothing that the asker could
 * not see there. Null where the room is none of its business.
 */
export async function keysFor(
  context: Context,
  tx: Tx,
  asker: string,
  room: string,
  servers: readonly string[],
): Promise<ServerAnswer<'roomKeys'>['documents'] | null> {
  const view = await viewOf(context, tx, asker, room)
  if (view === null || !(await speaksFor(tx, room))) return null
  const documents: ServerAnswer<'roomKeys'>['documents'] = []
  for (const server of new Set(servers)) {
    const seen = await tx.events.hasOrigin(room, server, view.upTo)
    const row = await tx.federation.keyDocument(server)
    if (row === undefined || !context.guards.holds('key_view', seen)) continue
    const document = JSON.parse(row.document) as ServerKeys
    documents.push({ document, first_hand: row.first_hand === 1 })
  }
  return documents
}

function give(
  view: View,
  asker: string,
  rows: readonly EventRow[],
): { pdus: Pdu[]; count: number; last: number } {
  const pdus: Pdu[] = []
  let bytes = 0
  let last = 0
  for (const row of rows) {
    bytes += row.pdu.length + (row.body?.length ?? 0)
    if (pdus.length > 0 && bytes > ANSWER_BYTES) break
    const pdu = toPdu(row)
    pdus.push(isOpen(view, asker, row) ? pdu : { ...pdu, body: null })
    last = row.pos
  }
  return { pdus, count: pdus.length, last }
}

/** What everyone in the room needs, what the asker wrote itself, and what its members may read. */
function isOpen({ spans, guards }: View, asker: string, row: EventRow): boolean {
  if (row.state_key !== null || row.type === 'e.redaction' || row.origin === asker) return true
  return guards.holds(
    'body_view',
    spans.some(({ from, to }) => from <= row.pos && row.pos <= to),
  )
}

interface View {
  /** Nothing after this position is shown. */
  readonly upTo: number
  /** Where messages are shown with their bodies. */
  readonly spans: readonly Span[]
  readonly guards: Guards
}

async function viewOf(context: Context, tx: Tx, asker: string, room: string): Promise<View | null> {
  const current = await context.roomStates.current(tx, room)
  if (current === undefined) return null
  const members = await tx.rooms.membersOf(room, asker)
  const open = joinRuleOf(current.state) !== 'invite'
  const present = members.some(({ membership }) => membership !== 'leave' && membership !== 'ban')
  const banned = members.length > 0 && members.every(({ membership }) => membership === 'ban')
  const { guards } = context
  if (!guards.holds('room_view', members.length > 0 || open)) return null
  const spans: Span[] = []
  for (const { member, membership } of members) {
    const changes = await membershipChanges(tx, room, member)
    // What may be read on coming in is given before.
    const asIfIn = membership === 'invite' ? [...changes, { pos: END - 1, value: 'join' }] : changes
    spans.push(...(await spansOf(tx, room, asIfIn)))
  }
  if (members.length === 0)
    spans.push(...(await spansOf(tx, room, [{ pos: END - 1, value: 'join' }])))
  if (guards.holds('room_view', present || (open && !banned))) return { upTo: END, spans, guards }
  // Up to how it ended, that included.
  return { upTo: Math.max(...members.map(({ pos }) => pos)), spans, guards }
}

/**
 * Ids of what `wanted` (or every end of the graph) rests on and `known` does not, oldest first; null where that is
 * too far apart to tell. Parents stand before children in this node's order, so one walk down it is enough.
 */
async function between(
  tx: Tx,
  room: string,
  upTo: number,
  wanted: readonly string[],
  known: readonly string[],
): Promise<string[] | null> {
  const ends = wanted.length > 0 ? wanted : await tx.events.extremities(room)
  const rows = (await tx.events.byIds([...new Set([...ends, ...known])])).filter(
    (row) => row.room_id === room,
  )
  const flags = new Map<string, 'wanted' | 'known'>()
  const have = new Map(rows.map((row) => [row.event_id, row]))
  for (const id of ends) if (have.has(id)) flags.set(id, 'wanted')
  for (const id of known) if (have.has(id)) flags.set(id, 'known')
  const out: string[] = []
  let open = [...flags.values()].filter((flag) => flag === 'wanted').length
  let from = Math.max(0, ...rows.map(({ pos }) => pos))
  for (let scanned = 0; open > 0; scanned += SCAN) {
    if (scanned >= MAX_SCAN) return null
    const page = await tx.events.graphBefore(room, from, SCAN)
    for (const { event_id: id, pos, rejected, parents } of page) {
      from = pos - 1
      const flag = flags.get(id)
      if (flag === undefined) continue
      flags.delete(id)
      if (flag === 'wanted') {
        open--
        if (rejected === 0 && pos <= upTo) out.push(id)
      }
      for (const parent of parents) {
        const before = flags.get(parent)
        if (before === 'known' || before === flag) continue
        if (before === 'wanted') open--
        flags.set(parent, flag)
        if (flag === 'wanted') open++
      }
      if (open === 0) break
    }
    if (page.length < SCAN) break
  }
  return out.reverse()
}
