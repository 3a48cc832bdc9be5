/**
 * Where data in PostgreSQL lies: which server, which database, which making of its tables. A dump carries the place
 * along and can't carry it over, so data that was put back, by whatever tool made the tables anew, is known as a copy.
 * A copy of the server's own files has the place of the original.
 */
import { sql } from 'kysely'
import type { Db } from './schema.ts'
import { WRITER_LOCK } from './standing.ts'

const NOT_ALLOWED = '42501'

/** Marks data that lies elsewhere than it did as a copy. */
export async function markIfElsewhere(db: Db): Promise<void> {
  const here = await placeOf(db)
  await db.transaction().execute(async (tx) => {
    await sql`select pg_advisory_xact_lock(${WRITER_LOCK}::bigint)`.execute(tx)
    const known = await tx
      .selectFrom('meta')
      .select('value')
      .where('key', '=', 'place')
      .executeTakeFirst()
    if (known?.value === here) return
    const put = async (key: string, value: string): Promise<void> => {
      await tx
        .insertInto('meta')
        .values({ key, value })
        .onConflict((c) => c.column('key').doUpdateSet({ value }))
        .execute()
    }
    await put('place', here)
    if (known === undefined) return
    const { rows } = await sql<{ at: string }>`
      select trunc(extract(epoch from now()) * 1000)::text as at`.execute(tx)
    await put('copied_at', rows[0]?.at ?? '0')
  })
}

async function placeOf(db: Db): Promise<string> {
  const { rows } = await sql<{ place: string }>`
    select oid::text || ' ' || 'meta'::regclass::oid::text as place
    from pg_database where datname = current_database()`.execute(db)
  // Servers made alike number their databases alike. Some keep their own name to themselves.
  const server = await sql<{ name: string }>`
    select system_identifier::text as name from pg_control_system()`
    .execute(db)
    .then(
      (answer) => answer.rows[0]?.name,
      (error: unknown) => {
        if (error instanceof Error && 'code' in error && error.code === NOT_ALLOWED)
          return undefined
        throw error
      },
    )
  return `${server ?? ''} ${rows[0]?.place ?? ''}`
}
