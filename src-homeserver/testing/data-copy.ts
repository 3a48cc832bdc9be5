/**
 * What an operator does by the guide to keep a copy of a node's data and to go back to it, on the database that the
 * run is about.
 */
import { spawnSync } from 'node:child_process'
import { cpSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { DUMP_FILE, backUp } from '../backup.ts'
import { SERVER_VARIABLE, databaseOf } from './database.ts'
import { findPostgres, queryAt } from './postgresql.ts'

/** In what `copyData` leaves. */
export async function filesOfCopy(dataDir: string): Promise<string[]> {
  return [(await databaseOf(dataDir)) === null ? 'node.sqlite' : DUMP_FILE, 'signing-key.json']
}

/** Environment of a process that works on the folder's data. */
export async function environmentOf(dataDir: string): Promise<NodeJS.ProcessEnv> {
  const database = await databaseOf(dataDir)
  const { bin } = tools()
  const path = bin === null ? process.env['PATH'] : `${bin}:${process.env['PATH'] ?? ''}`
  return {
    ...process.env,
    PATH: path,
    ...(database === null ? {} : { ECCP_DATABASE: database }),
  }
}

/** While the node runs. */
export async function copyData(dataDir: string, to: string): Promise<void> {
  const database = await databaseOf(dataDir)
  if (database !== null) process.env['PATH'] = (await environmentOf(dataDir))['PATH']
  await backUp({ dataDir, keyPath: null, database, to })
}

/** While it does not run: the copy, and nothing else, is where the data was. */
export async function putBack(copy: string, dataDir: string): Promise<void> {
  rmSync(dataDir, { recursive: true })
  const database = await databaseOf(dataDir)
  if (database === null) {
    cpSync(copy, dataDir, { recursive: true })
    return
  }
  mkdirSync(dataDir, { mode: 0o700 })
  cpSync(join(copy, 'signing-key.json'), join(dataDir, 'signing-key.json'))
  const server = process.env[SERVER_VARIABLE] ?? ''
  const name = new URL(database).pathname.slice(1)
  await queryAt(server, `drop database ${name} with (force)`)
  await queryAt(server, `create database ${name}`)
  const options = ['--exit-on-error', '--single-transaction', '--no-owner', '--dbname', database]
  const { status, stderr } = spawnSync(
    join(tools().bin ?? '', 'pg_restore'),
    [...options, join(copy, DUMP_FILE)],
    { encoding: 'utf8' },
  )
  if (status !== 0) throw new Error(`pg_restore failed: ${stderr}`)
}

/** Nothing in the data says any more that it was a copy, as where it was copied by other means. */
export async function forgetMarks(dataDir: string): Promise<void> {
  const text = `delete from meta where key in ('copied_at', 'place') returning key`
  const database = await databaseOf(dataDir)
  const gone = database === null ? onFiles(dataDir, text) : await queryAt(database, text)
  if (gone.length !== 1) throw new Error('nothing has said that it was a copy')
}

function onFiles(dataDir: string, text: string): unknown[] {
  const files = new DatabaseSync(join(dataDir, 'node.sqlite'))
  const rows = files.prepare(text).all()
  files.close()
  return rows
}

function tools(): { readonly bin: string | null } {
  const found = findPostgres()
  return { bin: 'bin' in found ? found.bin : null }
}
