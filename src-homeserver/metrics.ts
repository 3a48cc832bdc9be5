/** Counters for operators, served on the admin address only. */
import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client'

export interface Metrics {
  readonly registry: Registry
  request(route: string, method: string, status: number, seconds: number): void
  event(kind: 'state' | 'message'): void
  waiting(change: 1 | -1): void
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
  return {
    registry,
    request: (route, method, status, seconds) =>
      requests.labels(route, method, String(status)).observe(seconds),
    event: (kind) => events.labels(kind).inc(),
    waiting: (change) => waiting.inc(change),
  }
}

/** Process figures; once per process, not per node. */
export function collectProcessMetrics(metrics: Metrics): void {
  collectDefaultMetrics({ register: metrics.registry })
}
