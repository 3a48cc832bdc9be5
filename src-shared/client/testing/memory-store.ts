/**
 * A Store in memory for tests: counts reads, places crashes.
 *
 * After a crash every further call hangs, as in a killed process; `reopen` gives a new Store over
 * what was durable.
 */
import { StoreError } from '../ports.ts'
import type { Batch, RecordKey, Store } from '../ports.ts'

export interface CrashPlan {
  /** The n-th commit from now, counted from 0. */
  readonly commit: number
  readonly when: 'before' | 'after'
}

export class MemoryStore implements Store {
  readonly records: Map<string, Uint8Array>
  readonly commits: Set<string>
  /** Keys read and commits made since the store was opened. */
  reads = 0
  readCalls = 0
  writes = 0
  /** Fails the next commits: outcome unknown, done or not done. */
  loseNext: ('done' | 'not_done')[] = []
  failNext: StoreError[] = []
  crashAt: CrashPlan | null = null
  onCrash: () => void = () => undefined
  crashed = false

  constructor(from?: MemoryStore) {
    this.records = new Map(from?.records)
    this.commits = new Set(from?.commits)
  }

  /** What a process started after a crash finds. */
  reopen(): MemoryStore {
    return new MemoryStore(this)
  }

  /** From now on nothing answers any more. */
  crash(): void {
    this.crashed = true
    this.onCrash()
  }

  async read(keys: readonly RecordKey[]): Promise<(Uint8Array | null)[]> {
    await this.#alive()
    this.reads += keys.length
    this.readCalls++
    return keys.map(({ table, key }) => this.records.get(`${table}/${key}`)?.slice() ?? null)
  }

  async commit(batch: Batch): Promise<void> {
    await this.#alive()
    const failure = this.failNext.shift()
    if (failure !== undefined) throw failure
    const plan = this.crashAt
    if (plan !== null && plan.commit === this.writes && plan.when === 'before') this.crash()
    await this.#alive()
    const lost = this.loseNext.shift()
    if (lost !== 'not_done') this.#apply(batch)
    if (lost !== undefined) throw new StoreError('lost')
    if (plan !== null && plan.commit === this.writes - 1 && plan.when === 'after') this.crash()
    await this.#alive()
  }

  async wasCommitted(id: string): Promise<boolean> {
    await this.#alive()
    return this.commits.has(id)
  }

  #apply(batch: Batch): void {
    this.writes++
    this.commits.add(batch.id)
    for (const { table, key, value } of batch.puts)
      this.records.set(`${table}/${key}`, value.slice())
    for (const { table, key } of batch.deletes) this.records.delete(`${table}/${key}`)
  }

  async #alive(): Promise<void> {
    await Promise.resolve()
    if (this.crashed) await new Promise<never>(() => undefined)
  }
}
