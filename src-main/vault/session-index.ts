/**
 * The sealed digest of the session tables (Vault, rollback): which version of each session record is the
 * current one. Pure bookkeeping over plaintext; the vault seals, stores and orders it.
 *
 * Every commit draws a random 16-byte tag, and every session record carries the tag of the commit that
 * wrote it. 64 buckets, chosen by the first character of the blinded key, list `blinded key → tag`;
 * the root lists `bucket → tag` besides the commit counter, its own tag and the one before. So the root
 * fixes the exact version of every session record, like a two-level hash tree whose hashes are unique
 * version names under an authenticated seal: a single record, a bucket or the whole vault put back to an
 * earlier state names a tag that its parent does not. A commit rewrites the root and the buckets it
 * touches, and a read checks only the path to its record, so nothing has to be read up front.
 */
import * as z from 'zod'
import { fromUtf8, toUtf8 } from '../../src-shared/protocol/index.ts'

const tag = z.string().length(22)
const bucketName = z.string().length(1)

const rootSchema = z.object({
  v: z.literal(1),
  /** Advances by one with every commit. */
  counter: z.int().positive(),
  tag,
  previous: tag,
  /** Changes when sessions are dropped; blinded keys of session records depend on it. */
  generation: z.int().nonnegative(),
  buckets: z.record(bucketName, tag),
})
export type Root = z.infer<typeof rootSchema>

const bucketSchema = z.object({ v: z.literal(1), entries: z.record(z.string().max(64), tag) })

/** Tag by blinded key. */
export type Bucket = ReadonlyMap<string, string>

export const rootAddress = { table: '#root', key: '' }
export const bucketAddress = (name: string): { table: string; key: string } => ({
  table: '#bucket',
  key: name,
})
export const bucketOf = (blindedKey: string): string => blindedKey.charAt(0)

function parse<T>(schema: z.ZodType<T>, bytes: Uint8Array): T | null {
  try {
    const parsed = schema.safeParse(JSON.parse(fromUtf8(bytes)))
    return parsed.success ? parsed.data : null
  } catch {
    return null
  }
}

export const encodeRoot = (root: Root): Uint8Array => toUtf8(JSON.stringify(root))
export const decodeRoot = (bytes: Uint8Array): Root | null => parse(rootSchema, bytes)

export function encodeBucket(bucket: Bucket): Uint8Array {
  return toUtf8(JSON.stringify({ v: 1, entries: Object.fromEntries(bucket) }))
}

export function decodeBucket(bytes: Uint8Array): Bucket | null {
  const parsed = parse(bucketSchema, bytes)
  return parsed === null ? null : new Map(Object.entries(parsed.entries))
}

export interface IndexChange {
  /** Blinded keys written and deleted by one commit. */
  readonly puts: readonly string[]
  readonly deletes: readonly string[]
}

export function touchedBuckets(change: IndexChange): string[] {
  return [...new Set([...change.puts, ...change.deletes].map(bucketOf))]
}

/**
 * The root and the rewritten buckets after a commit under `newTag`. `buckets` holds the current state of
 * every touched bucket. Deletions come before puts, as in the store.
 */
export function advance(
  root: Root,
  buckets: ReadonlyMap<string, Bucket>,
  change: IndexChange,
  newTag: string,
): { root: Root; changed: Map<string, Bucket> } {
  const changed = new Map<string, Map<string, string>>()
  for (const name of touchedBuckets(change)) changed.set(name, new Map(buckets.get(name)))
  for (const key of change.deletes) changed.get(bucketOf(key))?.delete(key)
  for (const key of change.puts) changed.get(bucketOf(key))?.set(key, newTag)
  const names: Record<string, string> = { ...root.buckets }
  for (const name of changed.keys()) names[name] = newTag
  return {
    root: {
      ...root,
      counter: root.counter + 1,
      previous: root.tag,
      tag: newTag,
      buckets: names,
    },
    changed,
  }
}
