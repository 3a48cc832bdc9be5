import type { Pdu } from '../../src-shared/protocol/index.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { stateBundle } from '../sync/state-bundle.ts'

export const state: Handler<'state'> = async ({ storage }, { caller, params }) =>
  storage.read(async (tx) => {
    const own = await tx.rooms.membership(params.roomId, caller.member)
    if (own === undefined) throw new ApiError('M_NOT_FOUND')
    if (own.membership !== 'join' && own.membership !== 'invite') throw new ApiError('M_FORBIDDEN')
    const invite = await tx.federation.invite(params.roomId, caller.member)
    if (invite !== undefined) return { events: JSON.parse(invite.state) as Pdu[] }
    const which = own.membership === 'join' ? 'whole' : 'stripped'
    return { events: await stateBundle(tx, params.roomId, await tx.streams.head(), which) }
  })
