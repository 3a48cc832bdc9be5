import { canJoin, canKnock, parseServerName } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { enterRoom } from '../federation/enter-room.ts'
import { ApiError } from '../http/api-error.ts'
import type { Caller, Handler } from '../http/call.ts'
import { doorBundle, inviteBundle, stateBundle } from '../sync/state-bundle.ts'
import type { Bundle } from '../sync/state-bundle.ts'

const MAX_VIA = 3

export const state: Handler<'state'> = async (context, { caller, params, query }) => {
  const { roomId } = params
  const via = readVia(query.via)
  if (via.length > 0 && !(await isWithin(context, caller, roomId))) {
    if (!context.lookUps.take(caller.member, context.now())) throw new ApiError('M_LIMIT_EXCEEDED')
    await enterRoom(context, roomId, caller.member, via)
  }
  const { events, lapsed } = await stateOf(context, caller, roomId)
  return lapsed.length === 0 ? { events } : { events, lapsed }
}

/** Throws `ApiError`. */
function readVia(text = ''): string[] {
  const servers = text === '' ? [] : text.split(',')
  if (servers.length > MAX_VIA || servers.some((server) => parseServerName(server) === null))
    throw new ApiError('M_INVALID_PARAM')
  return servers
}

async function isWithin({ storage }: Context, { member }: Caller, room: string): Promise<boolean> {
  const own = await storage.read((tx) => tx.rooms.membership(room, member))
  return own?.membership === 'join' || own?.membership === 'invite'
}

async function stateOf(context: Context, { member }: Caller, room: string): Promise<Bundle> {
  return context.storage.read(async (tx) => {
    const own = await tx.rooms.membership(room, member)
    const head = await tx.streams.head()
    if (own?.membership === 'join') return stateBundle(tx, room, head, 'whole')
    if (own?.membership === 'invite') {
      const invite = await tx.federation.invite(room, member)
      if (invite !== undefined) return inviteBundle(invite)
      return stateBundle(tx, room, head, 'stripped')
    }
    const current = await context.roomStates.current(tx, room)
    const isAtDoor = own?.membership === 'knock'
    if (
      current !== undefined &&
      (isAtDoor || canJoin(current.state, member) || canKnock(current.state, member))
    )
      return doorBundle(tx, room, head, [member])
    throw new ApiError(own === undefined ? 'M_NOT_FOUND' : 'M_FORBIDDEN')
  })
}
