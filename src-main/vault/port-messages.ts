/**
 * What passes between main and the vault's hidden window: sealed bytes under blinded keys, nothing else.
 * The window answers every request once, in any order, under the request's number.
 */

export interface SealedRecord {
  /** Blinded key. */
  readonly k: string
  readonly v: Uint8Array
}

/** One transaction. Nothing of it happens unless `expect` holds within the same transaction. */
export interface SealedBatch {
  /** Blinded commit id. */
  readonly id: string
  /** The record `k` must begin with these bytes; null: there must be none. Keeps a second writer out. */
  readonly expect: { readonly k: string; readonly head: Uint8Array | null }
  readonly puts: readonly SealedRecord[]
  readonly deletes: readonly string[]
  /** How many commit ids to remember. */
  readonly keepCommits: number
}

export type VaultRequest =
  | { readonly n: number; readonly op: 'get'; readonly keys: readonly string[] }
  | { readonly n: number; readonly op: 'apply'; readonly batch: SealedBatch }
  | { readonly n: number; readonly op: 'hasCommit'; readonly id: string }
  | { readonly n: number; readonly op: 'erase' }

export type VaultFailure =
  /** No room on the disk; nothing was written. */
  | 'full'
  /** `expect` does not hold; nothing was written. */
  | 'conflict'
  /** This commit id is there already; nothing was written. */
  | 'duplicate'
  /** Anything else; whether something was written is unknown. */
  | 'failed'

export type VaultReply =
  | { readonly n: number; readonly ok: true; readonly value: unknown }
  | { readonly n: number; readonly ok: false; readonly failure: VaultFailure }

/** Sent once by the window when it can take requests. */
export const vaultReady = 'ready'
/** The channel on which preload receives the port, and the message by which the page gets it. */
export const vaultPortChannel = 'privchat:vault-port'
