import { parseUserId } from '../../src-shared/protocol/index.ts'
import { accountOf } from '../accounts.ts'
import type { Context } from '../context.ts'
import { PeerError } from '../federation/peer-calls.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

export const profile: Handler<'profile'> = async (context, { params }) => {
  const { userId } = params
  if (parseUserId(userId)?.server !== context.config.serverName)
    return remoteProfile(context, userId)
  const account = await context.storage.read((tx) => accountOf(context, tx, userId))
  if (account === undefined) throw new ApiError('M_NOT_FOUND')
  return { user_id: account.user_id, display_name: account.display_name }
}

async function remoteProfile(context: Context, userId: string) {
  try {
    const server = parseUserId(userId)?.server ?? ''
    const answer = await context.peers.call(server, 'profile', {
      params: { userId },
      timeoutMs: 8000,
    })
    if (!answer.ok || answer.value.user_id !== userId) throw new ApiError('M_NOT_FOUND')
    const { display_name } = answer.value
    await context.storage.write(async (tx) => {
      const known = await tx.federation.accountNamed(userId)
      if (known !== undefined) await tx.federation.putAccount({ ...known, display_name })
    })
    return { user_id: userId, display_name }
  } catch (error) {
    if (!(error instanceof PeerError)) throw error
    const known = await context.storage.read((tx) => tx.federation.accountNamed(userId))
    if (known === undefined) throw new ApiError('M_NOT_FOUND', { rule: 'peer_unreachable' })
    return { user_id: userId, display_name: known.display_name }
  }
}
