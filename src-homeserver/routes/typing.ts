import { canSend, MESSAGE_TYPES } from '../../src-shared/protocol/index.ts'
import { whisperToServers } from '../federation/announce.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

/** Told to whoever looks at the room now, here and elsewhere; kept nowhere. */
export const typing: Handler<'typing'> = async (context, { caller, params, body }) => {
  const { roomId } = params
  const { member, device } = caller
  if (!context.typingQuota.take(`${member}/${device}`, context.now()))
    throw new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: 10_000 })
  const servers = await context.storage.read(async (tx) => {
    const own = await tx.rooms.membership(roomId, member)
    const room = await tx.rooms.get(roomId)
    if (own === undefined || room === undefined) throw new ApiError('M_NOT_FOUND')
    const current = await context.roomStates.current(tx, roomId)
    const may = current !== undefined && canSend(current.state, member, MESSAGE_TYPES.message)
    // When somebody writes is what a Shadow Room hides.
    if (!may || room.visibility === 'shadow') throw new ApiError('M_FORBIDDEN')
    return tx.rooms.servers(roomId, ['join'])
  })
  context.sayTyping(roomId, member, body.timeout)
  whisperToServers(context, servers, { room: roomId, member, timeout: body.timeout })
  return {}
}
