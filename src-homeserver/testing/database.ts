/**
 * Where tests keep a node's data: the same tests run on both databases, and the run they belong to decides.
 * PostgreSQL is the run's own; whoever asks gets an empty database of it, which is given back after use.
 */
import { queryAt } from './postgresql.ts'

/** Set by the run's setup: the address of its PostgreSQL, its database without tables. */
export const SERVER_VARIABLE = 'ECCP_TEST_POSTGRESQL'
/** Set for test files that are to run on PostgreSQL. */
export const CHOICE_VARIABLE = 'ECCP_TEST_DATABASE'

const free: string[] = []
let made = 0
/** What a test calls the same data twice stays the same data. */
const named = new Map<string, string>()

export const onPostgres = process.env[CHOICE_VARIABLE] === 'postgresql'

/** URL of an empty PostgreSQL database; null where the run is about SQLite. */
export async function takeDatabase(): Promise<string | null> {
  return onPostgres ? newPostgresDatabase() : null
}

/** The same for the same folder. */
export async function databaseOf(folder: string): Promise<string | null> {
  const known = named.get(folder)
  if (known !== undefined) return known
  const url = await takeDatabase()
  if (url !== null) named.set(folder, url)
  return url
}

export async function newPostgresDatabase(): Promise<string> {
  const used = free.pop()
  if (used !== undefined) {
    await queryAt(used, EMPTY)
    return used
  }
  const server = process.env[SERVER_VARIABLE]
  if (server === undefined) throw new Error('this run has no PostgreSQL')
  const name = `t${process.pid}_${made++}`
  await withPatience(() => queryAt(server, `create database ${name}`))
  return server.replace('/postgres?', `/${name}?`)
}

/** For the next test; nobody is connected to it any more. */
export function giveDatabaseBack(url: string | null): void {
  if (url !== null) free.push(url)
}

/** Every row of every table as JSON. */
export async function contentsOf(url: string): Promise<string> {
  const tables = await queryAt(
    url,
    `select tablename as name from pg_tables where schemaname = 'public'`,
  )
  const texts: string[] = []
  for (const { name } of tables) {
    const rows = await queryAt(url, `select row_to_json(t)::text as row from "${String(name)}" t`)
    texts.push(...rows.map(({ row }) => String(row)))
  }
  return texts.join('\n')
}

/** The server may still be starting, and copies its template for one at a time. */
async function withPatience(work: () => Promise<unknown>): Promise<void> {
  for (const until = Date.now() + 60_000; ;) {
    try {
      await work()
      return
    } catch (error) {
      if (Date.now() > until) throw error
      await new Promise((resolve) => setTimeout(resolve, 50))
    }
  }
}

/** All but the version of the schema, which stays as it is. */
const EMPTY = `
  do $$ declare t text; begin
    for t in select tablename from pg_tables where schemaname = 'public' and tablename <> 'meta' loop
      execute format('delete from %I', t);
    end loop;
    delete from meta where key <> 'schema_version';
    alter sequence stream_pos_seq restart;
  end $$`
