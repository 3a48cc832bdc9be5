/**
 * Accounts of other servers (Identity §2): their manifests, fetched from their home, verified link by link and
 * kept, so that devices here learn of them even while that server is away. A log that lost entries or changed
 * them is not taken over; devices are shown it all the same, and decide.
 */
import {
  appendEntry,
  canonicalText,
  manifestEntryHash,
  parseUserId,
  replayStoredManifest,
  verifyManifest,
} from '../../src-shared/protocol/index.ts'
import type {
  Crypto,
  JsonObject,
  ManifestState,
  SignedEntry,
} from '../../src-shared/protocol/index.ts'
import type { ServerAnswer } from '../../src-shared/api/index.ts'
import type { Guards } from '../guards.ts'
import { failure } from '../log.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { endsTransaction } from '../storage/index.ts'
import type { Storage, Tx } from '../storage/index.ts'
import { PeerError } from './peer-calls.ts'
import type { PeerCalls } from './peer-calls.ts'

export type Refreshed =
  /** What is stored is what the home server says, or was told not to take over. */
  | { readonly kind: 'current'; readonly member: string }
  /** The home server says something that contradicts what is stored. */
  | { readonly kind: 'contradicted' }
  | { readonly kind: 'unknown_user' }
  | { readonly kind: 'unreachable' }
  /** There is no version that both servers know. */
  | { readonly kind: 'no_common_version' }

export interface RemoteAccounts {
  /** Asks the home server for what is new. */
  refresh(userId: string): Promise<Refreshed>
  /** As `refresh`, behind the caller's back, if it is not known well enough. */
  meet(userId: string): void
}

const TIMEOUT_MS = 8000
const MAX_MEETING = 1000

export interface RemoteAccountParts {
  readonly crypto: Crypto
  readonly storage: Storage
  readonly peers: PeerCalls
  readonly log: Log
  readonly metrics: Metrics
  readonly guards: Guards
  readonly now: () => number
  readonly stopping: AbortSignal
}

export function createRemoteAccounts(parts: RemoteAccountParts): RemoteAccounts {
  const running = new Map<string, Promise<Refreshed>>()
  const next = new Map<string, Promise<Refreshed>>()
  const toMeet = new Set<string>()
  let meeting = false

  function start(userId: string): Promise<Refreshed> {
    const mine = fetchAccount(parts, userId).finally(() => running.delete(userId))
    running.set(userId, mine)
    return mine
  }

  /** What is on its way may have been answered before there was anything new to ask for: it is asked once more. */
  function refresh(userId: string): Promise<Refreshed> {
    const before = running.get(userId)
    if (before === undefined) return start(userId)
    const waiting = next.get(userId)
    if (waiting !== undefined) return waiting
    const mine = before
      .catch(() => null)
      .then((found) => {
        next.delete(userId)
        const asked = found?.kind !== 'unreachable' && found?.kind !== 'no_common_version'
        return asked ? start(userId) : found
      })
    next.set(userId, mine)
    return mine
  }

  async function meetAll(): Promise<void> {
    meeting = true
    try {
      for (const userId of toMeet) {
        toMeet.delete(userId)
        if (parts.stopping.aborted) return
        await refresh(userId)
      }
    } catch (error) {
      if (!parts.stopping.aborted) parts.log.error(failure(error), 'meeting an account')
    } finally {
      meeting = false
    }
  }

  return {
    refresh,
    meet(userId) {
      if (toMeet.size < MAX_MEETING) toMeet.add(userId)
      if (!meeting) void meetAll()
    },
  }
}

