/**
 * Coming back from a backup (Federation §15.8): the data is older than what this node has said and taken. Positions
 * begin anew, one-time prekeys are not handed out again, and the other servers are asked for what they have of
 * rooms and of this node's own accounts. It is known by the mark that a backup bears, by the operator's word, or by
 * an event that this node alone can have signed and does not have. A peer's mere claim starts nothing.
 */
import { randomBytes } from 'node:crypto'
import { setTimeout as wait } from 'node:timers/promises'
import type { NodeConfig } from '../config.ts'
import { ApiError } from '../http/api-error.ts'
import { failure } from '../log.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import type { Storage } from '../storage/index.ts'
import type { Notifier } from '../sync/notifier.ts'
import { isAdmitted } from './admission.ts'

const AT_ONCE = 8
const FIRST_PAUSE_MS = 5000
const MAX_PAUSE_MS = 10 * 60_000
/** A server that is heard of is asked again, but not at each of its requests. */
const HEARD_PAUSE_MS = 1000
/** A server that has not answered for so long is not waited for any more. */
const GIVEN_UP_MS = 7 * 24 * 60 * 60_000
/** Clients change nothing before every other server was asked once, or for so long. */
const HOLD_MS = 60_000
const RETRY_AFTER_MS = 1000
const WARN_EVERY_MS = 60 * 60_000

export interface Comeback {
  /** What is unknown here may only be lost: nothing is refused for want of it. */
  readonly underWay: boolean
  /** Throws `ApiError` until the others were asked: what is built on old ends would only have to be undone. */
  mayChange(): void
  /** A device named a position that was never handed out here. */
  fromTheFuture(): void
  /** An event of this node's own signing came from elsewhere and was not here. */
  foundOwnEvent(): void
  /** The server is there. */
  heard(server: string): void
  /** Another process of this node has found, or done, something. */
  reload(): Promise<void>
  /** Before anybody is served. */
  open(): Promise<void>
  /** `ask`: a server for everything that it has; false where it does not answer. */
  start(ask: Ask): void
  close(): Promise<void>
}

type Ask = (server: string) => Promise<boolean>

export interface ComebackParts {
  readonly config: Pick<NodeConfig, 'serverName' | 'federation'>
  readonly storage: Storage
  readonly notifier: Notifier
  readonly log: Log
  readonly metrics: Metrics
  readonly now: () => number
  readonly stopping: AbortSignal
}

/** Times of the monotonic clock. */
interface Peer {
  failures: number
  lastTry: number
  nextTry: number
}

