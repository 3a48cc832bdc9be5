/**
 * Main's own note of the vault's last commit, outside the vault: a small sealed file, so that a vault
 * brought back older or different is recognised (Vault, rollback). Written after each commit, hence at
 * most one commit behind. Plain is only its format version.
 */
import * as z from 'zod'
import { readFileOrNull, writeFileAtomically } from '../../src-platform/atomic-file.ts'
import type { RecordSealing } from '../../src-platform/record-sealing.ts'
import { fromBase64Url, fromUtf8, toBase64Url, toUtf8 } from '../../src-shared/protocol/index.ts'
import { rm } from 'node:fs/promises'

export interface MirrorState {
  readonly counter: number
  /** Tag of the last commit; 22 characters. */
  readonly tag: string
}

type MirrorReading =
  | { readonly state: 'none' }
  | { readonly state: 'read'; readonly mirror: MirrorState }
  /** Does not open: damaged, or of another vault. */
  | { readonly state: 'unreadable' }
  | { readonly state: 'newer_version' }

export interface Mirror {
  read(): Promise<MirrorReading>
  /** Durable when it resolves. */
  write(state: MirrorState): Promise<void>
  remove(): Promise<void>
}

const VERSION = 1
const ADDRESS = { table: '#mirror', key: '' }
const fileSchema = z.object({ version: z.int().positive(), sealed: z.string().optional() })
const stateSchema = z.object({ counter: z.int().nonnegative(), tag: z.string().length(22) })

function parseJson(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(fromUtf8(bytes))
  } catch {
    return null
  }
}

export function createMirrorFile(path: string, sealing: RecordSealing): Mirror {
  return {
    async read() {
      const bytes = await readFileOrNull(path)
      if (bytes === null) return { state: 'none' }
      const file = fileSchema.safeParse(parseJson(bytes))
      if (!file.success) return { state: 'unreadable' }
      if (file.data.version > VERSION) return { state: 'newer_version' }
      try {
        const opened = sealing.open(ADDRESS, fromBase64Url(file.data.sealed ?? ''))
        const state = stateSchema.safeParse(opened === null ? null : parseJson(opened.value))
        return state.success ? { state: 'read', mirror: state.data } : { state: 'unreadable' }
      } catch {
        return { state: 'unreadable' }
      }
    },
    async write(state) {
      const sealed = sealing.seal(ADDRESS, toUtf8(JSON.stringify(state)))
      const file = { version: VERSION, sealed: toBase64Url(sealed) }
      await writeFileAtomically(path, JSON.stringify(file))
    },
    remove: () => rm(path, { force: true }),
  }
}
