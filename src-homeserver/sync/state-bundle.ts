/**
 * State as a client can check it: the events themselves, led by everything they rest on. The later of
 * two under one key is the current one, unless it is named as lapsed (Sync §9.3).
 */
import { STATE_TYPES } from '../../src-shared/protocol/index.ts'
import type { Pdu } from '../../src-shared/protocol/index.ts'
import { toPdu } from '../rooms/stored-event.ts'
import type { EventRow, RemoteInvite, Tx } from '../storage/index.ts'

const BATCH = 500

export interface Bundle {
  readonly events: Pdu[]
  /** Ids of those of `events` under whose keys nothing is current any more. */
  readonly lapsed: string[]
}

export const NOTHING: Bundle = { events: [], lapsed: [] }

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
): Promise<Bundle> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos))
  const current = stripped === 'whole' ? rows : rows.filter((row) => STRIPPED.has(row.type))
  return withAuthChain(tx, { room, pos }, current)
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
): Promise<Bundle> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos, of))
  return withAuthChain(tx, { room, pos }, rows)
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
): Promise<Bundle> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos, of))
  return withAuthChain(
    tx,
    { room, pos },
    rows.filter((row) => STRIPPED.has(row.type)),
  )
}

/** Into a room that nobody here is in: as its server has told it. */
export function inviteBundle({ state, lapsed }: RemoteInvite): Bundle {
  return { events: JSON.parse(state) as Pdu[], lapsed: JSON.parse(lapsed) as string[] }
}

/** What the state after position `pos` says of `members` alone. */
export async function membersBundle(
  tx: Tx,
  room: string,
  pos: number,
  members: readonly string[],
): Promise<Bundle> {
  const rows = await rowsOf(tx, await tx.rooms.stateAt(room, pos, members))
  const named = new Set(members)
  return withAuthChain(
    tx,
    { room, pos },
    rows.filter((row) => row.state_key !== null && named.has(row.state_key)),
  )
}

interface Place {
  readonly room: string
  readonly pos: number
}

/** `rows`, which are current at the place, behind their auth events and those events' own. */
async function withAuthChain(tx: Tx, at: Place, rows: readonly EventRow[]): Promise<Bundle> {
  const chain = await authChain(tx, rows)
  const events = [...chain, ...rows].map(toPdu)
  return { events, lapsed: await lapsedAmong(tx, at, chain, rows) }
}

/** Ids of the last of `chain` under each key that has no current event at the place. */
async function lapsedAmong(
  tx: Tx,
  { room, pos }: Place,
  chain: readonly EventRow[],
  current: readonly EventRow[],
): Promise<string[]> {
  const there = new Set(current.map(keyOf))
  const last = new Map<string, EventRow>()
  for (const row of chain) if (!there.has(keyOf(row))) last.set(keyOf(row), row)
  if (last.size === 0) return []
  // Of a part of the members more may be current than is told.
  const named = [...last.values()].flatMap(({ state_key: key }) => key ?? [])
  const others = await rowsOf(tx, await tx.rooms.stateAt(room, pos, named))
  for (const row of others) last.delete(keyOf(row))
  return [...last.values()].map((row) => row.event_id)
}

function keyOf({ type, state_key: key }: EventRow): string {
  return `${type} ${key ?? ''}`
}

/** Everything that `rows` rest on and that is not among them, what others rest on first. */
export async function authChain(tx: Tx, rows: readonly EventRow[]): Promise<EventRow[]> {
  const listed = new Set(rows.map((row) => row.event_id))
  const chain: EventRow[] = []
  let next = named(rows.map(toPdu), listed)
  while (next.length > 0) {
    const found = await rowsOf(tx, next)
    chain.push(...found)
    next = named(found.map(toPdu), listed)
  }
  return chain.sort((a, b) => a.pos - b.pos)
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
