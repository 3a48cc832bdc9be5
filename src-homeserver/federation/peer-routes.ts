/** Every endpoint of the server-server contract with what it does; a missing one is a type error. */
import { isJsonObject, parseUserId } from '../../src-shared/protocol/index.ts'
import type { Json } from '../../src-shared/protocol/index.ts'
import { MAX_RETURNED, signServerKeys } from '../../src-shared/api/index.ts'
import type { ItemOutcome, ServerEndpointName } from '../../src-shared/api/index.ts'
import { accountOf, copyEntry } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import { failure } from '../log.ts'
import { claimBundles } from '../routes/claim-keys.ts'
import { inviteAgain } from './announce.ts'
import { versionAnswer } from './discovery.ts'
import { later } from './judge.ts'
import { keysFor, missingFor } from './missing.ts'
import { endsTransaction } from '../storage/index.ts'
import type { PeerHandler } from './peer-call.ts'
import { takeItem } from './take-item.ts'

/** Transactions of one server at a time, in the order in which they came; more than these are turned away. */
const MAX_IN_LINE = 4
/** Of members of a server that is told of the room. */
const STANDING = ['join', 'invite'] as const
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
        // Nothing can be taken now: the other side keeps what it has.
        if (endsTransaction(error)) throw error
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

const roomKeys: PeerHandler<'roomKeys'> = async (context, { origin, params, body }) => {
  const documents = await context.storage.read((tx) =>
    keysFor(context, tx, origin, params.roomId, body.servers),
  )
  if (documents === null) throw new ApiError('M_NOT_FOUND')
  return { documents }
}

/** Of accounts here; and to a server of its own, as far as it was seen: it may have lost some of it. */
const manifest: PeerHandler<'manifest'> = async (context, { origin, params, query }) =>
  context.storage.read(async (tx) => {
    const theirs = parseUserId(params.userId)?.server === origin
    const account = theirs
      ? await tx.federation.accountNamed(params.userId)
      : await accountOf(context, tx, params.userId)
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

const returned: PeerHandler<'returned'> = async (context, { origin, body: { after } }) => {
  if (after === undefined) {
    context.log.warn({ server: origin }, 'another server was set back to an earlier state')
    context.metrics.peerAlarm('restored')
  }
  return context.storage.write(async (tx) => {
    const all = await tx.rooms.ofServer(origin, STANDING, after ?? '', MAX_RETURNED)
    const rooms: string[] = []
    for (const room of all) {
      const members = await tx.rooms.membersOf(room, origin)
      if (members.some(({ membership }) => membership === 'join')) rooms.push(room)
      else await inviteAgain(context, tx, room, members)
    }
    return { rooms, next: all.length < MAX_RETURNED ? null : (all.at(-1) ?? null) }
  })
}

export const peerRoutes: { readonly [N in ServerEndpointName]: PeerHandler<N> } = {
  version: async (context) => versionAnswer(context),
  keys: async ({ config, crypto, keys }) =>
    signServerKeys(crypto, keys.current, config.serverName, keys.published),
  transaction,
  missing,
  roomKeys,
  manifest,
  profile,
  claimKeys,
  returned,
}
