/**
 * Coming into a room that lives elsewhere (Federation §15): its graph is fetched from any server that is in it, checked
 * from the create event on, and from then on this node decides for itself. The join is an ordinary event of
 * this node's, on top.
 */
import { parseRoomId } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import { isAdmitted } from './admission.ts'
import { catchUp, isForNow } from './catch-up.ts'

/**
 * Does nothing where somebody here is in the room. `via`: servers that are said to be in it. Throws `ApiError`
 * where nobody gives or answers.
 */
export async function enterRoom(
  context: Context,
  room: string,
  member: string,
  via: readonly string[] = [],
): Promise<void> {
  const { config, storage } = context
  const { resident, servers } = await storage.read(async (tx) => {
    const invite = await tx.federation.invite(room, member)
    const known = await tx.rooms.servers(room, ['join'])
    const hint = parseRoomId(room)?.server
    const all = [invite?.server, ...known, ...via, hint].filter((one) => one !== undefined)
    return {
      resident: (await tx.rooms.localMembers(room, ['join'])).length > 0,
      servers: [...new Set(all)].filter(
        (server) => server !== config.serverName && isAdmitted(config.federation, server),
      ),
    }
  })
  if (resident || servers.length === 0) return
  let unreachable = false
  let unspoken = false
  for (const server of servers) {
    const reached = await catchUp(context, room, server, [], servers)
    if (reached === 'done') {
      await meetMembers(context, room)
      return
    }
    if (reached === 'no_common_version') unspoken = true
    else unreachable ||= isForNow(reached)
  }
  if (unreachable) throw new ApiError('E_PEER_UNREACHABLE')
  if (unspoken) throw new ApiError('E_FEDERATION_UNAVAILABLE', { rule: 'no_common_version' })
  throw new ApiError('M_NOT_FOUND')
}

/** Those in the room, so that devices here can learn who they are even while their servers are away. */
async function meetMembers(context: Context, room: string): Promise<void> {
  const users = await context.storage.read(async (tx) => {
    const servers = await tx.rooms.servers(room, ['join'])
    const rows = await Promise.all(servers.map((server) => tx.rooms.membersOf(room, server)))
    return rows
      .flat()
      .filter(({ membership, local }) => membership === 'join' && local === 0)
      .map(({ user_id }) => user_id)
  })
  for (const userId of users) context.remote.meet(userId)
}
