/**
 * The vault: the Store port over sealed records elsewhere (Vault and commits, Design). Main seals every
 * value and blinds every key; whoever keeps the records learns neither.
 *
 * Owns the order of writes. One commit at a time: records and the root of the session index in one
 * transaction first, main's mirror file after it, and only then the answer. So the mirror is at most one
 * commit behind, and a crash between the two is told from a rollback: the root names its predecessor.
 * It knows nothing of windows, ports or keychains.
 */
import { StoreError } from '../../src-shared/client/index.ts'
import type { Batch, Log, Random, RecordKey, Store } from '../../src-shared/client/index.ts'
import { fromBase64Url, toBase64Url } from '../../src-shared/protocol/index.ts'
import { tagLength } from '../../src-platform/record-sealing.ts'
import type { RecordSealing } from '../../src-platform/record-sealing.ts'
import type { Mirror, MirrorState } from './mirror-file.ts'
import type { SealedBatch, SealedRecord } from './port-messages.ts'
import { RecordStoreError } from './record-link.ts'
import type { RecordStore } from './record-link.ts'
import {
  advance,
  bucketAddress,
  bucketOf,
  decodeBucket,
  decodeRoot,
  encodeBucket,
  encodeRoot,
  rootAddress,
  touchedBuckets,
} from './session-index.ts'
import type { Bucket, Root } from './session-index.ts'

export type VaultProblem =
  /** There was a vault, and now there are no records. */
  | 'missing'
  /** The records are older than, or other than, what was last committed. */
  | 'rolled_back'
  /** The root record does not open. */
  | 'corrupted'
  | 'newer_version'

export interface VaultOptions {
  readonly records: RecordStore
  readonly mirror: Mirror
  readonly sealing: RecordSealing
  readonly random: Random
  /** Tables whose every version is tracked, so that an old one is never used again. */
  readonly sessionTables: readonly string[]
  /** Called with the table of each record that does not open or is not the current one. */
  readonly onDamage?: (table: string) => void
  readonly keepCommits?: number
  /** Told of every boundary that a crash may fall on. */
  readonly log?: Log
}

export interface Vault extends Store {
  /** Gives up all sessions and one-time keys, keeps everything else. Rejects with `StoreError`. */
  dropSessions(): Promise<void>
  /** Lets running operations end; later ones are refused as `closed`. */
  close(): Promise<void>
  /** Deletes all records and the mirror, then closes. */
  erase(): Promise<void>
}

export type VaultOpening =
  | { readonly ok: true; readonly vault: Vault }
  | {
      readonly ok: false
      readonly problem: VaultProblem
      /** Gives up all sessions and one-time keys, keeps everything else; null where that can't help. */
      readonly startFresh: (() => Promise<Vault>) | null
    }

/** How much of a sealed record tells one version from another: its random nonce. */
const HEAD_BYTES = 24
const ROOT_RETRIES = 3

function storeErrorOf(error: unknown): StoreError {
  if (error instanceof StoreError) return error
  if (!(error instanceof RecordStoreError)) return new StoreError('lost')
  switch (error.code) {
    case 'full':
    case 'closed':
      return new StoreError(error.code)
    case 'lost':
    case 'failed':
    case 'conflict':
    case 'duplicate':
      return new StoreError('lost')
  }
}

interface Current {
  readonly root: Root
  /** First bytes of the sealed root; null before the first commit. */
  readonly head: Uint8Array | null
}

class SealedVault implements Vault {
  readonly #o: VaultOptions
  readonly #rootKey: string
  #current: Current
  #mirrored: MirrorState
  #buckets = new Map<string, Bucket>()
  /** Tags of commits whose outcome was not heard; one of them may be in the vault. */
  readonly #unheard = new Set<string>()
  #stale = false
  #closed = false
  #queue: Promise<unknown> = Promise.resolve()

  constructor(options: VaultOptions, current: Current, mirrored: MirrorState) {
    this.#o = options
    this.#rootKey = options.sealing.blind(rootAddress)
    this.#current = current
    this.#mirrored = mirrored
  }

