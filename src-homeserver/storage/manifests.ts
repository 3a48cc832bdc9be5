/** Manifest logs of the accounts here, one signed entry a row, exactly as it was accepted. */
import { parseJsonObject, toUtf8 } from '../../src-shared/protocol/index.ts'
import type { SignedEntry } from '../../src-shared/protocol/index.ts'
import { signedEntrySchema } from '../../src-shared/protocol/index.ts'
import type { Db } from './schema.ts'
import { StorageError } from './storage-error.ts'

export class Manifests {
  readonly #db: Db
  constructor(db: Db) {
    this.#db = db
  }

  async append(
    member: string,
    height: number,
    hash: string,
    /** Canonical JSON. */
    entry: string,
    seenAt: number,
  ): Promise<void> {
    await this.#db
      .insertInto('manifest_entries')
      .values({ member, height, hash, entry, seen_at: seenAt })
      .execute()
  }

  /** When this node first saw each entry, by its hash. */
  async firstSights(member: string): Promise<Map<string, number>> {
    const rows = await this.#db
      .selectFrom('manifest_entries')
      .select(['hash', 'seen_at'])
      .where('member', '=', member)
      .execute()
    return new Map(rows.map((row) => [row.hash, Number(row.seen_at)]))
  }

  /** No entry was first seen after `now`. */
  async sightedBy(now: number): Promise<void> {
    await this.#db
      .updateTable('manifest_entries')
      .set({ seen_at: now })
      .where('seen_at', '>', now)
      .execute()
  }

  /** In order, from `height` on. */
  async entries(member: string, from = 0): Promise<SignedEntry[]> {
    const rows = await this.#db
      .selectFrom('manifest_entries')
      .select('entry')
      .where('member', '=', member)
      .where('height', '>=', from)
      .orderBy('height')
      .execute()
    return rows.map((row) => read(row.entry))
  }

  async genesisHash(member: string): Promise<string | undefined> {
    const row = await this.#db
      .selectFrom('manifest_entries')
      .select('hash')
      .where('member', '=', member)
      .where('height', '=', 0)
      .executeTakeFirst()
    return row?.hash
  }
}

function read(text: string): SignedEntry {
  const json = parseJsonObject(toUtf8(text), { maxBytes: 64 * 1024 })
  const parsed = signedEntrySchema.safeParse(json)
  if (!parsed.success) throw new StorageError('corrupted')
  return parsed.data
}
