/** A node's log, kept for a test to read. */
import { pino } from 'pino'
import type { Log } from '../log.ts'

export interface KeptLog {
  readonly log: Log
  /** What was said so far with this message. */
  said(message: string): readonly Record<string, unknown>[]
}

export function keptLog(): KeptLog {
  const lines: Record<string, unknown>[] = []
  const write = (line: string): void => {
    lines.push(JSON.parse(line) as Record<string, unknown>)
  }
  return {
    log: pino({ level: 'debug', base: null }, { write }),
    said: (message) => lines.filter(({ msg }) => msg === message),
  }
}

/** One line of a node's metrics, as Prometheus reads it. */
export async function metricOf(
  node: {
    readonly context: { readonly metrics: { readonly registry: { metrics(): Promise<string> } } }
  },
  name: string,
): Promise<number | null> {
  const text = await node.context.metrics.registry.metrics()
  const line = text.split('\n').find((one) => one.startsWith(`${name} `))
  return line === undefined ? null : Number(line.slice(name.length + 1))
}