  async read(keys: readonly RecordKey[]): Promise<(Uint8Array | null)[]> {
    const tracked = keys.some((key) => this.#isTracked(key.table))
    try {
      return await (tracked ? this.#inOrder(() => this.#read(keys)) : this.#read(keys))
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  async commit(batch: Batch): Promise<void> {
    try {
      await this.#inOrder(() => this.#commit(batch))
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  async wasCommitted(id: string): Promise<boolean> {
    try {
      return await this.#inOrder(() => this.#o.records.hasCommit(this.#o.sealing.blindCommit(id)))
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  async close(): Promise<void> {
    await this.#inOrder(async () => {
      this.#closed = true
    }).catch(() => {})
    await this.#o.records.close()
  }

  async erase(): Promise<void> {
    await this.#inOrder(async () => {
      this.#closed = true
      await this.#o.records.erase()
      await this.#o.mirror.remove()
    })
    await this.#o.records.close()
  }

  /** Deletes every session record that the index still lists, and changes the keys of all others. */
  async dropSessions(): Promise<void> {
    try {
      await this.#inOrder(() => this.#dropSessions())
    } catch (error) {
      throw storeErrorOf(error)
    }
  }

  /** Operations that depend on the index run one after the other. */
  #inOrder<T>(work: () => Promise<T>): Promise<T> {
    const run = async (): Promise<T> => {
      if (this.#closed) throw new StoreError('closed')
      return work()
    }
    const result = this.#queue.then(run, run)
    this.#queue = result.catch(() => {})
    return result
  }

  #isTracked(table: string): boolean {
    return this.#o.sessionTables.includes(table)
  }

  #blind(key: RecordKey): string {
    return this.#isTracked(key.table)
      ? this.#o.sealing.blind(key, this.#current.root.generation)
      : this.#o.sealing.blind(key)
  }

  #newTag(): string {
    return toBase64Url(this.#o.random.bytes(tagLength))
  }

  #damaged(table: string): StoreError {
    this.#o.onDamage?.(table)
    return new StoreError('corrupted')
  }

  /** Reading changes nothing, so what a broken port swallowed is simply asked again. */
  async #get(keys: readonly string[]): Promise<(Uint8Array | null)[]> {
    for (let attempt = 1; ; attempt++) {
      try {
        return await this.#o.records.get(keys)
      } catch (error) {
        const lost = error instanceof RecordStoreError && error.code === 'lost'
        if (!lost || attempt === ROOT_RETRIES) throw error
      }
    }
  }

