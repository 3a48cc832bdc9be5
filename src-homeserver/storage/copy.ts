/**
 * A copy of the SQLite database, made while the node runs: one consistent state, in one file, marked as a copy, so
 * that a node which is started on it knows that the world has gone on.
 */
import { closeSync, existsSync, fsyncSync, openSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { backup, DatabaseSync } from 'node:sqlite'
import { DATABASE_FILE, translated } from './sqlite.ts'
import { StorageError } from './storage-error.ts'

/** `now` in milliseconds. Throws `StorageError`, or the system's error. */
export async function copyDatabase(folder: string, to: string, now: number): Promise<void> {
  const from = join(folder, DATABASE_FILE)
  if (!existsSync(from)) throw new StorageError('no_data')
  const target = join(to, DATABASE_FILE)
  const part = `${target}.part`
  rmSync(part, { force: true })
  await copied(from, part, now).catch((error: unknown) => {
    throw translated(error)
  })
  flush(part)
  renameSync(part, target)
}

async function copied(from: string, part: string, now: number): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: 5000 })
  try {
    await backup(source, part, { rate: 1000 })
  } finally {
    source.close()
  }
  const copy = new DatabaseSync(part)
  try {
    copy.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL')
    copy
      .prepare(`insert into meta (key, value) values ('copied_at', ?) on conflict (key) do nothing`)
      .run(String(now))
  } finally {
    copy.close()
  }
}

function flush(path: string): void {
  const file = openSync(path, 'r')
  fsyncSync(file)
  closeSync(file)
}
