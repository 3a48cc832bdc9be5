/**
 * Which accounts this profile has: one small file, sealed under the vault key, since the list of one's
 * identities is nobody else's business. A slot is written here before its vault is made, so that no
 * vault is ever left behind unknown.
 */
import * as z from 'zod'
import { readFileOrNull, writeFileAtomically } from '../../src-platform/atomic-file.ts'
import { createRecordSealing } from '../../src-platform/record-sealing.ts'
import type { RecordSealing } from '../../src-platform/record-sealing.ts'
import type { Random } from '../../src-shared/client/index.ts'
import { fromUtf8, toUtf8 } from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { AppError } from '../app-error.ts'

const entrySchema = z.object({
  /** Names the vault: its partition, key and mirror. */
  slot: z.string().regex(/^[a-z0-9]{16}$/),
  /** URL of the homeserver; null is the personal node, which knows its own. */
  server: z.string().max(512).nullable(),
  serverName: z.string().max(255),
  /** `new` until the engine says that the account exists. */
  phase: z.enum(['new', 'ready', 'leaving']),
  /** What a new account was made for; the same again goes on with the same keys. */
  purpose: z.string().max(2048),
})
export type AccountEntry = z.infer<typeof entrySchema>
const listSchema = z.object({ v: z.literal(1), accounts: z.array(entrySchema).max(64) })

const ADDRESS = { table: '#accounts', key: '' }

export interface RegistryOptions {
  readonly path: string
  readonly crypto: Crypto
  readonly random: Random
  /** 32 bytes, used for nothing else. */
  readonly key: Uint8Array
}

export class AccountRegistry {
  readonly #path: string
  readonly #sealing: RecordSealing
  #entries: readonly AccountEntry[] = []

  private constructor(path: string, sealing: RecordSealing) {
    this.#path = path
    this.#sealing = sealing
  }

  /** Throws `AppError('vault_damaged')` where the file does not open; it is left as it is. */
  static async open(options: RegistryOptions): Promise<AccountRegistry> {
    const sealing = createRecordSealing(options.crypto, options.random, options.key)
    const registry = new AccountRegistry(options.path, sealing)
    const bytes = await readFileOrNull(options.path)
    if (bytes === null) return registry
    try {
      const opened = sealing.open(ADDRESS, bytes)
      registry.#entries = listSchema.parse(
        JSON.parse(fromUtf8(opened?.value ?? new Uint8Array())),
      ).accounts
      return registry
    } catch {
      throw new AppError('vault_damaged')
    }
  }

  get path(): string {
    return this.#path
  }

  get entries(): readonly AccountEntry[] {
    return this.#entries
  }

  /** Adds or replaces the entry of its slot; durable when it resolves. */
  async put(entry: AccountEntry): Promise<void> {
    const others = this.#entries.filter(({ slot }) => slot !== entry.slot)
    await this.#write([...others, entry])
  }

  async remove(slot: string): Promise<void> {
    await this.#write(this.#entries.filter((entry) => entry.slot !== slot))
  }

  async #write(entries: readonly AccountEntry[]): Promise<void> {
    const bytes = toUtf8(JSON.stringify({ v: 1, accounts: entries }))
    await writeFileAtomically(this.#path, this.#sealing.seal(ADDRESS, bytes))
    this.#entries = entries
  }
}
