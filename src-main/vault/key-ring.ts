/**
 * The vault key: 32 random bytes, never stored plain, wrapped twice: by the operating system's keychain
 * and by a passphrase (Argon2id), which is also the app lock (Vault key, Design).
 *
 * "The keychain can't be read now" is never taken for "there is no key": an existing key file is only
 * rewritten by someone who holds the key. Locking removes the keychain's wrap from the file, so that a
 * locked app opens by the passphrase alone, after a restart too; unlocking puts it back.
 */
import { hashRaw } from '@node-rs/argon2'
import * as z from 'zod'
import { readFileOrNull, writeFileAtomically } from '../../src-platform/atomic-file.ts'
import type { Random } from '../../src-shared/client/index.ts'
import {
  concatBytes,
  fromBase64Url,
  isBase64Url,
  toBase64Url,
  toUtf8,
} from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import type { Keychain, KeychainState } from './keychain.ts'

/** Argon2id: memory in KiB, passes, lanes. Stored with each wrap, so they may grow later. */
export interface PassphraseCost {
  readonly memory: number
  readonly passes: number
  readonly lanes: number
}

const DEFAULT_COST: PassphraseCost = { memory: 64 * 1024, passes: 3, lanes: 1 }
const SHORTEST_PASSPHRASE = 8
const VERSION = 1
/** `Algorithm.Argon2id`; the package's enum is erased by isolated builds. */
const ARGON2ID = 2

const costSchema = z.object({
  memory: z.int().min(8).max(4_194_304),
  passes: z.int().min(1).max(64),
  lanes: z.int().min(1).max(16),
})
const base64Url = z.string().refine((text) => isBase64Url(text))
const fileSchema = z.object({
  version: z.literal(VERSION),
  /** Tells this key from every other without telling anything of it. */
  check: base64Url,
  /** Whether the keychain may open the vault by itself. */
  useKeychain: z.boolean(),
  keychain: base64Url.nullable(),
  passphrase: z
    .object({ salt: base64Url, cost: costSchema, nonce: base64Url, sealed: base64Url })
    .nullable(),
})
type KeyFile = z.infer<typeof fileSchema>

export type KeyRingState =
  /** No key yet. */
  | { readonly state: 'empty' }
  | { readonly state: 'open' }
  /** Waits for the passphrase, as the user wants it. */
  | { readonly state: 'locked' }
  | { readonly state: 'problem'; readonly what: KeyProblem; readonly canUsePassphrase: boolean }

type KeyProblem =
  | 'keychain_locked'
  | 'keychain_changed'
  /** The key file is not what was written. */
  | 'record_corrupted'
  | 'newer_version'

export type KeyRingErrorCode =
  | 'wrong_passphrase'
  | 'weak_password'
  | 'keychain_unavailable'
  | 'locked'
  /** Refused because it would replace a key or lock the user out. */
  | 'not_allowed'

export class KeyRingError extends Error {
  override readonly name = 'KeyRingError'
  readonly code: KeyRingErrorCode
  constructor(code: KeyRingErrorCode) {
    super(`key ring: ${code}`)
    this.code = code
  }
}

export interface KeyRingOptions {
  readonly path: string
  readonly keychain: Keychain
  readonly crypto: Crypto
  readonly random: Random
  readonly cost?: PassphraseCost
}

export class KeyRing {
  readonly #o: KeyRingOptions
  #key: Uint8Array | null = null

  constructor(options: KeyRingOptions) {
    this.#o = options
  }

  keychainState(): Promise<KeychainState> {
    return this.#o.keychain.state()
  }

