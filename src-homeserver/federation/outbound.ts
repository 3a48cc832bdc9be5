/**
 * The queue to each other server (Federation §15): durable, in order, delivered until it is taken. A server that does not
 * answer is left alone for a growing, jittered while; the moment it is heard of it is tried again.
 */
import { paddedSize, toBase64Url } from '../../src-shared/protocol/index.ts'
import { FEDERATION_VERSIONS, MAX_ITEMS } from '../../src-shared/api/index.ts'
import type { ItemOutcome, ServerBody, ServerItem } from '../../src-shared/api/index.ts'
import type { FederationConfig } from '../config.ts'
import { failure } from '../log.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'
import { createQuota } from '../quota.ts'
import { toPdu } from '../rooms/stored-event.ts'
import type { OutboxRow, Storage, Tx } from '../storage/index.ts'
import type { WaitingEvent, WaitingInvite } from './waiting.ts'
import { PeerError } from './peer-calls.ts'
import type { PeerCalls } from './peer-calls.ts'

const TRANSACTION_BYTES = 1024 * 1024
const TRANSACTION_MS = 60_000
/** What the other side could not judge for so long is given up. */
const GIVEN_UP_MS = 7 * 24 * 60 * 60_000
/** A server that is heard of is tried again, but not at each of its requests. */
const HEARD_PAUSE_MS = 1000
const AT_ONCE = 32
/** How often a process looks for what another one has left. */
const SWEEP_MS = 15_000
const MAX_HEARD = 10_000
/** About one server, while the same goes on. */
const WARNINGS = { max: 1, windowMs: 60 * 60_000 }

export interface Outbound {
  /** Something waits for these servers; null: perhaps for any. */
  wake(servers: ReadonlySet<string> | null): void
  /** Since when a server, for which something waits, has not answered; null where nothing is known against it. */
  silentSince(server: string): number | null
  /** The server has just asked something: it is there. */
  heard(server: string): void
  /** Sent once if the server answers now; the latest of one member in one room counts. */
  whisper(server: string, item: TypingItem): void
  /** Takes up what waited when the node stopped. */
  start(): Promise<void>
  /** Resolves when nothing is on its way any more. */
  close(): Promise<void>
}

export interface OutboundParts {
  readonly config: FederationConfig
  readonly storage: Storage
  readonly calls: PeerCalls
  readonly log: Log
  readonly metrics: Metrics
  readonly now: () => number
  /** As `now`, but that the clock may be set: what is given up by it is gone. */
  readonly steady: () => number
  readonly random: (length: number) => Uint8Array
  readonly after: (ms: number, work: () => void) => () => void
  readonly stopping: AbortSignal
}

/** What is whispered is old after this. */
const WHISPER_MS = 5_000
const MAX_WHISPERS = 100
const WHISPERS_AT_ONCE = 32

interface Lane {
  running: Promise<void> | null
  /** Something came while it ran. */
  again: boolean
  failures: number
  /** The first try in a row that was not answered. */
  silentSince: number | null
  lastTry: number
  /** Calls the next try off. */
  timer: (() => void) | null
}

type Item = ServerBody<'transaction'>['items'][number]
type TypingItem = Extract<ServerItem, { kind: 'typing' }>

