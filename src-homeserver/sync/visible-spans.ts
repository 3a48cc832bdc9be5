/**
 * Which part of a room's order a member may read (Room state §7): where it was joined, and what the history
 * visibility of the time left open to those who came later.
 */
import {
  contentSchemas,
  fromBase64Url,
  parseJson,
  STATE_TYPES,
} from '../../src-shared/protocol/index.ts'
import type { Span, Tx } from '../storage/index.ts'

export interface Change<T> {
  readonly pos: number
  readonly value: T
}

const END = Number.MAX_SAFE_INTEGER

/**
 * Ascending, apart from each other; a span's last position is the event that ended it. Until the room
 * says otherwise its history is for those who were in it.
 */
export function visibleSpans(
  memberships: readonly Change<string>[],
  visibilities: readonly Change<string>[],
): Span[] {
  const periods = memberships.map(({ pos, value }, index) => ({
    value,
    from: pos,
    to: memberships[index + 1]?.pos ?? END,
  }))
  const joined = periods.filter(({ value }) => value === 'join')
  const last = joined.at(-1)
  if (last === undefined) return []
  const spans: Span[] = [...joined]
  for (const [index, { pos: from, value }] of visibilities.entries()) {
    const to = visibilities[index + 1]?.pos ?? END
    if (value === 'shared' || value === 'world_readable')
      spans.push({ from, to: Math.min(to, last.to) })
    if (value === 'invited')
      for (const period of periods)
        if (period.value === 'invite' && period.from < last.to)
          spans.push({ from: Math.max(from, period.from), to: Math.min(to, period.to) })
  }
  return merge(spans.filter(({ from, to }) => from <= to))
}

function merge(spans: readonly Span[]): Span[] {
  const out: Span[] = []
  for (const { from, to } of [...spans].sort((a, b) => a.from - b.from)) {
    const last = out.at(-1)
    if (last === undefined || from > last.to) out.push({ from, to })
    else out[out.length - 1] = { from: last.from, to: Math.max(last.to, to) }
  }
  return out
}

/** What the member was, since when. Whoever made the room was in it from its first event on. */
export async function membershipChanges(
  tx: Tx,
  room: string,
  member: string,
): Promise<Change<string>[]> {
  const changes = await tx.rooms.history(room, STATE_TYPES.member, member)
  const stated = changes.map(({ pos, membership }) => ({ pos, value: membership ?? 'leave' }))
  const [created] = await tx.rooms.history(room, STATE_TYPES.create, '')
  if (created?.member !== member) return stated
  return [{ pos: created.pos, value: 'join' }, ...stated]
}

export async function spansOf(
  tx: Tx,
  room: string,
  memberships: readonly Change<string>[],
): Promise<Span[]> {
  const changes = await tx.rooms.history(room, STATE_TYPES.historyVisibility, '')
  const rows = await tx.events.byIds(changes.map((change) => change.event_id))
  const bodies = new Map(rows.map((row) => [row.event_id, row.body]))
  const visibilities = changes.map(({ pos, event_id }) => ({
    pos,
    value: readVisibility(bodies.get(event_id) ?? null),
  }))
  return visibleSpans(memberships, visibilities)
}

function readVisibility(body: string | null): string {
  if (body === null) return 'joined'
  const json = parseJson(fromBase64Url(body), { maxBytes: 128 * 1024 })
  const parsed = contentSchemas[STATE_TYPES.historyVisibility].safeParse(json)
  return parsed.success ? parsed.data.history_visibility : 'joined'
}

/** What the member was after position `pos`; undefined before it was heard of. */
export function membershipAt(changes: readonly Change<string>[], pos: number): string | undefined {
  return changes.findLast((change) => change.pos <= pos)?.value
}