async function fetchAccount(context: RemoteAccountParts, userId: string): Promise<Refreshed> {
  const server = parseUserId(userId)?.server ?? ''
  const known = await context.storage.read(async (tx) => {
    const account = await tx.federation.accountNamed(userId)
    return account === undefined ? null : await stored(context, tx, account.member)
  })
  try {
    const from = known?.height ?? 0
    const ask = async (height: number) => {
      const answer = await context.peers.call(server, 'manifest', {
        params: { userId },
        query: { from: height },
        timeoutMs: TIMEOUT_MS,
      })
      return answer.ok && answer.value.user_id === userId ? answer.value : null
    }
    let answer = await ask(from)
    if (answer === null) return { kind: 'unknown_user' }
    let next = known === null ? null : continued(context, known, answer)
    if (next === null) {
      if (from > 0) answer = await ask(0)
      if (answer === null) return { kind: 'unknown_user' }
      next = fromGenesis(context, userId, answer)
    }
    if (next === null) return alarm(context, server, 'bad_manifest')
    if (known !== null && next.fingerprint === known.fingerprint) {
      const goesOn = next.steps[known.height]?.hash === known.head
      if (!context.guards.holds('manifest_rollback', goesOn))
        return alarm(
          context,
          server,
          next.height < known.height ? 'manifest_rolled_back' : 'manifest_forked',
        )
    }
    try {
      await keep(context, userId, next, answer.entries)
    } catch (error) {
      // Who only reads is served from what is kept.
      if (known !== null && endsTransaction(error)) return { kind: 'unreachable' }
      throw error
    }
    return { kind: 'current', member: next.fingerprint }
  } catch (error) {
    if (error instanceof PeerError)
      return { kind: error.code === 'no_common_version' ? error.code : 'unreachable' }
    throw error
  }
}

function alarm(context: RemoteAccountParts, server: string, what: string): Refreshed {
  context.log.warn({ server, what }, 'manifest of another server')
  context.metrics.peerAlarm(what)
  return { kind: 'contradicted' }
}

async function stored(
  context: RemoteAccountParts,
  tx: Tx,
  member: string,
): Promise<ManifestState | null> {
  const replayed = replayStoredManifest(context.crypto, await tx.manifests.entries(member))
  return replayed.ok ? replayed.state : null
}

/** The stored log with what the answer adds; null where it is not that log. */
function continued(
  { crypto }: RemoteAccountParts,
  known: ManifestState,
  { member, entries }: ServerAnswer<'manifest'>,
): ManifestState | null {
  const [first, ...fresh] = entries as readonly SignedEntry[]
  if (member !== known.fingerprint || first === undefined) return null
  if (manifestEntryHash(crypto, first.entry) !== known.head) return null
  let state = known
  for (const signed of fresh) {
    const result = appendEntry(crypto, state, signed)
    if (!result.ok) return null
    state = result.state
  }
  return state
}

function fromGenesis(
  { crypto }: RemoteAccountParts,
  userId: string,
  { member, entries }: ServerAnswer<'manifest'>,
): ManifestState | null {
  const verified = verifyManifest(crypto, entries as readonly SignedEntry[])
  if (!verified.ok) return null
  const { state } = verified
  return state.fingerprint === member && state.userId === userId ? state : null
}

async function keep(
  context: RemoteAccountParts,
  userId: string,
  state: ManifestState,
  entries: ServerAnswer<'manifest'>['entries'],
): Promise<void> {
  const member = state.fingerprint
  const first = state.height - entries.length + 1
  await context.storage.write(async (tx) => {
    const before = await tx.federation.account(member)
    const have = (await tx.manifests.entries(member)).length
    for (const [index, signed] of entries.entries()) {
      const height = first + index
      const step = state.steps[height]
      if (height < have || step === undefined) continue
      const entry = canonicalText(signed as JsonObject)
      await tx.manifests.append(member, height, step.hash, entry, context.now())
    }
    await tx.federation.putAccount({
      member,
      user_id: userId,
      head: state.head,
      height: state.height,
      display_name: before?.display_name ?? '',
      seen_at: context.now(),
    })
    if (before?.head === state.head) return
    const audience = (await tx.rooms.localPeers(member)).map((one) => ({ member: one }))
    if (audience.length > 0)
      await tx.streams.append('manifest', member, null, audience, context.now())
  })
}