export function createOutbound(parts: OutboundParts): Outbound {
  const { config, storage, calls, log, metrics, now, steady, random, after, stopping } = parts
  const lanes = new Map<string, Lane>()
  const heardAt = new Map<string, number>()
  let sweeping: NodeJS.Timeout | undefined
  let flying = 0
  const queue: (() => void)[] = []
  const warned = createQuota(WARNINGS)

  function laneOf(server: string): Lane {
    let lane = lanes.get(server)
    if (lane === undefined) {
      lane = {
        running: null,
        again: false,
        failures: 0,
        silentSince: null,
        lastTry: -Infinity,
        timer: null,
      }
      lanes.set(server, lane)
    }
    return lane
  }

  function run(server: string): void {
    const lane = laneOf(server)
    if (stopping.aborted) return
    if (lane.running !== null) {
      lane.again = true
      return
    }
    lane.timer?.()
    lane.timer = null
    lane.again = false
    lane.running = inTurn(() => deliverAlone(server, lane))
      .catch((error: unknown) => {
        if (!stopping.aborted) log.error(failure(error), 'delivery failed')
        return true
      })
      .then((retry) => {
        lane.running = null
        if (stopping.aborted) return
        if (retry) later(server, lane)
        else if (lane.again) run(server)
        else lanes.delete(server)
      })
  }

  /** So many servers at once, whatever their number. */
  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (flying >= AT_ONCE) await new Promise<void>((resolve) => queue.push(resolve))
    flying++
    try {
      return await work()
    } finally {
      flying--
      queue.shift()?.()
    }
  }

  function later(server: string, lane: Lane): void {
    lane.failures++
    const { firstMs, maxMs } = config.retry
    const full = Math.min(maxMs, firstMs * 2 ** Math.min(lane.failures - 1, 30))
    const [byte = 0] = random(1)
    lane.timer = after(full * (0.5 + byte / 512), () => run(server))
  }

  /** Another process of this node that is at it already sends what waits, and has heard of it too. */
  async function deliverAlone(server: string, lane: Lane): Promise<boolean> {
    let left = false
    await storage.alone(`outbound/${server}`, async () => {
      left = await deliver(server, lane)
    })
    return left
  }

  /** Whatever waits and nobody here is at; `all`: also what is left alone for now. */
  async function sweep(all: boolean): Promise<void> {
    const known = await storage.read((tx) => tx.federation.destinations())
    for (const { destination, waiting } of known) {
      metrics.queued(destination, waiting)
      if (all || !lanes.has(destination)) run(destination)
    }
  }

  function sweepLater(): void {
    sweep(false).catch((error: unknown) => log.debug(failure(error), 'looking for what waits'))
  }

  /** Whether something is left that has to wait. */
  async function deliver(server: string, lane: Lane): Promise<boolean> {
    let after = 0
    let left = false
    for (;;) {
      if (stopping.aborted) return true
      lane.lastTry = now()
      const batch = await storage.read((tx) => nextBatch(tx, server, after))
      metrics.queued(server, batch.waiting)
      if (batch.rows.length === 0) return left
      const results = batch.items.length === 0 ? [] : await transmit(server, batch.items)
      if (results === null) {
        lane.silentSince ??= now()
        return true
      }
      lane.failures = 0
      lane.silentSince = null
      // What the answer does not speak of was not judged.
      const judged = new Set(
        results.filter(({ outcome }) => outcome !== 'later').map(({ id }) => id),
      )
      const sent = new Set(batch.items.map(({ id }) => id))
      const done = batch.rows.filter(
        ({ id, stored_at: since }) =>
          judged.has(id) || !sent.has(id) || steady() - since > GIVEN_UP_MS,
      )
      for (const { id, code } of results.filter(({ outcome }) => outcome === 'refused'))
        log.info({ server, item: id, code }, 'refused by another server')
      if (done.length > 0)
        await storage.write((tx) =>
          tx.federation.sent(
            server,
            done.map(({ id }) => id),
          ),
        )
      if (done.length < batch.rows.length) left = true
      after = batch.rows.at(-1)?.seq ?? after
    }
  }

  async function transmit(
    server: string,
    items: readonly Item[],
    timeoutMs = TRANSACTION_MS,
  ): Promise<ItemOutcome[] | null> {
    try {
      const body = { items: [...items] }
      const answer = await calls.call(server, 'transaction', {
        params: { txnId: toBase64Url(random(16)) },
        body: config.metadataPadding ? padded(body) : body,
        timeoutMs,
      })
      metrics.peerCertificate(server, null)
      metrics.peerVersions(server, true)
      if (answer.ok) {
        metrics.peerSkew(server, null)
        return [...answer.value.results]
      }
      const { errcode, server_time: theirs } = answer.refusal
      log.info({ server, code: errcode }, 'transaction refused')
      if (errcode === 'E_CLOCK_SKEW') {
        const ms = theirs === undefined ? 0 : theirs - now()
        metrics.peerAlarm('clock_skew')
        metrics.peerSkew(server, ms)
        if (warned.take(server, performance.now()))
          log.warn({ server, seconds: Math.round(ms / 1000) }, 'the clocks differ too much')
      }
      return null
    } catch (error) {
      if (!(error instanceof PeerError)) throw error
      const { code, detail } = error
      log.debug({ server, code, detail }, 'another server does not answer')
      if (code === 'certificate') {
        metrics.peerAlarm('certificate')
        metrics.peerCertificate(server, detail ?? code)
        if (warned.take(server, performance.now()))
          log.warn({ server, why: detail }, 'the certificate of another server is not accepted')
      }
      if (code === 'no_common_version') {
        metrics.peerAlarm(code)
        metrics.peerVersions(server, false)
        if (warned.take(`${server} versions`, performance.now()))
          log.warn(
            { server, ours: FEDERATION_VERSIONS.join(' '), theirs: detail },
            'no version in common with another server',
          )
      }
      return null
    }
  }

  const whispers = new Map<string, Map<string, TypingItem>>()

  async function whisperAll(server: string, waiting: Map<string, TypingItem>): Promise<void> {
    while (waiting.size > 0 && !stopping.aborted) {
      const items = [...waiting.values()]
      waiting.clear()
      if ((await transmit(server, items, WHISPER_MS)) === null) return
    }
  }

  return {
    whisper(server, item) {
      const lane = lanes.get(server)
      // Who is left alone for now would only be told late.
      if (stopping.aborted || (lane !== undefined && lane.failures > 0)) return
      const key = `${item.room} ${item.member}`
      const waiting = whispers.get(server)
      if (waiting !== undefined) {
        if (waiting.size < MAX_WHISPERS || waiting.has(key)) waiting.set(key, item)
        return
      }
      if (whispers.size >= WHISPERS_AT_ONCE) return
      const first = new Map([[key, item]])
      whispers.set(server, first)
      whisperAll(server, first)
        .catch((error: unknown) => log.debug(failure(error), 'whispering'))
        .finally(() => whispers.delete(server))
    },
    wake(servers) {
      if (servers === null)
        sweep(true).catch((error: unknown) => log.debug(failure(error), 'looking for what waits'))
      for (const server of servers ?? []) {
        const lane = laneOf(server)
        // Left alone for now: what waits goes with the next try.
        if (lane.timer === null) run(server)
      }
    },
    silentSince: (server) => lanes.get(server)?.silentSince ?? null,
    heard(server) {
      const lane = lanes.get(server)
      if (lane === undefined) {
        // Another process may be leaving it alone for now.
        if (!storage.shared || apart(now(), heardAt.get(server)) < HEARD_PAUSE_MS) return
        heardAt.delete(server)
        heardAt.set(server, now())
        const [oldest] = heardAt.keys()
        if (heardAt.size > MAX_HEARD && oldest !== undefined) heardAt.delete(oldest)
        run(server)
      } else if (lane.timer !== null && apart(now(), lane.lastTry) >= HEARD_PAUSE_MS) {
        lane.failures = 0
        run(server)
      }
    },
    async start() {
      await sweep(true)
      if (!storage.shared) return
      // A process that ended leaves what it was at to the others.
      sweeping = setInterval(sweepLater, SWEEP_MS)
      sweeping.unref()
    },
    async close() {
      clearInterval(sweeping)
      for (const lane of lanes.values()) lane.timer?.()
      while (queue.length > 0) queue.shift()?.()
      await Promise.all([...lanes.values()].map(({ running }) => running ?? Promise.resolve()))
    },
  }
}

