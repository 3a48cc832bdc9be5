import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { StoreError } from '../../src-shared/client/index.ts'
import type { Batch, Store, StoreErrorCode } from '../../src-shared/client/index.ts'
import { describeStore, failureOf } from './testing/store-suite.ts'

/** The vault where it really lives: Dexie on Chromium's IndexedDB in a hidden window, through the host. */

const repository = join(import.meta.dirname, '../..')
const folder = mkdtempSync(join(tmpdir(), 'privchat-chromium-'))
const pages = join(folder, 'pages')
const profile = join(folder, 'profile')

async function buildPages(): Promise<void> {
  const common = {
    root: repository,
    configFile: false,
    logLevel: 'error',
    publicDir: false,
  } as const
  await build({
    ...common,
    base: './',
    build: {
      outDir: pages,
      emptyOutDir: false,
      rollupOptions: { input: join(repository, 'src-main/vault-page/index.html') },
    },
  })
  await build({
    ...common,
    build: {
      outDir: folder,
      emptyOutDir: false,
      rollupOptions: {
        external: ['electron'],
        input: { preload: join(repository, 'src-main/preload-vault.ts') },
        output: { format: 'cjs', entryFileNames: '[name].cjs' },
      },
    },
  })
}

const replacer = (_key: string, value: unknown): unknown =>
  value instanceof Uint8Array ? { $: Buffer.from(value).toString('base64') } : value
const reviver = (_key: string, value: unknown): unknown =>
  typeof value === 'object' && value !== null && '$' in value
    ? new Uint8Array(Buffer.from(String(value.$), 'base64'))
    : value

class VaultApp {
  readonly #process: ChildProcess
  readonly #waiting = new Map<number, (message: { value?: unknown; failure?: string }) => void>()
  readonly ready: Promise<unknown>
  readonly ended: Promise<void>
  #next = 0

  constructor() {
    const main = join(import.meta.dirname, 'testing/chromium-app.ts')
    const args = [main, `--user-data-dir=${profile}`, pages, join(folder, 'preload.cjs')]
    this.#process = spawn(join(repository, 'host/electron'), args, {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    this.ended = new Promise((resolve) => this.#process.once('exit', () => resolve()))
    this.ready = new Promise((resolve) => this.#waiting.set(-1, resolve))
    if (this.#process.stdout === null) throw new Error('no output')
    createInterface({ input: this.#process.stdout }).on('line', (line) => {
      if (!line.startsWith('{')) return
      const { n, ...message } = JSON.parse(line, reviver)
      this.#waiting.get(n)?.(message)
      this.#waiting.delete(n)
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  async ask(command: object): Promise<unknown> {
    const n = this.#next++
    const answer = await new Promise<{ value?: unknown; failure?: string }>((resolve) => {
      this.#waiting.set(n, resolve)
      this.#process.stdin?.write(`${JSON.stringify({ n, ...command }, replacer)}\n`)
    })
    if (answer.failure === undefined) return answer.value
    if (/^(lost|full|corrupted|closed)$/.test(answer.failure)) {
      throw new StoreError(answer.failure as StoreErrorCode)
    }
    throw new Error(answer.failure)
  }

  store(slot: string): Store {
    return {
      read: async (keys) => (await this.ask({ op: 'read', slot, keys })) as (Uint8Array | null)[],
      commit: async (batch) => void (await this.ask({ op: 'commit', slot, batch })),
      wasCommitted: async (id) => (await this.ask({ op: 'wasCommitted', slot, id })) === true,
    }
  }

  async quit(): Promise<void> {
    void this.ask({ op: 'quit' })
    await this.ended
  }

  /** The app and its browser at once, as a power cut would. */
  async kill(): Promise<void> {
    for (const pid of [...descendants(this.pid), this.pid]) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
    }
    await this.ended
  }
}

function descendants(pid: number): number[] {
  const children = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((candidate) => {
      try {
        const fields = readFileSync(`/proc/${candidate}/stat`, 'utf8').split(') ')[1]?.split(' ')
        return Number(fields?.[1]) === pid
      } catch {
        return false
      }
    })
  return children.flatMap((child) => [child, ...descendants(child)])
}

let app: VaultApp
let slots = 0
const newSlot = (): string => `slot${String(slots++).padStart(12, '0')}`

beforeAll(async () => {
  await buildPages()
  app = new VaultApp()
  await app.ready
})
afterAll(async () => {
  await app.quit()
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

describeStore('the vault in Chromium', async ({ keepCommits }) => {
  const slot = newSlot()
  await app.ask({ op: 'create', slot, keepCommits })
  return {
    store: app.store(slot),
    async reopen() {
      await app.ask({ op: 'open', slot, keepCommits })
      return app.store(slot)
    },
    close: async () => void (await app.ask({ op: 'close', slot })),
  }
})

describe('the vault’s window', () => {
  const put = (n: number): Batch => ({
    id: `c${n}`,
    puts: [
      { table: 'sessions', key: 'peer', value: Uint8Array.of(n) },
      { table: 'pages', key: String(n), value: new Uint8Array(2_000).fill(n) },
    ],
    deletes: [],
  })

  it('is opened again after a crash, and nothing is lost or half done', async () => {
    const slot = newSlot()
    await app.ask({ op: 'create', slot, keepCommits: 256 })
    const store = app.store(slot)
    let committed = -1
    for (let n = 0; n < 12; n++) {
      const commit = failureOf(store.commit(put(n)))
      if (n % 4 === 3) await app.ask({ op: 'crashWindows' })
      const failure = await commit
      expect([null, 'lost']).toContain(failure)
      if (failure === 'lost' && !(await store.wasCommitted(`c${n}`))) await store.commit(put(n))
      committed = n
    }
    const read = await store.read([{ table: 'sessions', key: 'peer' }])
    expect(read).toEqual([Uint8Array.of(committed)])
    await app.ask({ op: 'close', slot })
  })

  it.runIf(process.platform === 'linux')(
    'has everything that was committed after app and browser were killed',
    async () => {
      const slot = newSlot()
      for (let round = 0; round < 2; round++) {
        const op = round === 0 ? 'create' : 'open'
        await app.ask({ op, slot, keepCommits: 256 })
        const store = app.store(slot)
        const first = round * 100
        if (round > 0) {
          const [before] = await store.read([{ table: 'sessions', key: 'peer' }])
          // Six were answered; the seventh may or may not have been in time.
          expect([first - 95, first - 94]).toContain(before?.[0])
        }
        for (let n = first; n < first + 6; n++) await store.commit(put(n))
        void store.commit(put(first + 6)).catch(() => {})
        await app.kill()
        app = new VaultApp()
        await app.ready
      }
    },
  )
})
