/** Every endpoint of the server-server contract with what it does; a missing one is a type error. */
import { isJsonObject, parseUserId } from '../../src-shared/protocol/index.ts'
import type { Json } from '../../src-shared/protocol/index.ts'
import { signServerKeys } from '../../src-shared/api/index.ts'
import type { ItemOutcome, ServerEndpointName } from '../../src-shared/api/index.ts'
import { accountOf, copyEntry } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import { failure } from '../log.ts'
import { claimBundles } from '../routes/claim-keys.ts'
import { versionAnswer } from './discovery.ts'
import { later } from './judge.ts'
import { missingFor } from './missing.ts'
import type { PeerHandler } from './peer-call.ts'
import { takeItem } from './take-item.ts'

/** Transactions of one server at a time, in the order in which they came; more than these are turned away. */
const MAX_IN_LINE = 4
const lines = new WeakMap<object, Map<string, { tail: Promise<unknown>; length: number }>>()

const transaction: PeerHandler<'transaction'> = async (context, { origin, raw }) => {
  const ofNode = lines.get(context) ?? new Map<string, { tail: Promise<unknown>; length: number }>()
  lines.set(context, ofNode)
  const line = ofNode.get(origin) ?? { tail: Promise.resolve(), length: 0 }
  ofNode.set(origin, line)
  if (!context.guards.holds('transactions_in_line', line.length < MAX_IN_LINE))
    throw new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: 1000 })
  line.length++
  const work = line.tail.then(async () => {
    const results: ItemOutcome[] = []
    for (const item of (raw['items'] ?? []) as readonly Json[]) {
      if (!isJsonObject(item)) continue
      const id = String(item['id'])
      const kind = String(item['kind'])
      try {
        const verdict = await takeItem(context, origin, item)
        context.metrics.peerItem(kind.slice(0, 16), verdict.outcome)
        results.push({ id, ...verdict })
      } catch (error) {
        // One item's trouble stays its own.
        context.log.error({ ...failure(error), origin }, 'an item of another server')
        results.push({ id, ...later('internal') })
      }
    }
    return { results }
  })
  line.tail = work.catch(() => undefined)
  try {
    return await work
  } finally {
    line.length--
    if (line.length === 0) ofNode.delete(origin)
  }
}

const missing: PeerHandler<'missing'> = async (context, { origin, params, body }) => {
  const answer = await context.storage.read((tx) =>
    missingFor(context, tx, origin, params.roomId, body),
  )
  if (answer === null) throw new ApiError('M_NOT_FOUND')
  return { ...answer, events: [...answer.events] }
}

const manifest: PeerHandler<'manifest'> = async (context, { params, query }) =>
  context.storage.read(async (tx) => {
    const account = await accountOf(context, tx, params.userId)
    if (account === undefined) throw new ApiError('M_NOT_FOUND')
    const { user_id, member, head, height } = account
    const entries = (await tx.manifests.entries(member, query.from)).map(copyEntry)
    return { user_id, member, head, height, entries }
  })

const profile: PeerHandler<'profile'> = async (context, { params }) => {
  const account = await context.storage.read((tx) => accountOf(context, tx, params.userId))
  if (account === undefined) throw new ApiError('M_NOT_FOUND')
  return { user_id: account.user_id, display_name: account.display_name }
}

/** Claims count for the asking server's account; that server answers for naming it rightly. */
const claimKeys: PeerHandler<'claimKeys'> = async (context, { origin, body }) => {
  const { serverName } = context.config
  if (body.devices.some((one) => parseUserId(one.user_id)?.server !== serverName))
    throw new ApiError('M_INVALID_PARAM')
  return context.storage.write((tx) =>
    claimBundles(context, tx, `${origin} ${body.claimer}`, body.devices),
  )
}

export const peerRoutes: { readonly [N in ServerEndpointName]: PeerHandler<N> } = {
  version: async (context) => versionAnswer(context),
  keys: async ({ config, crypto, keys }) =>
    signServerKeys(crypto, keys.current, config.serverName, keys.published),
  transaction,
  missing,
  manifest,
  profile,
  claimKeys,
}
