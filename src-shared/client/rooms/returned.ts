/** Who is in a room again on the node's word alone (Room state §8.13). */
import { isOlder, members, membershipOf, stateEvent, STATE_TYPES } from '../../protocol/index.ts'
import type { RoomState } from '../../protocol/index.ts'

/** Those whose removal by somebody else, known in `before`, is told never to have held in `after`. */
export function returnedBetween(before: RoomState, after: RoomState): string[] {
  return members(after).flatMap(({ member, membership }) => {
    const was = stateEvent(before, STATE_TYPES.member, member)
    const is = stateEvent(after, STATE_TYPES.member, member)
    if (was === undefined || is === undefined || was.header.member === member) return []
    const out = ['leave', 'ban'].includes(membershipOf(before, member) ?? '')
    return out && membership === 'join' && isOlder(is, was) ? [member] : []
  })
}
