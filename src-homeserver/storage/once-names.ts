/**
 * Names that are good once until their time is over. One process keeps them in memory; several need the
 * database, where the first insertion wins, outside the order of writes.
 */
import type { Db } from './schema.ts'

const MAX_NAMES = 200_000
const TIDY_MS = 60_000

export type OnceOutcome = 'first' | 'again' | 'full'

export interface OnceNames {
  /** Times in milliseconds; a name is asked for with ever the same span. */
  take(name: string, until: number, now: number): Promise<OnceOutcome>
}

export function createOnceInMemory(): OnceNames {
  const names = new Map<string, number>()
  return {
    async take(name, until, now) {
      for (const [known, end] of names) {
        if (end > now) break
        names.delete(known)
      }
      if (names.has(name)) return 'again'
      if (names.size >= MAX_NAMES) return 'full'
      names.set(name, until)
      return 'first'
    },
  }
}

export function createOnceInDatabase(db: Db): OnceNames {
  let tidied = 0
  return {
    async take(name, until, now) {
      if (Math.abs(now - tidied) > TIDY_MS) {
        tidied = now
        await db.deleteFrom('seen_once').where('until', '<=', now).execute()
      }
      const result = await db
        .insertInto('seen_once')
        .values({ name, until })
        .onConflict((c) => c.column('name').doNothing())
        .executeTakeFirst()
      return (result.numInsertedOrUpdatedRows ?? 0n) > 0n ? 'first' : 'again'
    },
  }
}
