/** `eccp-node backup`: what it takes to bring the node back, in one folder; the node may run meanwhile. */
import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { writeFileAtomicallySync } from '../src-platform/atomic-file.ts'
import { realWorld } from './context.ts'
import { keyFileIn } from './signing-key.ts'
import { copyDatabase } from './storage/index.ts'

/** Of PostgreSQL's data, for `pg_restore`. */
export const DUMP_FILE = 'node.pgdump'

export class BackupError extends Error {
  override readonly name = 'BackupError'
}

export interface Backup {
  readonly dataDir: string
  /** Of the signing keys; null: in the data folder. */
  readonly keyPath: string | null
  /** Of a PostgreSQL database; null: SQLite in the data folder. */
  readonly database: string | null
  /** A folder that is not there yet. */
  readonly to: string
}

/** All of it, or no folder. Throws `BackupError`, `StorageError`, or the system's error. */
export async function backUp({ dataDir, keyPath, database, to }: Backup): Promise<void> {
  try {
    // Never over an earlier copy: that may be the only good one.
    mkdirSync(to, { mode: 0o700 })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new BackupError(exists ? `${to} is there already` : `${to} can not be made`)
  }
  try {
    // The keys last: none that has signed something in the copy is missing.
    if (database === null) await copyDatabase(dataDir, to, realWorld.now())
    else await dump(database, to)
    writeFileAtomicallySync(keyFileIn(to), readFileSync(keyPath ?? keyFileIn(dataDir)))
  } catch (error) {
    rmSync(to, { recursive: true, force: true })
    throw error
  }
}

/** One consistent state. It bears no mark: data that was put back shows itself by where it lies. */
async function dump(url: string, to: string): Promise<void> {
  const target = join(to, DUMP_FILE)
  const part = `${target}.part`
  const { address, password } = apart(url)
  const args = ['--format=custom', '--no-owner', '--no-privileges', '--file', part]
  const child = spawn('pg_dump', [...args, '--dbname', address], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, ...(password === null ? {} : { PGPASSWORD: password }) },
  })
  const code = await new Promise<number | null>((resolve, reject) => {
    child.once('error', () => reject(new BackupError('pg_dump of PostgreSQL is needed for this')))
    child.once('close', resolve)
  })
  if (code !== 0) throw new BackupError('pg_dump has failed')
  renameSync(part, target)
}

/** Everyone on the machine sees arguments, nobody the environment. */
function apart(url: string): { readonly address: string; readonly password: string | null } {
  const parsed = new URL(url)
  const { password, searchParams: settings } = parsed
  const named = settings.get('password')
  parsed.password = ''
  settings.delete('password')
  // libpq takes a plus sign for what it is.
  parsed.search = parsed.search.replaceAll('+', '%20')
  return { address: parsed.href, password: password === '' ? named : decodeURIComponent(password) }
}
