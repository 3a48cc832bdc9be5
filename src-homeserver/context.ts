/** The composition root: everything a route may use, put together once. */
import { getRandomValues } from 'node:crypto'
import type { Crypto } from '../src-shared/protocol/index.ts'
import { createNativeCrypto } from '../src-platform/crypto/native-crypto.ts'
import { watchClock } from './clock-watch.ts'
import type { ClockWatch } from './clock-watch.ts'
import type { NodeConfig } from './config.ts'
import { createComeback } from './federation/comeback.ts'
import type { Comeback } from './federation/comeback.ts'
import { createDirectory } from './federation/directory.ts'
import { createExchange } from './federation/exchange.ts'
import type { Exchange, Network } from './federation/exchange.ts'
import { createOutbound } from './federation/outbound.ts'
import type { Outbound } from './federation/outbound.ts'
import { createPeerCalls } from './federation/peer-calls.ts'
import type { PeerCalls } from './federation/peer-calls.ts'
import { createRemoteAccounts } from './federation/remote-accounts.ts'
import type { RemoteAccounts } from './federation/remote-accounts.ts'
import { openRoots } from './federation/roots.ts'
import type { Roots } from './federation/roots.ts'
import { createServerKeyBook } from './federation/server-keys.ts'
import type { ServerKeyBook } from './federation/server-keys.ts'
import { allGuards } from './guards.ts'
import type { Guards } from './guards.ts'
import { createLog, failure } from './log.ts'
import type { Log } from './log.ts'
import { createMetrics } from './metrics.ts'
import type { Metrics } from './metrics.ts'
import { createPasswords } from './passwords.ts'
import type { Passwords } from './passwords.ts'
import { createQuota } from './quota.ts'
import type { Quota } from './quota.ts'
import { createRoomStates } from './rooms/room-states.ts'
import type { RoomStates } from './rooms/room-states.ts'
import { keepPublicKeys, openKeys } from './shared-key.ts'
import { keyFileIn } from './signing-key.ts'
import type { LiveNodeKeys } from './signing-key.ts'
import { openStorage } from './storage/index.ts'
import type { Storage } from './storage/index.ts'
import { createAcks } from './sync/acks.ts'
import type { Acks } from './sync/acks.ts'
import { createLocalNotifier } from './sync/notifier.ts'
import type { Notifier } from './sync/notifier.ts'
import { createTurns } from './sync/turns.ts'
import type { Turns } from './sync/turns.ts'
import { createTyping } from './sync/typing.ts'
import type { Typing } from './sync/typing.ts'

/** Each may fetch a room's whole past. */
const LOOK_UPS = { max: 30, windowMs: 10 * 60_000 }
/** A client says it every ten seconds, and when it stops. */
const TYPING = { max: 60, windowMs: 60_000 }

export interface Context {
  readonly config: NodeConfig
  readonly crypto: Crypto
  readonly keys: LiveNodeKeys
  readonly storage: Storage
  readonly notifier: Notifier
  readonly acks: Acks
  /** Syncs with windows, one for each device. */
  readonly turns: Turns
  readonly passwords: Passwords
  /** One-time prekeys per claiming account and claimed device. */
  readonly prekeyQuota: Quota
  /** Rooms elsewhere that an account looks for. */
  readonly lookUps: Quota
  readonly typing: Typing
  /** As `typing.say`, also to the other processes of this node. */
  readonly sayTyping: Typing['say']
  /** By who says it. */
  readonly typingQuota: Quota
  readonly roomStates: RoomStates
  readonly peers: PeerCalls
  readonly serverKeys: ServerKeyBook
  readonly outbound: Outbound
  readonly remote: RemoteAccounts
  /** From a backup to the present. */
  readonly comeback: Comeback
  readonly clock: ClockWatch
  /** What other servers' certificates are held against. */
  readonly roots: Roots
  /** Ends connections to other servers. */
  readonly exchange: Exchange
  readonly log: Log
  readonly metrics: Metrics
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly guards: Guards
  /** Aborted when the node stops: nobody waits any longer. */
  readonly stopping: AbortSignal
}

export type After = (ms: number, work: () => void) => () => void

/** What processes of one node say to each other in passing. */
type Whisper =
  | { readonly typing: [room: string, member: string, ms: number] }
  | { readonly turn: [member: string, device: string] }

