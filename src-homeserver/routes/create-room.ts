import { STATE_TYPES, readContent } from '../../src-shared/protocol/index.ts'
import type { JsonObject, RoomEvent } from '../../src-shared/protocol/index.ts'
import { manifestOf } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { afterInvite, checkInvited } from '../rooms/memberships.ts'
import { once } from '../rooms/once.ts'
import { stateRoster } from '../rooms/rosters.ts'
import { emptyRoom, submit } from '../rooms/submit.ts'

export const createRoom: Handler<'createRoom'> = async (context, { caller, body, raw, digest }) => {
  const request = { caller, scope: 'rooms', txn: body.txn, digest }
  return once(context, request, async (tx) => {
    const manifest = await manifestOf(context, tx, caller.member)
    const rawSubmissions = raw['submissions'] as readonly JsonObject[]
    let current = emptyRoom
    const ids: string[] = []
    let created: RoomEvent | undefined
    for (const [index, checked] of body.submissions.entries()) {
      const submitted = { checked, raw: rawSubmissions[index] ?? {} }
      if ((index === 0) !== (checked.envelope.type === STATE_TYPES.create))
        throw new ApiError('E_BAD_ENVELOPE', { rule: 'create_first' })
      const invited = await checkInvited(context, tx, submitted)
      const accepted = await submit(context, tx, caller, current, submitted)
      current = accepted.current
      ids.push(accepted.event.id)
      if (created === undefined) {
        created = accepted.event
        const content = readContent(created, STATE_TYPES.create)
        if (content?.visibility !== body.visibility)
          throw new ApiError('E_BAD_ENVELOPE', { rule: 'visibility' })
        // The founder must stand on the manifest as it is now, or its first roster contradicts it.
        if (content.founder.head !== manifest.head)
          throw new ApiError('E_ROSTER_MISMATCH', {
            roster: [{ member: caller.member, head: manifest.head }],
          })
        current = await stateRoster(context, tx, current, manifest)
      }
      if (invited !== null) current = await afterInvite(context, tx, current, invited)
    }
    if (created === undefined) throw new ApiError('E_BAD_ENVELOPE', { rule: 'create_first' })
    return { room_id: created.roomId, event_ids: ids }
  })
}
