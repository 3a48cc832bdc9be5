/**
 * Dexie on the window's IndexedDB: one table of sealed records, one of recent commit ids. Sees blinded
 * keys and sealed bytes only; indexes nothing but the key.
 */
import { Dexie } from 'dexie'
import type { DexieOptions, Table } from 'dexie'
import type { SealedBatch, SealedRecord, VaultFailure } from '../vault/port-messages.ts'

interface CommitRow {
  n?: number
  id: string
}

export class RecordsError extends Error {
  override readonly name = 'RecordsError'
  readonly code: VaultFailure
  constructor(code: VaultFailure) {
    super(`records: ${code}`)
    this.code = code
  }
}

export interface Records {
  get(keys: readonly string[]): Promise<(Uint8Array | null)[]>
  /** Atomic, and on the disk when it resolves. Rejects with `RecordsError`. */
  apply(batch: SealedBatch): Promise<void>
  hasCommit(id: string): Promise<boolean>
  /** Deletes the whole database. */
  erase(): Promise<void>
  close(): void
}

function beginsWith(bytes: Uint8Array, head: Uint8Array): boolean {
  return bytes.length >= head.length && head.every((byte, index) => bytes[index] === byte)
}

function failureOf(error: unknown): VaultFailure {
  for (let e: unknown = error, depth = 0; e instanceof Object && depth < 5; depth++) {
    if (e instanceof RecordsError) return e.code
    if ('name' in e && e.name === 'QuotaExceededError') return 'full'
    e = 'inner' in e ? e.inner : null
  }
  return 'failed'
}

/** `options` carries another IndexedDB in tests. */
export function openRecords(name: string, options: DexieOptions = {}): Records {
  // Relaxed durability, the default in Chromium, means no flush at all: a power cut would lose commits
  // that the network has been told about.
  const db = new Dexie(name, { ...options, chromeTransactionDurability: 'strict' })
  db.version(1).stores({ records: 'k', commits: '++n, &id' })
  const records: Table<SealedRecord, string> = db.table('records')
  const commits: Table<CommitRow, number> = db.table('commits')

  const guarded = async <T>(work: () => PromiseLike<T>): Promise<T> => {
    try {
      return await work()
    } catch (error) {
      throw new RecordsError(failureOf(error))
    }
  }

  return {
    get: (keys) =>
      guarded(async () => (await records.bulkGet([...keys])).map((record) => record?.v ?? null)),
    apply: (batch) =>
      guarded(() =>
        db.transaction('rw', records, commits, async () => {
          const { expect } = batch
          if ((await commits.where('id').equals(batch.id).count()) > 0) {
            throw new RecordsError('duplicate')
          }
          const current = await records.get(expect.k)
          const holds =
            expect.head === null
              ? current === undefined
              : current !== undefined && beginsWith(current.v, expect.head)
          if (!holds) throw new RecordsError('conflict')
          if (batch.deletes.length > 0) await records.bulkDelete([...batch.deletes])
          await records.bulkPut(batch.puts.map(({ k, v }) => ({ k, v })))
          const n = await commits.add({ id: batch.id })
          await commits
            .where('n')
            .belowOrEqual(n - batch.keepCommits)
            .delete()
        }),
      ),
    hasCommit: (id) => guarded(async () => (await commits.where('id').equals(id).count()) > 0),
    erase: () => guarded(() => db.delete({ disableAutoOpen: false })),
    close() {
      db.close()
    },
  }
}