/** What tests put in place of the world. */
export interface World {
  readonly now: () => number
  readonly random: (length: number) => Uint8Array
  readonly guards: Guards
  /** In place of standard error. */
  readonly log?: Log
  /** Does `work` once, in `ms` milliseconds, unless it is called off by what comes back. */
  readonly after: After
  /** The way to other servers. */
  readonly network: Network
}

export const realWorld: World = {
  now: () => Date.now(),
  random: (length) => getRandomValues(new Uint8Array(length)),
  guards: allGuards,
  after(ms, work) {
    const timer = setTimeout(work, ms)
    // What waits keeps no process alive.
    timer.unref()
    return () => clearTimeout(timer)
  },
  network: createExchange,
}

export async function createContext(
  config: NodeConfig,
  stopping: AbortSignal,
  world: World = realWorld,
): Promise<Context> {
  const crypto = createNativeCrypto()
  const { federation, serverName } = config
  const log = world.log ?? createLog(config.logLevel)
  const roots = openRoots(federation, log)
  const metrics = createMetrics()
  const notifier = createLocalNotifier()
  const typing = createTyping(world.after)
  const turns = createTurns()
  let wake: Outbound['wake'] = () => undefined
  let reloadKeys: () => void = () => undefined
  let reread: () => void = () => undefined
  const storage = await openStorage({
    folder: config.dataDir,
    serverName: config.serverName,
    database: config.database,
    onNews: (members) => notifier.wake(members),
    onOutbound: (servers) => wake(servers),
    onKeys: () => reloadKeys(),
    onWhisper(text) {
      const said = JSON.parse(text) as Whisper
      if ('turn' in said) turns.overtaken(...said.turn)
      else typing.say(...said.typing)
    },
    onState(state) {
      metrics.databaseUp(state === 'up')
      if (state === 'up') log.info('the database is back')
      else log.error({ code: state.code, detail: state.detail }, 'the database is gone')
    },
    maxBytes: config.maxDatabaseBytes,
    onRoom(room) {
      metrics.storageFull(!room)
      if (room) log.warn('there is room for data again')
      else log.error('there is no room for data: nothing can be written')
    },
    onUnsafe: () =>
      log.warn('the database runs with fsync off: a power cut may lose what was acknowledged'),
  })
  const file = config.signingKeyPath ?? keyFileIn(config.dataDir)
  const keys = await openKeys(storage, { crypto, file, ...world, now: world.now() }).catch(
    async (error: unknown) => {
      await storage.close()
      throw error
    },
  )
  const lost = await keepPublicKeys(storage, config.serverName, keys, world.now())
  metrics.keysLost(lost.length)
  if (lost.length > 0)
    log.error(
      { keys: lost.map(({ key_id: id }) => id) },
      'signing keys are missing from their file: others see that they were replaced',
    )
  reloadKeys = () => {
    try {
      keys.reload()
    } catch (error) {
      log.error(failure(error), 'the signing key can not be read')
    }
    reread()
  }
  const exchange = world.network(stopping, world.guards)
  const directory = createDirectory(federation, exchange, roots, world.now)
  const shared = { ...world, crypto, storage, log, metrics, stopping }
  const peers = createPeerCalls({
    ...shared,
    serverName,
    config: federation,
    signingKey: () => keys.current,
    directory,
    exchange,
  })
  const clock = watchClock({ now: world.now, log, metrics })
  const comeback = createComeback({ ...shared, config, notifier })
  reread = () => {
    comeback.reload().catch((error: unknown) => log.error(failure(error), 'facts can not be read'))
  }
  const outbound = createOutbound({
    ...shared,
    config: federation,
    calls: peers,
    steady: clock.steady,
  })
  wake = outbound.wake
  return {
    ...shared,
    config,
    keys,
    notifier,
    acks: createAcks(storage, world.after),
    turns,
    passwords: await createPasswords(config.passwordCost, world.random),
    prekeyQuota: createQuota(config.rateLimits?.oneTimePrekeys ?? null),
    typing,
    sayTyping(room, member, ms) {
      typing.say(room, member, ms)
      storage.whisper(JSON.stringify({ typing: [room, member, ms] }))
    },
    typingQuota: createQuota(config.rateLimits === null ? null : TYPING),
    lookUps: createQuota(config.rateLimits === null ? null : LOOK_UPS),
    roomStates: createRoomStates(crypto, () => storage.undone()),
    peers,
    serverKeys: createServerKeyBook({ ...shared, serverName, keys, calls: peers }),
    outbound,
    remote: createRemoteAccounts({ ...shared, peers }),
    comeback,
    clock,
    roots,
    exchange,
  }
}
