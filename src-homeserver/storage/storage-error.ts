/** The one error of the storage: what an operator, not a client, has to know. */

export type StorageErrorCode =
  /** Another node runs on the same data folder. */
  | 'in_use'
  /** The data was written by a later version of the node. */
  | 'newer_schema'
  /** The data belongs to a node of another server name. */
  | 'other_server'
  /** A value of a kind that no column takes. */
  | 'bad_value'
  /** A stored record does not read back as what was written. */
  | 'corrupted'

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  constructor(code: StorageErrorCode) {
    super(`storage: ${code}`)
    this.code = code
  }
}
