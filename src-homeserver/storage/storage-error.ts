/** The one error of the storage: what an operator, not a client, has to know. */

export type StorageErrorCode =
  /** There is no database in the folder. */
  | 'no_data'
  /** Another node runs on the same data folder. */
  | 'in_use'
  /** Processes of an earlier version run on the same database; they would not understand a newer schema. */
  | 'older_running'
  /** The data was written by a later version of the node. */
  | 'newer_schema'
  /** The data belongs to a node of another server name. */
  | 'other_server'
  /** The processes that serve the name sign with another key. */
  | 'other_key'
  /** PostgreSQL is older than what is needed. */
  | 'old_database'
  /** The database does not keep every text as it is. */
  | 'bad_encoding'
  /** The database does not answer now. What was not acknowledged may or may not have been done. */
  | 'unavailable'
  /** There is no room for what was to be written; nothing of it was done. */
  | 'full'
  /** The database refused a statement. */
  | 'refused'
  /** A value of a kind that no column takes. */
  | 'bad_value'
  /** A stored record does not read back as what was written. */
  | 'corrupted'

export class StorageError extends Error {
  override readonly name = 'StorageError'
  readonly code: StorageErrorCode
  /** The system's or the database's own code. Never a message: that may quote values. */
  readonly detail: string | null

  constructor(code: StorageErrorCode, detail: string | null = null) {
    super(detail === null ? `storage: ${code}` : `storage: ${code} (${detail})`)
    this.code = code
    this.detail = detail
  }
}

/** The whole transaction is gone, not only the statement; the same may succeed later. */
export function endsTransaction(error: unknown): boolean {
  return error instanceof StorageError && (error.code === 'full' || error.code === 'unavailable')
}
