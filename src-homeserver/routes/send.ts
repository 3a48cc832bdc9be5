import { joinRuleOf, membershipOf, STATE_TYPES } from '../../src-shared/protocol/index.ts'
import { enterRoom } from '../federation/enter-room.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { afterInvite, beforeOwnMembership, checkInvited } from '../rooms/memberships.ts'
import { once } from '../rooms/once.ts'
import { submit } from '../rooms/submit.ts'

export const send: Handler<'send'> = async (context, { caller, params, body, raw, digest }) => {
  const { roomId, eventType, txnId } = params
  const { envelope } = body
  context.comeback.mayChange()
  if (envelope.room !== roomId) throw new ApiError('E_BAD_ENVELOPE', { rule: 'wrong_room' })
  if (envelope.type !== eventType) throw new ApiError('E_BAD_ENVELOPE', { rule: 'wrong_type' })
  // Coming in, declining and asking to come in are done in the room, so it has to be here first.
  const own = envelope.type === STATE_TYPES.member && envelope.state_key === caller.member
  if (own) await enterRoom(context, roomId, caller.member)
  const request = { caller, scope: `send/${roomId}/${eventType}`, txn: txnId, digest }
  return once(context, request, async (tx) => {
    let current = await context.roomStates.current(tx, roomId)
    if (current === undefined) throw new ApiError('M_NOT_FOUND')
    const stranger = membershipOf(current.state, caller.member) === undefined
    if (stranger && joinRuleOf(current.state) === 'invite') throw new ApiError('M_NOT_FOUND')
    if (own) current = await beforeOwnMembership(context, tx, caller, current)
    const submitted = { checked: body, raw }
    const invited = await checkInvited(context, tx, submitted)
    const { event, current: after } = await submit(context, tx, caller, current, submitted)
    if (invited !== null) await afterInvite(context, tx, after, invited)
    return {
      event_id: event.id,
      envelope_id: event.envelopeId,
      origin_ts: event.pdu.event.origin_ts,
    }
  })
}
