import { parseUserId } from '../../src-shared/protocol/index.ts'
import { accountOf, copyEntry } from '../accounts.ts'
import type { Context } from '../context.ts'
import { PeerError } from '../federation/peer-calls.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

export const manifest: Handler<'manifest'> = async (context, { caller, params, query }) => {
  if (caller.scope === 'pending' && params.userId !== caller.userId)
    throw new ApiError('E_DEVICE_PENDING')
  if (parseUserId(params.userId)?.server !== context.config.serverName)
    return remoteManifest(context, params.userId, query.from)
  return context.storage.read(async (tx) => {
    const account = await accountOf(context, tx, params.userId)
    if (account === undefined) throw new ApiError('M_NOT_FOUND')
    return {
      user_id: account.user_id,
      member: account.member,
      head: account.head,
      height: account.height,
      entries: (await tx.manifests.entries(account.member, query.from)).map(copyEntry),
    }
  })
}

/** As its home says it now; as it was last known where that server is away. */
async function remoteManifest(context: Context, userId: string, from: number | undefined) {
  const refreshed = await context.remote.refresh(userId)
  if (refreshed.kind === 'unknown_user') throw new ApiError('M_NOT_FOUND')
  if (refreshed.kind === 'contradicted') {
    // The device keeps what it has seen, and tells a fork from a rollback; it must see both to do so.
    const server = parseUserId(userId)?.server ?? ''
    const said = await context.peers
      .call(server, 'manifest', { params: { userId }, query: { from } })
      .catch((error: unknown) => {
        if (error instanceof PeerError) return null
        throw error
      })
    if (said?.ok === true) return said.value
  }
  return context.storage.read(async (tx) => {
    const account = await tx.federation.accountNamed(userId)
    if (account === undefined && refreshed.kind === 'no_common_version')
      throw new ApiError('E_FEDERATION_UNAVAILABLE', { rule: refreshed.kind })
    if (account === undefined) throw new ApiError('E_PEER_UNREACHABLE')
    const entries = (await tx.manifests.entries(account.member, from)).map(copyEntry)
    const { member, head, height } = account
    return { user_id: userId, member, head, height, entries }
  })
}