/** Either way: the clock may have been set back in between. */
function apart(now: number, then = -Infinity): number {
  return Math.abs(now - then)
}

interface Batch {
  readonly rows: readonly OutboxRow[]
  /** One for each row that still means something. */
  readonly items: readonly Item[]
  readonly waiting: number
}

async function nextBatch(tx: Tx, server: string, after: number): Promise<Batch> {
  const waiting = await tx.federation.waiting(server, after, MAX_ITEMS)
  const rows: OutboxRow[] = []
  const items: Item[] = []
  let bytes = 0
  for (const row of waiting) {
    const item = await itemOf(tx, row)
    const size = item === null ? 0 : JSON.stringify(item).length
    if (rows.length > 0 && bytes + size > TRANSACTION_BYTES) break
    bytes += size
    rows.push(row)
    if (item !== null) items.push(item)
  }
  return { rows, items, waiting: waiting.length }
}

/** Null for an event that is no more. */
async function itemOf(tx: Tx, { id, kind, item }: OutboxRow): Promise<Item | null> {
  const stored = JSON.parse(item) as Record<string, unknown>
  if (kind !== 'event' && kind !== 'invite') return { kind, id, ...stored }
  const { event } = stored as unknown as WaitingEvent | WaitingInvite
  const [row] = await tx.events.byIds([event])
  if (row === undefined) return null
  const pdu = toPdu(row)
  const parsed = (texts: readonly string[]) => texts.map((text) => JSON.parse(text) as unknown)
  if (kind === 'event')
    return { kind, id, pdu, wraps: parsed((stored as unknown as WaitingEvent).wraps) }
  const { state, lapsed = [] } = stored as unknown as WaitingInvite
  return {
    kind,
    id,
    pdu,
    state: parsed(state),
    ...(lapsed.length === 0 ? {} : { lapsed: [...lapsed] }),
  }
}

const SMALLEST = 1024

/** Spec 13.3: to a padded size, so that what it takes on the wire tells little. */
function padded(body: ServerBody<'transaction'>): ServerBody<'transaction'> {
  const size = Buffer.byteLength(JSON.stringify({ ...body, pad: '' }))
  return { ...body, pad: '0'.repeat(paddedSize(Math.max(SMALLEST, size)) - size) }
}