  async #read(keys: readonly RecordKey[]): Promise<(Uint8Array | null)[]> {
    if (this.#closed) throw new StoreError('closed')
    const tracked = keys.filter((key) => this.#isTracked(key.table))
    if (tracked.length > 0) await this.#sync()
    const blinded = keys.map((key) => this.#blind(key))
    for (const [index, key] of keys.entries()) {
      if (this.#isTracked(key.table)) await this.#bucket(bucketOf(blinded[index] ?? ''))
    }
    const found = await this.#get(blinded)
    return keys.map((key, index) => this.#open(key, blinded[index] ?? '', found[index] ?? null))
  }

  #open(key: RecordKey, blinded: string, sealed: Uint8Array | null): Uint8Array | null {
    if (!this.#isTracked(key.table)) {
      if (sealed === null) return null
      const opened = this.#o.sealing.open(key, sealed)
      if (opened === null) throw this.#damaged(key.table)
      return opened.value
    }
    const expected = this.#buckets.get(bucketOf(blinded))?.get(blinded)
    // A record that the index does not list was deleted: an old copy put back counts as absent.
    if (expected === undefined) return null
    const opened = sealed === null ? null : this.#o.sealing.open(key, sealed)
    if (opened === null || toBase64Url(opened.tag) !== expected) throw this.#damaged(key.table)
    return opened.value
  }

  /** Loads one bucket and checks that it is the version the root names. */
  async #bucket(name: string): Promise<Bucket> {
    const known = this.#buckets.get(name)
    if (known !== undefined) return known
    const expected = this.#current.root.buckets[name]
    let bucket: Bucket = new Map()
    if (expected !== undefined) {
      const address = bucketAddress(name)
      const [sealed] = await this.#get([this.#o.sealing.blind(address)])
      const opened = sealed instanceof Uint8Array ? this.#o.sealing.open(address, sealed) : null
      const decoded = opened === null ? null : decodeBucket(opened.value)
      if (opened === null || decoded === null || toBase64Url(opened.tag) !== expected) {
        throw this.#damaged(address.table)
      }
      bucket = decoded
    }
    this.#buckets.set(name, bucket)
    return bucket
  }

  async #commit(batch: Batch): Promise<void> {
    await this.#sync()
    // Two commits ahead of the mirror would look like a rollback after a crash.
    if (this.#mirrored.tag !== this.#current.root.tag && !(await this.#writeMirror())) {
      throw new StoreError('full')
    }
    const isTracked = (key: RecordKey): boolean => this.#isTracked(key.table)
    const change = {
      puts: batch.puts.filter(isTracked).map((key) => this.#blind(key)),
      deletes: batch.deletes.filter(isTracked).map((key) => this.#blind(key)),
    }
    for (const name of touchedBuckets(change)) await this.#bucket(name)
    const tag = this.#newTag()
    const tagBytes = fromBase64Url(tag)
    const { root, changed } = advance(this.#current.root, this.#buckets, change, tag)
    const { sealing } = this.#o
    const puts: SealedRecord[] = batch.puts.map((put) => ({
      k: this.#blind(put),
      v: sealing.seal(put, put.value, isTracked(put) ? tagBytes : undefined),
    }))
    for (const [name, bucket] of changed) {
      const address = bucketAddress(name)
      puts.push({
        k: sealing.blind(address),
        v: sealing.seal(address, encodeBucket(bucket), tagBytes),
      })
    }
    const deletes = batch.deletes.map((key) => this.#blind(key))
    const isNew = await this.#apply(batch.id, { root, puts, deletes })
    if (!isNew) return
    for (const [name, bucket] of changed) this.#buckets.set(name, bucket)
    // The commit stands even where the mirror can't be written: being one behind is allowed for.
    await this.#writeMirror()
  }

  async #dropSessions(): Promise<void> {
    const { root } = this.#current
    const deletes: string[] = []
    for (const name of Object.keys(root.buckets)) {
      deletes.push(this.#o.sealing.blind(bucketAddress(name)))
      const bucket = await this.#bucket(name).catch(() => null)
      if (bucket !== null) deletes.push(...bucket.keys())
    }
    const tag = this.#newTag()
    const generation = new DataView(this.#o.random.bytes(4).buffer).getUint32(0)
    const counter = root.counter + 1
    await this.#apply(`#fresh ${tag}`, {
      root: { ...root, counter, previous: root.tag, tag, generation, buckets: {} },
      puts: [],
      deletes,
    })
    this.#buckets = new Map()
    await this.#writeMirror()
  }

  /** Writes records and root in one transaction. False where this commit id was already there. */
  async #apply(
    id: string,
    write: { root: Root; puts: SealedRecord[]; deletes: string[] },
  ): Promise<boolean> {
    const sealedRoot = this.#o.sealing.seal(rootAddress, encodeRoot(write.root))
    const sealed: SealedBatch = {
      id: this.#o.sealing.blindCommit(id),
      expect: { k: this.#rootKey, head: this.#current.head },
      puts: [...write.puts, { k: this.#rootKey, v: sealedRoot }],
      deletes: write.deletes,
      keepCommits: this.#o.keepCommits ?? 256,
    }
    this.#unheard.add(write.root.tag)
    try {
      this.#o.log?.('vault.before', { what: 'apply' })
      await this.#o.records.apply(sealed)
      this.#o.log?.('vault.after', { what: 'apply' })
    } catch (error) {
      const code = error instanceof RecordStoreError ? error.code : 'lost'
      if (code === 'full') this.#unheard.delete(write.root.tag)
      else this.#stale = true
      if (code === 'duplicate') return false
      throw error
    }
    this.#unheard.clear()
    this.#current = { root: write.root, head: sealedRoot.slice(0, HEAD_BYTES) }
    return true
  }

  /** After an outcome was not heard: finds out where the vault stands. */
  async #sync(): Promise<void> {
    if (!this.#stale) return
    const read = await readRoot(this.#o)
    const { root } = this.#current
    const before = this.#current.head === null
    const after = read.state === 'read' ? read.current.root : null
    if (after === null ? before && read.state === 'none' : after.tag === root.tag) {
      this.#stale = false
      return
    }
    const isOurs =
      after !== null &&
      read.state === 'read' &&
      after.previous === root.tag &&
      this.#unheard.has(after.tag)
    if (!isOurs) throw this.#damaged(rootAddress.table)
    this.#current = read.current
    this.#buckets = new Map()
    this.#stale = false
    await this.#writeMirror()
  }

  async #writeMirror(): Promise<boolean> {
    const { counter, tag } = this.#current.root
    try {
      this.#o.log?.('mirror.before', { what: 'write' })
      await this.#o.mirror.write({ counter, tag })
      this.#o.log?.('mirror.after', { what: 'write' })
      this.#mirrored = { counter, tag }
      return true
    } catch {
      return false
    }
  }
}

type RootReading =
  | { state: 'none' }
  | { state: 'unreadable'; head: Uint8Array }
  | { state: 'read'; current: Current }

async function readRoot(options: VaultOptions): Promise<RootReading> {
  const [sealed] = await options.records.get([options.sealing.blind(rootAddress)])
  if (!(sealed instanceof Uint8Array)) return { state: 'none' }
  const head = sealed.slice(0, HEAD_BYTES)
  const opened = options.sealing.open(rootAddress, sealed)
  const root = opened === null ? null : decodeRoot(opened.value)
  return root === null ? { state: 'unreadable', head } : { state: 'read', current: { root, head } }
}

/** A root without sessions that follows the mirror: before the first commit, or in place of a damaged one. */
function emptyRoot({ counter, tag }: MirrorState): Root {
  return { v: 1, counter, tag, previous: tag, generation: 0, buckets: {} }
}

/** Makes an empty vault. Throws `StoreError('corrupted')` where one exists: nothing is overwritten. */
export async function createVault(options: VaultOptions): Promise<Vault> {
  const [root, mirror] = await Promise.all([readRoot(options), options.mirror.read()])
  if (root.state !== 'none' || mirror.state !== 'none') throw new StoreError('corrupted')
  const first = { counter: 0, tag: toBase64Url(options.random.bytes(tagLength)) }
  await options.mirror.write(first)
  return new SealedVault(options, { root: emptyRoot(first), head: null }, first)
}

/** Opens an existing vault, comparing it with main's mirror. Rejects with `RecordStoreError`. */
export async function openVault(options: VaultOptions): Promise<VaultOpening> {
  const [root, reading] = await Promise.all([readRoot(options), options.mirror.read()])
  if (reading.state === 'newer_version') {
    return { ok: false, problem: 'newer_version', startFresh: null }
  }
  const mirror = reading.state === 'read' ? reading.mirror : null
  if (root.state === 'none') {
    if (mirror?.counter !== 0) return { ok: false, problem: 'missing', startFresh: null }
    const current = { root: emptyRoot(mirror), head: null }
    return { ok: true, vault: new SealedVault(options, current, mirror) }
  }
  const noMirror: MirrorState = {
    counter: 0,
    tag: toBase64Url(options.random.bytes(tagLength)),
  }
  const startFresh = (current: Current) => async (): Promise<Vault> => {
    const vault = new SealedVault(options, current, mirror ?? noMirror)
    await vault.dropSessions()
    return vault
  }
  if (root.state === 'unreadable') {
    const current = { root: emptyRoot(mirror ?? noMirror), head: root.head }
    return { ok: false, problem: 'corrupted', startFresh: startFresh(current) }
  }
  const { current } = root
  const { counter, tag, previous } = current.root
  const isSame = mirror !== null && counter === mirror.counter && tag === mirror.tag
  const isNext = mirror !== null && counter === mirror.counter + 1 && previous === mirror.tag
  if (isSame || isNext) return { ok: true, vault: new SealedVault(options, current, mirror) }
  return { ok: false, problem: 'rolled_back', startFresh: startFresh(current) }
}
