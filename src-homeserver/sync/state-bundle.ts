/**
 * State as a client can check it: the events themselves, led by everything they rest on. The later of
 * two under one key is the current one.
 */
import { STATE_TYPES } from '../../src-shared/protocol/index.ts'
import type { Pdu } from '../../src-shared/protocol/index.ts'
import { toPdu } from '../rooms/stored-event.ts'
import type { EventRow, Tx } from '../storage/index.ts'

const BATCH = 500

/** What one who is invited gets to see: enough to check the invitation and to seal the answer. */
const STRIPPED: ReadonlySet<string> = new Set([
  STATE_TYPES.create,
  STATE_TYPES.power,
  STATE_TYPES.joinRules,
  STATE_TYPES.historyVisibility,
  STATE_TYPES.name,
  STATE_TYPES.topic,
  STATE_TYPES.avatar,
  STATE_TYPES.member,
  STATE_TYPES.roster,
])

/** The state in force after position `pos`. */
export async function stateBundle(
  tx: Tx,
  room: string,
  pos: number,
  stripped: 'whole' | 'stripped',
): Promise<Pdu[]> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos))
  const current = stripped === 'whole' ? rows : rows.filter((row) => STRIPPED.has(row.type))
  return withAuthChain(tx, current)
}

/**
 * What a window needs of a large room's state after position `pos`: what is not said of single members,
 * and what is said of those in `of`.
 */
export async function partialBundle(
  tx: Tx,
  room: string,
  pos: number,
  of: readonly string[],
): Promise<Pdu[]> {
  return withAuthChain(tx, await rowsOf(tx, await tx.rooms.stateAt(room, pos, of)))
}

/**
 * For one who asks to come in, or may: the room's own facts and what is said of those in `of`. The others
 * in the room are not for them yet.
 */
export async function doorBundle(
  tx: Tx,
  room: string,
  pos: number,
  of: readonly string[],
): Promise<Pdu[]> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos, of))
  return withAuthChain(
    tx,
    rows.filter((row) => STRIPPED.has(row.type)),
  )
}

/** What the state after position `pos` says of `members` alone. */
export async function membersBundle(
  tx: Tx,
  room: string,
  pos: number,
  members: readonly string[],
): Promise<Pdu[]> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos, members))
  const named = new Set(members)
  return withAuthChain(
    tx,
    rows.filter((row) => row.state_key !== null && named.has(row.state_key)),
  )
}

/** `rows` behind their auth events and those events' own. */
async function withAuthChain(tx: Tx, rows: readonly EventRow[]): Promise<Pdu[]> {
  return [...(await authChain(tx, rows)), ...rows.map(toPdu)]
}

/** Everything that `rows` rest on and that is not among them, what others rest on first. */
export async function authChain(tx: Tx, rows: readonly EventRow[]): Promise<Pdu[]> {
  const listed = new Set(rows.map((row) => row.event_id))
  const chain: { readonly pos: number; readonly pdu: Pdu }[] = []
  let next = named(rows.map(toPdu), listed)
  while (next.length > 0) {
    const found = (await rowsOf(tx, next)).map((row) => ({ pos: row.pos, pdu: toPdu(row) }))
    chain.push(...found)
    next = named(
      found.map(({ pdu }) => pdu),
      listed,
    )
  }
  return chain.sort((a, b) => a.pos - b.pos).map(({ pdu }) => pdu)
}

function named(pdus: readonly Pdu[], listed: Set<string>): string[] {
  const out: string[] = []
  for (const id of pdus.flatMap((pdu) => pdu.event.auth_events)) {
    if (listed.has(id)) continue
    listed.add(id)
    out.push(id)
  }
  return out
}

async function rowsOf(tx: Tx, ids: readonly string[]): Promise<EventRow[]> {
  const rows: EventRow[] = []
  for (let start = 0; start < ids.length; start += BATCH)
    rows.push(...(await tx.events.byIds(ids.slice(start, start + BATCH))))
  return rows.sort((a, b) => a.pos - b.pos)
}