export function createComeback(parts: ComebackParts): Comeback {
  const { config, storage, notifier, log, metrics, now, stopping } = parts
  let ask: Ask | null = null
  let since: number | null = null
  let holdUntil = 0
  let warnedAt = -Infinity
  let running: Promise<void> | null = null
  let wake = new AbortController()
  const todo = new Map<string, Peer>()
  const done = new Set<string>()

  async function declare(copiedAt: number | null): Promise<void> {
    since = now()
    const at = since
    holdUntil = performance.now() + HOLD_MS
    await storage.write(async (tx) => {
      await tx.facts.put('data_id', randomBytes(6).toString('base64url'))
      await tx.facts.put('restored_at', String(at))
      await tx.facts.drop('copied_at')
      await tx.prekeys.useUp()
    })
    await storage.reread()
    notifier.wake(null)
    metrics.restoring(true)
    log.warn({ copiedAt }, 'the data was set back to an earlier state: asking other servers')
  }

  async function run(asking: Ask): Promise<void> {
    const known = await storage.read((tx) => tx.federation.met())
    for (const server of known) meet(server)
    while (!stopping.aborted && since !== null) {
      const due = [...todo].filter(([, peer]) => peer.nextTry <= performance.now())
      await inParallel(due, async ([server, peer]) => {
        if (stopping.aborted) return
        peer.lastTry = performance.now()
        if (await asking(server)) {
          todo.delete(server)
          done.add(server)
          return
        }
        peer.failures++
        const pause = Math.min(MAX_PAUSE_MS, FIRST_PAUSE_MS * 2 ** Math.min(peer.failures - 1, 20))
        peer.nextTry = performance.now() + pause
      })
      holdUntil = 0
      const age = now() - since
      // A clock that jumps must not make it last for ever.
      const over = age > GIVEN_UP_MS || age < -GIVEN_UP_MS
      if (todo.size === 0 || over) {
        await storage.write((tx) => tx.facts.drop('restored_at'))
        since = null
        metrics.restoring(false)
        log.warn({ asked: done.size, silent: todo.size }, 'what other servers had is here again')
        return
      }
      log.warn({ silent: todo.size }, 'servers that have not answered since the data was set back')
      const next = Math.min(...[...todo.values()].map((peer) => peer.nextTry))
      wake = new AbortController()
      const signal = AbortSignal.any([wake.signal, stopping])
      await wait(Math.max(0, next - performance.now()), undefined, { signal, ref: false }).catch(
        () => undefined,
      )
    }
  }

  function meet(server: string): void {
    if (server === config.serverName || !isAdmitted(config.federation, server)) return
    if (!todo.has(server) && !done.has(server))
      todo.set(server, { failures: 0, lastTry: 0, nextTry: 0 })
  }

  function failed(error: unknown): void {
    if (!stopping.aborted) log.error(failure(error), 'coming back from a backup')
  }

  function begin(): void {
    const asking = ask
    if (asking === null) return
    running ??= storage
      .alone('comeback', () => run(asking))
      .then(() => undefined)
      .catch(failed)
      .finally(() => (running = null))
  }

  return {
    get underWay() {
      return since !== null
    },
    mayChange() {
      if (since !== null && performance.now() < holdUntil)
        throw new ApiError('E_STORAGE_UNAVAILABLE', { retry_after_ms: RETRY_AFTER_MS })
    },
    fromTheFuture() {
      if (since !== null) return
      metrics.positionAhead()
      if (performance.now() - warnedAt < WARN_EVERY_MS) return
      warnedAt = performance.now()
      log.warn('a device knows a position of the future: was the data set back?')
    },
    foundOwnEvent() {
      if (since !== null) return
      since = now()
      // Out of the transaction that has found it.
      setImmediate(() => {
        declare(null).then(begin, (error: unknown) => {
          since = null
          failed(error)
        })
      })
    },
    heard(server) {
      if (since === null || done.has(server)) return
      const peer = todo.get(server)
      if (peer === undefined) meet(server)
      else if (peer.failures === 0 || performance.now() - peer.lastTry < HEARD_PAUSE_MS) return
      else peer.nextTry = 0
      wake.abort()
    },
    async reload() {
      await storage.reread()
      const { restored } = await marks(storage)
      if (restored === undefined) since = null
      else since ??= Number(restored)
      metrics.restoring(since !== null)
      notifier.wake(null)
    },
    async open() {
      const { copied, restored } = await marks(storage)
      if (copied !== undefined) await declare(Number(copied))
      else if (restored !== undefined) {
        since = Number(restored)
        holdUntil = performance.now() + HOLD_MS
        metrics.restoring(true)
      }
    },
    start(asking) {
      ask = asking
      if (since !== null) begin()
    },
    async close() {
      wake.abort()
      await running
    },
  }
}

async function marks(
  storage: Storage,
): Promise<{ copied: string | undefined; restored: string | undefined }> {
  return storage.read(async (tx) => ({
    copied: await tx.facts.get('copied_at'),
    restored: await tx.facts.get('restored_at'),
  }))
}

async function inParallel<T>(all: readonly T[], work: (one: T) => Promise<void>): Promise<void> {
  const rest = [...all]
  const lane = async (): Promise<void> => {
    for (let one = rest.shift(); one !== undefined; one = rest.shift()) await work(one)
  }
  await Promise.all(Array.from({ length: AT_ONCE }, lane))
}
