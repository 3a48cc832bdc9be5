/** How a kind of record becomes bytes: its table, its schema, and how many of them stay in memory. */
import { fromUtf8, toUtf8 } from '../../protocol/index.ts'
import type { TableName } from './tables.ts'
import type * as z from 'zod'

export interface RecordType<T> {
  readonly table: TableName
  /** Decoded records kept in memory, least recently used dropped first. */
  readonly cached: number
  encode(value: T): Uint8Array
  /** Throws where the bytes are not such a record. */
  decode(bytes: Uint8Array): T
}

/**
 * A record described by a schema. The vault authenticates what it gives back, so ordinary JSON does;
 * the schema catches records of an unknown version.
 */
export function recordType<S extends z.ZodType>(
  table: TableName,
  schema: S,
  cached = 128,
): RecordType<z.output<S>> {
  return {
    table,
    cached,
    encode: (value) => toUtf8(JSON.stringify(value)),
    decode: (bytes) => schema.parse(JSON.parse(fromUtf8(bytes))),
  }
}

/** The value that a record type describes. */
export type RecordOf<R> = R extends RecordType<infer T> ? T : never
