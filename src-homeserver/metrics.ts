/** Counters for operators, served on the admin address only. */
import { statfs } from 'node:fs/promises'
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  readonly registry: Registry
  request(route: string, method: string, status: number, seconds: number): void
  event(kind: 'state' | 'message'): void
  waiting(change: 1 | -1): void
  /** A call to another server and how it ended. */
  peerCall(endpoint: string, outcome: string): void
  /** What another server's item came to. */
  peerItem(kind: string, outcome: string): void
  /** Something about another server that an operator should look at. */
  peerAlarm(what: string): void
  /** Why the certificate of a server for which something waits is not accepted; null: it is. */
  peerCertificate(server: string, why: string | null): void
  /** Whether a server for which something waits knows a version of the API that is known here. */
  peerVersions(server: string, common: boolean): void
  /** `days`: how many the own certificate is good for, negative once it has expired. */
  certificateEnds(days: () => number): void
  /** Items that wait for one other server. */
  queued(destination: string, count: number): void
  /** Whether the database answers. */
  databaseUp(up: boolean): void
  /** The clock of this machine was set. */
  clockJumped(direction: 'forward' | 'back'): void
  /** How far the clock of a server for which something waits is ahead of this one's; null: not too far. */
  peerSkew(server: string, ms: number | null): void
  /** Own signing keys that are not in their file any more. */
  keysLost(count: number): void
  /** Whether there is no room to write. */
  storageFull(full: boolean): void
  /** Whether other servers are asked for what a backup lacks. */
  restoring(yes: boolean): void
  /** A device named a position that was never handed out. */
  positionAhead(): void
}

export function createMetrics(): Metrics {
  const registry = new Registry()
  const registers = [registry]
  const requests = new Histogram({
    name: 'eccp_request_seconds',
    help: 'Time to answer, by route, method and status',
    labelNames: ['route', 'method', 'status'],
    buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30],
    registers,
  })
  const events = new Counter({
    name: 'eccp_events_total',
    help: 'Events accepted into rooms',
    labelNames: ['kind'],
    registers,
  })
  const waiting = new Gauge({
    name: 'eccp_sync_waiting',
    help: 'Devices waiting for news',
    registers,
  })
  const counter = (name: string, help: string, labelNames: string[]) =>
    new Counter({ name, help, labelNames, registers })
  const calls = counter('eccp_peer_calls_total', 'Calls to other servers', ['endpoint', 'outcome'])
  const items = counter('eccp_peer_items_total', 'Items from other servers', ['kind', 'outcome'])
  const alarms = counter('eccp_peer_alarms_total', 'Odd behaviour of other servers', ['what'])
  const queues = new Gauge({
    name: 'eccp_peer_queue',
    help: 'Items that wait for another server',
    labelNames: ['destination'],
    registers,
  })
  const badCertificates = new Gauge({
    name: 'eccp_peer_certificate_bad',
    help: 'Servers for which something waits and whose certificate is not accepted',
    labelNames: ['server', 'why'],
    registers,
  })
  const whys = new Map<string, string>()
  const noVersion = new Gauge({
    name: 'eccp_peer_no_common_version',
    help: 'Servers for which something waits and which know no version that this one knows',
    labelNames: ['server'],
    registers,
  })
  const database = new Gauge({
    name: 'eccp_database_up',
    help: 'Whether the database answers',
    registers,
  })
  database.set(1)
  const jumps = counter('eccp_clock_jumps_total', 'Times this clock was set', ['direction'])
  const skew = new Gauge({
    name: 'eccp_peer_clock_skew_seconds',
    help: 'How far the clock of a server that refuses requests for it is ahead',
    labelNames: ['server'],
    registers,
  })
  const keysLost = new Gauge({
    name: 'eccp_signing_keys_lost',
    help: 'Own signing keys that are not in their file any more',
    registers,
  })
  const full = new Gauge({
    name: 'eccp_storage_full',
    help: 'Whether there is no room to write',
    registers,
  })
  const restoring = new Gauge({
    name: 'eccp_restoring',
    help: 'Whether other servers are asked for what a backup lacks',
    registers,
  })
  const ahead = counter('eccp_positions_ahead_total', 'Positions that were never handed out', [])
  return {
    registry,
    clockJumped: (direction) => jumps.labels(direction).inc(),
    peerSkew(server, ms) {
      if (ms === null) skew.remove(server)
      else skew.labels(server).set(ms / 1000)
    },
    keysLost: (count) => keysLost.set(count),
    storageFull: (yes) => full.set(yes ? 1 : 0),
    restoring: (yes) => restoring.set(yes ? 1 : 0),
    positionAhead: () => ahead.inc(),
    databaseUp: (up) => database.set(up ? 1 : 0),
    request: (route, method, status, seconds) =>
      requests.labels(route, method, String(status)).observe(seconds),
    event: (kind) => events.labels(kind).inc(),
    waiting: (change) => waiting.inc(change),
    peerCall: (endpoint, outcome) => calls.labels(endpoint, outcome).inc(),
    peerItem: (kind, outcome) => items.labels(kind, outcome).inc(),
    peerAlarm: (what) => alarms.labels(what).inc(),
    peerCertificate(server, why) {
      const before = whys.get(server)
      if (before === (why ?? undefined)) return
      if (before !== undefined) badCertificates.remove(server, before)
      if (why === null) whys.delete(server)
      else {
        whys.set(server, why)
        badCertificates.labels(server, why).set(1)
      }
    },
    peerVersions(server, common) {
      if (common) noVersion.remove(server)
      else noVersion.labels(server).set(1)
    },
    certificateEnds(days) {
      new Gauge({
        name: 'eccp_certificate_days_left',
        help: 'How long the own certificate for other servers is good for',
        registers,
        collect() {
          this.set(days())
        },
      })
    },
    queued(destination, count) {
      if (count === 0) queues.remove(destination)
      else queues.labels(destination).set(count)
    },
  }
}

/** Figures of the process and of the disk that `folder` is on; once per process, not per node. */
export function collectProcessMetrics({ registry }: Metrics, folder: string): void {
  collectDefaultMetrics({ register: registry })
  new Gauge({
    name: 'eccp_disk_free_bytes',
    help: 'What the node may still write where its data is',
    registers: [registry],
    async collect() {
      const { bavail, bsize } = await statfs(folder)
      this.set(bavail * bsize)
    },
  })
}