  /** Opens by the keychain where that is wanted and possible; otherwise says why not. */
  async open(): Promise<KeyRingState> {
    if (this.#key !== null) return { state: 'open' }
    const read = await this.#readFile()
    if (read.state !== 'read') {
      return read.state === 'none'
        ? { state: 'empty' }
        : { state: 'problem', what: read.state, canUsePassphrase: false }
    }
    const { file } = read
    const canUsePassphrase = file.passphrase !== null
    if (file.keychain === null) return canUsePassphrase ? { state: 'locked' } : damaged
    if ((await this.#o.keychain.state()) !== 'available') {
      return { state: 'problem', what: 'keychain_locked', canUsePassphrase }
    }
    const key = await this.#unwrap(fromBase64Url(file.keychain))
    if (key === null || this.#checkOf(key) !== file.check) {
      return { state: 'problem', what: 'keychain_changed', canUsePassphrase }
    }
    this.#key = key
    return { state: 'open' }
  }

  /** Makes the key, once. With a keychain no passphrase is needed; without one there must be one. */
  async create(passphrase: string | null): Promise<void> {
    if ((await this.#readFile()).state !== 'none') throw new KeyRingError('not_allowed')
    const withKeychain = (await this.#o.keychain.state()) === 'available'
    if (passphrase === null && !withKeychain) throw new KeyRingError('keychain_unavailable')
    const key = this.#o.random.bytes(32)
    await this.#writeFile({
      version: VERSION,
      check: this.#checkOf(key),
      useKeychain: withKeychain,
      keychain: withKeychain ? await this.#wrap(key) : null,
      passphrase: passphrase === null ? null : await this.#sealFor(passphrase, key),
    })
    this.#key = key
  }

  /** Opens by the passphrase, and mends the keychain's wrap where that no longer opens. */
  async unlock(passphrase: string): Promise<void> {
    const file = await this.#existingFile()
    const key = await this.#openWith(passphrase, file)
    if (key === null) throw new KeyRingError('wrong_passphrase')
    this.#key = key
    if (!file.useKeychain || (await this.#o.keychain.state()) !== 'available') return
    const stored = file.keychain === null ? null : await this.#unwrap(fromBase64Url(file.keychain))
    if (stored !== null && this.#checkOf(stored) === file.check) return
    const keychain = await this.#wrap(key).catch(() => null)
    if (keychain !== null) await this.#writeFile({ ...file, keychain })
  }

  /** Sets or replaces the passphrase of the open ring; `current` is needed where there is one. */
  async setPassphrase(passphrase: string, current: string | null): Promise<void> {
    if (this.#key === null) throw new KeyRingError('locked')
    const file = await this.#existingFile()
    if (file.passphrase !== null) {
      const proven = current === null ? null : await this.#openWith(current, file)
      if (proven === null) throw new KeyRingError('wrong_passphrase')
    }
    await this.#writeFile({ ...file, passphrase: await this.#sealFor(passphrase, this.#key) })
  }

  /** Forgets the key until `unlock`. Refused where there is no passphrase to come back with. */
  async lock(): Promise<void> {
    const file = await this.#existingFile()
    if (file.passphrase === null) throw new KeyRingError('not_allowed')
    if (file.keychain !== null) await this.#writeFile({ ...file, keychain: null })
    this.#key?.fill(0)
    this.#key = null
  }

  /** A key of 32 bytes for one purpose. Throws `KeyRingError('locked')`. */
  derive(purpose: string): Uint8Array {
    if (this.#key === null) throw new KeyRingError('locked')
    return this.#o.crypto.hkdfSha256(this.#key, new Uint8Array(0), toUtf8(purpose), 32)
  }

  #checkOf(key: Uint8Array): string {
    const digest = this.#o.crypto.hmacSha256(key, toUtf8('privchat/vault-key-check/1'))
    return toBase64Url(digest.subarray(0, 16))
  }

  async #wrap(key: Uint8Array): Promise<string> {
    try {
      return toBase64Url(await this.#o.keychain.wrap(toBase64Url(key)))
    } catch {
      throw new KeyRingError('keychain_unavailable')
    }
  }

  async #unwrap(wrapped: Uint8Array): Promise<Uint8Array | null> {
    try {
      const key = fromBase64Url(await this.#o.keychain.unwrap(wrapped))
      return key.length === 32 ? key : null
    } catch {
      return null
    }
  }

  async #stretch(passphrase: string, salt: Uint8Array, cost: PassphraseCost): Promise<Uint8Array> {
    const stretched = await hashRaw(toUtf8(passphrase.normalize('NFKC')), {
      salt,
      algorithm: ARGON2ID,
      memoryCost: cost.memory,
      timeCost: cost.passes,
      parallelism: cost.lanes,
      outputLen: 32,
    })
    return new Uint8Array(stretched)
  }

  async #sealFor(passphrase: string, key: Uint8Array): Promise<KeyFile['passphrase']> {
    if ([...passphrase].length < SHORTEST_PASSPHRASE) throw new KeyRingError('weak_password')
    const cost = { ...(this.#o.cost ?? DEFAULT_COST) }
    const salt = this.#o.random.bytes(16)
    const nonce = this.#o.random.bytes(24)
    const wrapKey = await this.#stretch(passphrase, salt, cost)
    const ad = associatedData(salt, cost)
    const sealed = this.#o.crypto.xchacha20Poly1305Seal(wrapKey, nonce, key, ad)
    return {
      salt: toBase64Url(salt),
      cost,
      nonce: toBase64Url(nonce),
      sealed: toBase64Url(sealed),
    }
  }

  async #openWith(passphrase: string, file: KeyFile): Promise<Uint8Array | null> {
    const { passphrase: wrap } = file
    if (wrap === null) return null
    const salt = fromBase64Url(wrap.salt)
    const wrapKey = await this.#stretch(passphrase, salt, wrap.cost)
    const key = this.#o.crypto.xchacha20Poly1305Open(
      wrapKey,
      fromBase64Url(wrap.nonce),
      fromBase64Url(wrap.sealed),
      associatedData(salt, wrap.cost),
    )
    return key !== null && this.#checkOf(key) === file.check ? key : null
  }

  async #readFile(): Promise<
    { state: 'none' | 'record_corrupted' | 'newer_version' } | { state: 'read'; file: KeyFile }
  > {
    // A file that the disk does not give is there all the same: never taken for none.
    const bytes = await readFileOrNull(this.#o.path).catch(() => 'unreadable' as const)
    if (bytes === null) return { state: 'none' }
    if (bytes === 'unreadable') return { state: 'record_corrupted' }
    let json: unknown
    try {
      json = JSON.parse(Buffer.from(bytes).toString('utf8'))
    } catch {
      return { state: 'record_corrupted' }
    }
    const parsed = fileSchema.safeParse(json)
    if (parsed.success) return { state: 'read', file: parsed.data }
    const newer = z.object({ version: z.int().min(VERSION + 1) }).safeParse(json)
    return { state: newer.success ? 'newer_version' : 'record_corrupted' }
  }

  async #existingFile(): Promise<KeyFile> {
    const read = await this.#readFile()
    if (read.state !== 'read') throw new KeyRingError('not_allowed')
    return read.file
  }

  #writeFile(file: KeyFile): Promise<void> {
    return writeFileAtomically(this.#o.path, JSON.stringify(file, null, 2))
  }
}

const damaged: KeyRingState = {
  state: 'problem',
  what: 'record_corrupted',
  canUsePassphrase: false,
}

/** Binds a wrap to its parameters, so that nobody swaps in cheaper ones unnoticed. */
function associatedData(salt: Uint8Array, cost: PassphraseCost): Uint8Array {
  const parameters = toUtf8(`privchat/passphrase/1 ${cost.memory} ${cost.passes} ${cost.lanes}\0`)
  return concatBytes(parameters, salt)
}
