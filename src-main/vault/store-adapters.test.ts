import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createFileStore } from '../../src-platform/file-store.ts'
import { createSystemRandom } from '../../src-platform/system-random.ts'
import { createNobleCrypto } from '../../src-shared/protocol/index.ts'
import { describeStore } from './testing/store-suite.ts'
import { VaultBench } from './testing/vault-bench.ts'
import { createVault, openVault } from './vault.ts'

describeStore('the vault', async ({ keepCommits }) => {
  const bench = new VaultBench()
  const vault = await createVault(bench.options({ keepCommits }))
  return {
    store: vault,
    async reopen() {
      await vault.close()
      const opening = await openVault(bench.options({ keepCommits }))
      if (!opening.ok) throw new Error(opening.problem)
      return opening.vault
    },
    close: async () => bench.close(),
  }
})

describeStore('a file', async ({ keepCommits }) => {
  const folder = mkdtempSync(join(tmpdir(), 'privchat-file-store-'))
  const open = () =>
    createFileStore({
      path: join(folder, 'store.db'),
      crypto: createNobleCrypto(),
      random: createSystemRandom(),
      key: new Uint8Array(32).fill(3),
      keepCommits,
    })
  let store = open()
  return {
    store,
    async reopen() {
      store.close()
      store = open()
      return store
    },
    async close() {
      store.close()
      rmSync(folder, { recursive: true, force: true })
    },
  }
})
