/**
 * The engine's tables. Keys are exact addresses: the vault blinds them, so nothing here is ever listed
 * or read by range.
 */
export const tables = {
  /** Keys, tokens, sync position, settings, alerts. */
  account: 'account',
  /** Verified manifest logs, pins and names of people. */
  manifests: 'manifests',
  /** Ratchet sessions, one record per peer device. Bound by rollback detection. */
  sessions: 'sessions',
  /** Own one-time private state. Bound by rollback detection. */
  prekeys: 'prekeys',
  /** Room summaries, a few records of many rooms each. */
  rooms: 'rooms',
  roomState: 'room_state',
  /** Timeline pages, key `room/number`. */
  pages: 'pages',
  outbox: 'outbox',
  /** Content keys in the order they became known: what an archive lane will carry. */
  contentKeys: 'content_keys',
  drafts: 'drafts',
  /** Where an envelope stands, in hash buckets. */
  index: 'index',
} as const
export type TableName = (typeof tables)[keyof typeof tables]

/** Tables whose older copy would reuse keys; the vault drops them when it was rolled back. */
export const sessionTables: readonly TableName[] = [tables.sessions, tables.prekeys]
