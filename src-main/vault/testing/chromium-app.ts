/**
 * An app of nothing but vaults, run by the Chromium host for the Store suite: takes commands as JSON
 * lines on stdin and answers on stdout. Arguments after the app's own: folder of pages, preload.
 */
import { createInterface } from 'node:readline'
import { join } from 'node:path'
import { BrowserWindow, app, protocol } from 'electron'
import { createRecordSealing } from '../../../src-platform/record-sealing.ts'
import { createSystemRandom } from '../../../src-platform/system-random.ts'
import { StoreError, sessionTables } from '../../../src-shared/client/index.ts'
import type { Batch, RecordKey } from '../../../src-shared/client/index.ts'
import { createNobleCrypto } from '../../../src-shared/protocol/index.ts'
import { appScheme } from '../../windows/app-scheme.ts'
import { createVaultPlaces } from '../../windows/vault-window.ts'
import { createMirrorFile } from '../mirror-file.ts'
import { createVault, openVault } from '../vault.ts'
import type { Vault, VaultOptions } from '../vault.ts'

type Command =
  | { op: 'create' | 'open'; slot: string; keepCommits: number }
  | { op: 'read'; slot: string; keys: RecordKey[] }
  | { op: 'commit'; slot: string; batch: Batch }
  | { op: 'wasCommitted'; slot: string; id: string }
  | { op: 'close'; slot: string }
  | { op: 'crashWindows' }
  | { op: 'quit' }

protocol.registerSchemesAsPrivileged([appScheme])
const [pages = '', preload = ''] = process.argv.slice(-2)
const random = createSystemRandom()
const sealing = createRecordSealing(createNobleCrypto(), random, new Uint8Array(32).fill(5))
const vaults = new Map<string, Vault>()

/** Bytes cross as `{$: base64}`. */
const replacer = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { $: Buffer.from(value).toString('base64') } : value
const reviver = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && '$' in value
    ? new Uint8Array(Buffer.from(String(value.$), 'base64'))
    : value

function vaultOf(slot: string): Vault {
  const vault = vaults.get(slot)
  if (vault === undefined) throw new Error('no such vault')
  return vault
}

async function run(command: Command): Promise<unknown> {
  switch (command.op) {
    case 'create':
    case 'open': {
      const { slot, keepCommits } = command
      await vaults.get(slot)?.close()
      const places = createVaultPlaces({ folder: pages, preload, log: () => {} })
      const options: VaultOptions = {
        records: places.open(slot),
        mirror: createMirrorFile(join(app.getPath('userData'), `${slot}.mirror`), sealing),
        sealing,
        random,
        sessionTables,
        keepCommits,
      }
      if (command.op === 'create') vaults.set(slot, await createVault(options))
      else {
        const opening = await openVault(options)
        if (!opening.ok) throw new Error(opening.problem)
        vaults.set(slot, opening.vault)
      }
      return null
    }
    case 'read':
      return vaultOf(command.slot).read(command.keys)
    case 'commit':
      return vaultOf(command.slot).commit(command.batch)
    case 'wasCommitted':
      return vaultOf(command.slot).wasCommitted(command.id)
    case 'close':
      return vaultOf(command.slot).close()
    case 'crashWindows':
      for (const window of BrowserWindow.getAllWindows()) {
        window.webContents.forcefullyCrashRenderer()
      }
      return null
    case 'quit':
      app.exit(0)
      return null
  }
}

app.on('window-all-closed', () => {})
void app.whenReady().then(() => {
  createInterface({ input: process.stdin }).on('line', (line) => {
    const { n, ...command } = JSON.parse(line, reviver) as { n: number } & Command
    run(command).then(
      (value) => answer({ n, value: value ?? null }),
      (error: unknown) =>
        answer({
          n,
          failure: error instanceof StoreError ? error.code : String(error),
        }),
    )
  })
  answer({ n: -1, value: null })
})

function answer(message: object): void {
  process.stdout.write(`${JSON.stringify(message, replacer)}\n`)
}
