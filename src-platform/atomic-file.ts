/**
 * Small files that are either the old or the new version, whatever happens in between: written beside,
 * flushed, renamed over, and the folder flushed too. Readable by the owner alone.
 */
import { randomBytes } from 'node:crypto'
import { closeSync, fsyncSync, mkdirSync, openSync, renameSync, rmSync, writeSync } from 'node:fs'
import { open, readFile, rename, rm } from 'node:fs/promises'
import { dirname } from 'node:path'

const beside = (path: string): string => `${path}.${randomBytes(6).toString('hex')}.tmp`

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT'
}

/** The file's bytes, or null where there is none. Any other failure is thrown. */
export async function readFileOrNull(path: string): Promise<Uint8Array | null> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    if (isMissing(error)) return null
    throw error
  }
}

/** Durable when it resolves. Rejects with the system's error (`ENOSPC`, …), leaving the old version. */
export async function writeFileAtomically(path: string, bytes: Uint8Array | string): Promise<void> {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = beside(path)
  try {
    const file = await open(temporary, 'wx', 0o600)
    try {
      await file.writeFile(bytes)
      await file.sync()
    } finally {
      await file.close()
    }
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/** The same, for the few moments when nothing may run in between. */
export function writeFileAtomicallySync(path: string, bytes: Uint8Array | string): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  const temporary = beside(path)
  try {
    const file = openSync(temporary, 'wx', 0o600)
    try {
      const data = typeof bytes === 'string' ? Buffer.from(bytes) : bytes
      let written = 0
      while (written < data.length) written += writeSync(file, data, written)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(temporary, path)
  } catch (error) {
    rmSync(temporary, { force: true })
    throw error
  }
  syncFolder(dirname(path))
}

/** Makes the rename itself durable. Windows has no such call and needs none. */
function syncFolder(path: string): void {
  if (process.platform === 'win32') return
  const folder = openSync(path, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
