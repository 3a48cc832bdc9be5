/** `eccp-node backup`: what it takes to bring the node back, in one folder; the node may run meanwhile. */
import { mkdirSync, readFileSync } from 'node:fs'
import { writeFileAtomicallySync } from '../src-platform/atomic-file.ts'
import { realWorld } from './context.ts'
import { keyFileIn } from './signing-key.ts'
import { copyDatabase } from './storage/index.ts'

export class BackupError extends Error {
  override readonly name = 'BackupError'
}

export interface Backup {
  readonly dataDir: string
  /** Of the signing keys; null: in the data folder. */
  readonly keyPath: string | null
  /** A folder that is not there yet. */
  readonly to: string
}

/** Throws `BackupError`, `StorageError`, or the system's error. */
export async function backUp({ dataDir, keyPath, to }: Backup): Promise<void> {
  try {
    // Never over an earlier copy: that may be the only good one.
    mkdirSync(to, { mode: 0o700 })
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new BackupError(exists ? `${to} is there already` : `${to} can not be made`)
  }
  // The keys last: none that has signed something in the copy is missing.
  await copyDatabase(dataDir, to, realWorld.now())
  writeFileAtomicallySync(keyFileIn(to), readFileSync(keyPath ?? keyFileIn(dataDir)))
}
