/**
 * The log: one JSON line per event on stderr. Fields are ids, counts, codes and route patterns; never a
 * path with its parameters, a body, a token, a key or anything a person wrote.
 */
import { destination, pino } from 'pino'
import type { Logger } from 'pino'
import type { NodeConfig } from './config.ts'

export type Log = Logger

export function createLog(level: NodeConfig['logLevel']): Log {
  return pino({ level, base: null }, destination(2))
}

/** What of a failure may be logged: a database's message names columns, never values. */
export function failure(error: unknown): Record<string, unknown> {
  if (!(error instanceof Error)) return { kind: typeof error }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : undefined
  return { kind: error.name, code, stack: error.stack }
}
