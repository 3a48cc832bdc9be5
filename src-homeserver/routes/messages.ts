import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { toPdu } from '../rooms/stored-event.ts'
import { timelineEntry } from '../sync/answer.ts'
import { formatBefore, parseBefore } from '../sync/position.ts'
import { authChain } from '../sync/state-bundle.ts'
import { membershipChanges, spansOf } from '../sync/visible-spans.ts'

const DEFAULT_LIMIT = 50
const MAX_BYTES = 1024 * 1024

export const messages: Handler<'messages'> = async ({ storage }, { caller, params, query }) => {
  if ((query.before === undefined) === (query.after === undefined))
    throw new ApiError('M_INVALID_PARAM')
  const place = parseBefore(query.before ?? query.after ?? '')
  if (place === null) throw new ApiError('M_INVALID_PARAM')
  const forward = query.after !== undefined
  const limit = query.limit ?? DEFAULT_LIMIT
  const { member, device } = caller
  return storage.read(async (tx) => {
    const changes = await membershipChanges(tx, params.roomId, member)
    if (changes.length === 0) throw new ApiError('M_NOT_FOUND')
    const spans = await spansOf(tx, params.roomId, changes)
    if (spans.length === 0) throw new ApiError('M_FORBIDDEN')
    const found = forward
      ? await tx.events.earliest(params.roomId, spans, place, limit)
      : await tx.events.latest(params.roomId, spans, place, limit)
    let bytes = 0
    const rows = found.filter((row, index) => {
      bytes += row.pdu.length + (row.body?.length ?? 0)
      return index === 0 || bytes <= MAX_BYTES
    })
    const ids = rows.map((row) => row.event_id)
    const wraps = await tx.wraps.forEvents(member, device, ids)
    const last = rows.at(-1)
    const auth = (await authChain(tx, rows)).map(toPdu)
    const events = rows.map((row) => timelineEntry(row, wraps.get(row.event_id)))
    const more = last !== undefined && (rows.length < found.length || found.length === limit)
    const there = more ? formatBefore(forward ? last.pos + 1 : last.pos) : null
    if (!forward) return { events, auth, prev: there }
    const older = await tx.events.latest(params.roomId, spans, place, 1)
    return { events, auth, prev: older.length > 0 ? formatBefore(place) : null, next: there }
  })
}
