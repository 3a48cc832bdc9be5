/** Once for a run: brings a PostgreSQL up while the first tests load, and ends it after the last. */
import { SERVER_VARIABLE } from './database.ts'
import { findPostgres, TestPostgres } from './postgresql.ts'

let postgres: TestPostgres | null = null
let starting: Promise<void> = Promise.resolve()

export function setup(): void {
  const found = findPostgres()
  // The run then holds the one test that says so.
  if ('missing' in found) return
  const started = new TestPostgres({ bin: found.bin, durable: false })
  postgres = started
  process.env[SERVER_VARIABLE] = started.url()
  starting = started.create().then(() => started.start())
  // Whoever wants a database of it waits in vain, and fails.
  starting.catch((error: unknown) => process.stderr.write(`${String(error)}\n`))
}

export async function teardown(): Promise<void> {
  await starting.catch(() => undefined)
  await postgres?.stop()
}
