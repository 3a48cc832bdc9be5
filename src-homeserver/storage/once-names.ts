/**
 * Names that are good once until their time is over. One process keeps them in memory; several need the
 * database, where the first insertion wins, outside the order of writes.
 */
import type { Db } from './schema.ts'

const MAX_NAMES = 200_000
const TIDY_MS = 60_000
const FAR_MS = 60 * 60_000

export type OnceOutcome = 'first' | 'again' | 'full'

export interface OnceNames {
  /** Times in milliseconds; a name is asked for with ever the same span. */
  take(name: string, until: number, now: number): Promise<OnceOutcome>
}

export function createOnceInMemory(): OnceNames {
  const names = new Map<string, number>()
  return {
    async take(name, until, now) {
      // By time as it passes: the clock may be set, and a name must neither come back nor stay.
      const elapsed = performance.now()
      for (const [known, end] of names) {
        if (end > elapsed) break
        names.delete(known)
      }
      if (names.has(name)) return 'again'
      if (names.size >= MAX_NAMES) return 'full'
      names.set(name, elapsed + until - now)
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
        // What lies far ahead is from before the clock was set back.
        await db
          .deleteFrom('seen_once')
          .where((e) => e.or([e('until', '<=', now), e('until', '>', now + FAR_MS)]))
          .execute()
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
