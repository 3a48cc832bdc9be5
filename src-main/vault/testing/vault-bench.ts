/** A vault in one process: the real page code over fake-indexeddb, a real message channel between. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { IDBFactory, IDBKeyRange } from 'fake-indexeddb'
import { createRecordSealing } from '../../../src-platform/record-sealing.ts'
import type { RecordSealing } from '../../../src-platform/record-sealing.ts'
import { createSystemRandom } from '../../../src-platform/system-random.ts'
import { sessionTables } from '../../../src-shared/client/index.ts'
import { createNobleCrypto } from '../../../src-shared/protocol/index.ts'
import { openRecords } from '../../vault-page/records.ts'
import type { Records } from '../../vault-page/records.ts'
import { serveRecords } from '../../vault-page/serve.ts'
import { createMirrorFile } from '../mirror-file.ts'
import type { Mirror } from '../mirror-file.ts'
import { vaultReady } from '../port-messages.ts'
import type { VaultReply, VaultRequest } from '../port-messages.ts'
import { createRecordLink } from '../record-link.ts'
import type { RecordPort, RecordStore } from '../record-link.ts'
import type { VaultOptions } from '../vault.ts'

const key = new Uint8Array(32).fill(7)

/** What may go wrong on the way, set by a test. */
export interface Faults {
  /** Called for each request; `lose` breaks the port instead of serving it. */
  onRequest?: (request: VaultRequest, lose: () => void) => 'serve' | 'swallow'
  /** Called for each answer before it leaves. */
  onReply?: (reply: VaultReply, lose: () => void) => 'send' | 'swallow'
}

export class VaultBench {
  readonly folder = mkdtempSync(join(tmpdir(), 'privchat-vault-'))
  readonly mirrorPath = join(this.folder, 'mirror')
  readonly random = createSystemRandom()
  readonly sealing: RecordSealing = createRecordSealing(createNobleCrypto(), this.random, key)
  readonly mirror: Mirror = createMirrorFile(this.mirrorPath, this.sealing)
  readonly faults: Faults = {}
  readonly damaged: string[] = []
  indexedDB = new IDBFactory()
  opened = 0
  readonly #open: (() => void)[] = []

  /** The records themselves, as an attacker with the disk sees them. */
  records(): Records {
    return openRecords('vault', { indexedDB: this.indexedDB, IDBKeyRange })
  }

  async openPort(): Promise<RecordPort> {
    this.opened++
    const records = this.records()
    const { port1, port2 } = new MessageChannel()
    let lost = (): void => {}
    const close = (): void => {
      port1.close()
      records.close()
    }
    const lose = (): void => {
      close()
      lost()
    }
    this.#open.push(close)
    const take = serveRecords(records, (reply) => {
      if ((this.faults.onReply?.(reply, lose) ?? 'send') === 'send') port2.postMessage(reply)
    })
    port2.onmessage = (event: MessageEvent<VaultRequest>) => {
      if ((this.faults.onRequest?.(event.data, lose) ?? 'serve') === 'serve') take(event.data)
    }
    return {
      post: (message) => port1.postMessage(message),
      onMessage(listener) {
        port1.onmessage = (event: MessageEvent<unknown>) => listener(event.data)
        port2.postMessage(vaultReady)
      },
      onLost(listener) {
        lost = listener
      },
      close,
    }
  }

  link(): RecordStore {
    return createRecordLink({ open: () => this.openPort(), timeoutMs: 2_000 })
  }

  options(changes: Partial<VaultOptions> = {}): VaultOptions {
    return {
      records: this.link(),
      mirror: this.mirror,
      sealing: this.sealing,
      random: this.random,
      sessionTables,
      onDamage: (table) => this.damaged.push(table),
      ...changes,
    }
  }

  close(): void {
    for (const close of this.#open) close()
    rmSync(this.folder, { recursive: true, force: true })
  }
}
