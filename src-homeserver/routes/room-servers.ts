import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

/** Which other servers a room lives on, and for which of them messages wait (Federation §15.5). */
export const roomServers: Handler<'roomServers'> = async (
  { storage, config, outbound },
  { caller, params },
) => {
  const room = params.roomId
  const servers = await storage.read(async (tx) => {
    const own = await tx.rooms.membership(room, caller.member)
    if (own === undefined) throw new ApiError('M_NOT_FOUND')
    if (own.membership !== 'join') throw new ApiError('M_FORBIDDEN')
    return tx.rooms.servers(room, ['join', 'invite'])
  })
  return {
    servers: servers
      .filter((server) => server !== config.serverName)
      .sort()
      .map((server) => ({ server, silent_since: outbound.silentSince(server) })),
  }
}
