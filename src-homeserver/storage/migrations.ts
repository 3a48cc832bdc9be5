/** Versions of the schema, in order. A published migration never changes; a later one follows it. */
import { sql } from 'kysely'
import type { CreateTableBuilder, Expression } from 'kysely'
import type { Db } from './schema.ts'
import { SCHEMA_LOCK, WRITER_LOCK } from './standing.ts'
import { StorageError } from './storage-error.ts'

const LOCK_TRIES = 20

type Migration = (db: Db) => Promise<void>

const migrations: readonly Migration[] = [
  firstSchema,
  federation,
  windows,
  firstSights,
  seenOnce,
  roomsOfServers,
  restatements,
  acrossProcesses,
  vouchedKeys,
  lapsedAtInvites,
]

/** What this program understands. */
export const SCHEMA_VERSION = migrations.length

/** Throws `StorageError('newer_schema')` and leaves the data as it is. */
export async function migrate(db: Db): Promise<void> {
  for (;;) if (!(await db.transaction().execute(step))) return
}

/** One version further, alone on the database; false where nothing is left to do. */
async function step(db: Db): Promise<boolean> {
  const shared = isShared(db)
  if (shared) {
    await sql`set local statement_timeout = 0`.execute(db)
    await sql`select pg_advisory_xact_lock(${WRITER_LOCK}::bigint)`.execute(db)
  }
  const version = await storedVersion(db)
  if (version > SCHEMA_VERSION) throw new StorageError('newer_schema')
  const up = migrations[version]
  if (up === undefined) return false
  if (shared && !(await runsAlone(db))) throw new StorageError('older_running')
  await up(db)
  const value = String(version + 1)
  await db
    .insertInto('meta')
    .values({ key: 'schema_version', value })
    .onConflict((c) => c.column('key').doUpdateSet({ value }))
    .execute()
  return true
}

/** Every running process holds the lock: one that knows less would go on with what it can not read. */
async function runsAlone(db: Db): Promise<boolean> {
  for (let tries = 0; tries < LOCK_TRIES; tries++) {
    const { rows } = await sql<{ yes: boolean }>`
      select pg_try_advisory_xact_lock(${SCHEMA_LOCK}::bigint) as yes`.execute(db)
    if (rows[0]?.yes === true) return true
    // Of the locks of a transaction that has just ended one may be free before the other.
    await sql`select pg_sleep(0.05)`.execute(db)
  }
  return false
}

async function storedVersion(db: Db): Promise<number> {
  await db.schema
    .createTable('meta')
    .ifNotExists()
    .addColumn('key', textType(db), (c) => c.primaryKey())
    .addColumn('value', textType(db), (c) => c.notNull())
    .execute()
  const row = await db
    .selectFrom('meta')
    .select('value')
    .where('key', '=', 'schema_version')
    .executeTakeFirst()
  return row === undefined ? 0 : Number(row.value)
}

/** PostgreSQL: several processes, types and collations of its own. */
function isShared(db: Db): boolean {
  return db.getExecutor().adapter.supportsMultipleConnections === true
}

/** Ordered by its bytes, as SQLite does, whatever the database's own collation. */
function textType(db: Db): Expression<unknown> {
  return isShared(db) ? sql`text collate "C"` : sql`text`
}

type Columns = Readonly<Record<string, 'text' | 'text?' | 'int' | 'int?'>>

/** Without a rowid where SQLite allows it, since every table here is read by its primary key. */
async function table(
  db: Db,
  name: string,
  columns: Columns,
  primaryKey: readonly string[],
): Promise<void> {
  let builder: CreateTableBuilder<string, string> = db.schema.createTable(name)
  for (const [column, kind] of Object.entries(columns)) {
    const type = kind.startsWith('text') ? textType(db) : sql`bigint`
    builder = builder.addColumn(column, type, (c) => (kind.endsWith('?') ? c : c.notNull()))
  }
  await builder
    .addPrimaryKeyConstraint(`${name}_key`, [...primaryKey])
    .$call((b) => (isShared(db) ? b : b.modifyEnd(sql`without rowid`)))
    .execute()
}

async function index(
  db: Db,
  on: string,
  columns: readonly string[],
  unique: 'unique' | 'plain' = 'plain',
): Promise<void> {
  const builder = db.schema
    .createIndex(`${on}_by_${columns.join('_')}`)
    .on(on)
    .columns([...columns])
  await (unique === 'unique' ? builder.unique() : builder).execute()
}

async function firstSchema(db: Db): Promise<void> {
  await table(
    db,
    'accounts',
    {
      member: 'text',
      name: 'text',
      user_id: 'text',
      password_hash: 'text',
      display_name: 'text',
      admin: 'int',
      created_at: 'int',
      head: 'text',
      height: 'int',
      feed_floor: 'int',
    },
    ['member'],
  )
  await index(db, 'accounts', ['name'], 'unique')
  await table(
    db,
    'registration_tokens',
    { token_hash: 'text', name: 'text?', uses_left: 'int', admin: 'int', created_at: 'int' },
    ['token_hash'],
  )
  await table(
    db,
    'manifest_entries',
    { member: 'text', height: 'int', hash: 'text', entry: 'text' },
    ['member', 'height'],
  )
  await table(
    db,
    'devices',
    {
      member: 'text',
      device: 'text',
      keys: 'text',
      name: 'text?',
      status: 'text',
      requested_at: 'int?',
      last_seen: 'int?',
      acked: 'int',
      baseline: 'int',
    },
    ['member', 'device'],
  )
  await table(
    db,
    'tokens',
    { token_hash: 'text', member: 'text', device: 'text', created_at: 'int', expires_at: 'int?' },
    ['token_hash'],
  )
  await index(db, 'tokens', ['member', 'device'])
  await table(
    db,
    'prekeys',
    {
      member: 'text',
      device: 'text',
      kind: 'text',
      prekey_id: 'text',
      prekey: 'text?',
      stored_at: 'int',
    },
    ['member', 'device', 'kind', 'prekey_id'],
  )
  await table(
    db,
    'pairings',
    { member: 'text', device: 'text', step: 'text', message: 'text', stored_at: 'int' },
    ['member', 'device', 'step'],
  )
  await roomTables(db)
  await deliveryTables(db)
}

async function roomTables(db: Db): Promise<void> {
  await table(
    db,
    'rooms',
    { room_id: 'text', opaque: 'text', visibility: 'text', created_at: 'int' },
    ['room_id'],
  )
  await index(db, 'rooms', ['opaque'], 'unique')
  await table(
    db,
    'events',
    {
      event_id: 'text',
      room_id: 'text',
      pos: 'int',
      envelope_id: 'text',
      type: 'text',
      state_key: 'text?',
      membership: 'text?',
      member: 'text',
      device: 'text?',
      seq: 'int?',
      origin: 'text',
      origin_ts: 'int',
      pdu: 'text',
      body: 'text?',
      redacted_by: 'text?',
      rejected: 'int',
    },
    ['event_id'],
  )
  await index(db, 'events', ['room_id', 'pos'])
  await index(db, 'events', ['room_id', 'envelope_id'])
  await index(db, 'events', ['room_id', 'member', 'device', 'seq'])
  await table(
    db,
    'event_edges',
    { event_id: 'text', kind: 'text', ord: 'int', parent_id: 'text' },
    ['event_id', 'kind', 'ord'],
  )
  await index(db, 'event_edges', ['parent_id'])
  await table(db, 'extremities', { room_id: 'text', event_id: 'text' }, ['room_id', 'event_id'])
  await table(
    db,
    'state_changes',
    {
      room_id: 'text',
      type: 'text',
      state_key: 'text',
      pos: 'int',
      event_id: 'text',
      current: 'int',
    },
    ['room_id', 'type', 'state_key', 'pos'],
  )
  await index(db, 'state_changes', ['room_id', 'current'])
  await table(
    db,
    'memberships',
    {
      room_id: 'text',
      member: 'text',
      membership: 'text',
      user_id: 'text',
      local: 'int',
      event_id: 'text',
      pos: 'int',
    },
    ['room_id', 'member'],
  )
  await index(db, 'memberships', ['member', 'membership'])
}

async function deliveryTables(db: Db): Promise<void> {
  await table(
    db,
    'wraps',
    { member: 'text', device: 'text', event_id: 'text', pos: 'int', wrap: 'text' },
    ['member', 'device', 'event_id'],
  )
  await index(db, 'wraps', ['member', 'device', 'pos'])
  await table(
    db,
    'to_device',
    {
      member: 'text',
      device: 'text',
      pos: 'int',
      id: 'text',
      sender_member: 'text',
      sender_user: 'text',
      message: 'text',
    },
    ['member', 'device', 'pos'],
  )
  await table(
    db,
    'receipts',
    {
      room_id: 'text',
      envelope_id: 'text',
      kind: 'text',
      member: 'text',
      device: 'text',
      pos: 'int',
      receipt: 'text',
    },
    ['room_id', 'envelope_id', 'kind', 'member', 'device'],
  )
  await index(db, 'receipts', ['pos'])
  await table(
    db,
    'txns',
    {
      member: 'text',
      device: 'text',
      scope: 'text',
      txn: 'text',
      digest: 'text',
      answer: 'text',
      stored_at: 'int',
    },
    ['member', 'device', 'scope', 'txn'],
  )
  await index(db, 'txns', ['stored_at'])
  await db.schema
    .createTable('stream')
    // Positions are handed out by the table itself and never twice, even after deletions.
    .addColumn('pos', isShared(db) ? 'bigint' : 'integer', (c) =>
      isShared(db) ? c.generatedByDefaultAsIdentity().primaryKey() : c.primaryKey().autoIncrement(),
    )
    .addColumn('kind', textType(db), (c) => c.notNull())
    .addColumn('room_id', textType(db))
    .addColumn('ref', textType(db), (c) => c.notNull())
    .addColumn('stored_at', 'bigint', (c) => c.notNull())
    .execute()
  await table(db, 'feed', { member: 'text', pos: 'int', device: 'text' }, ['member', 'pos'])
}

async function federation(db: Db): Promise<void> {
  const zero = (name: string) =>
    db.schema.alterTable('events').addColumn(name, 'bigint', (c) => c.notNull().defaultTo(0))
  await zero('soft_failed').execute()
  await zero('sole').execute()
  await db.schema.alterTable('events').addColumn('expires_at', 'bigint').execute()
  await index(db, 'events', ['expires_at'])
  await db.schema
    .alterTable('memberships')
    .addColumn('server', textType(db), (c) => c.notNull().defaultTo(''))
    .execute()
  for (const { room_id, member, user_id } of await db
    .selectFrom('memberships')
    .selectAll()
    .execute())
    await db
      .updateTable('memberships')
      .set({ server: user_id.slice(user_id.indexOf(':') + 1) })
      .where('room_id', '=', room_id)
      .where('member', '=', member)
      .execute()
  await index(db, 'memberships', ['room_id', 'server'])
  await index(db, 'extremities', ['event_id'])
  await table(
    db,
    'server_keys',
    {
      server: 'text',
      key_id: 'text',
      ed25519: 'text',
      since: 'int',
      until: 'int?',
      seen_at: 'int',
    },
    ['server', 'key_id'],
  )
  await table(
    db,
    'remote_accounts',
    {
      member: 'text',
      user_id: 'text',
      head: 'text',
      height: 'int',
      display_name: 'text',
      seen_at: 'int',
    },
    ['member'],
  )
  await index(db, 'remote_accounts', ['user_id'])
  await table(
    db,
    'remote_invites',
    { room_id: 'text', member: 'text', pos: 'int', server: 'text', state: 'text' },
    ['room_id', 'member'],
  )
  await table(
    db,
    'outbox',
    {
      destination: 'text',
      seq: 'int',
      id: 'text',
      kind: 'text',
      item: 'text',
      stored_at: 'int',
    },
    ['destination', 'seq'],
  )
  await table(db, 'inbound_items', { origin: 'text', id: 'text', stored_at: 'int' }, [
    'origin',
    'id',
  ])
  await index(db, 'inbound_items', ['stored_at'])
}

async function windows(db: Db): Promise<void> {
  await db.schema
    .alterTable('memberships')
    .addColumn('latest', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
  // Older messages are not looked for: what was there before stands in the order in which it came in.
  await db
    .updateTable('memberships')
    .set((e) => ({ latest: e.ref('pos') }))
    .execute()
  await index(db, 'memberships', ['member', 'latest'])
  await table(
    db,
    'window_rooms',
    {
      member: 'text',
      device: 'text',
      room_id: 'text',
      shown_at: 'int',
      first_pos: 'int',
      whole: 'int',
    },
    ['member', 'device', 'room_id'],
  )
  await index(db, 'window_rooms', ['member', 'device', 'shown_at'])
}

async function firstSights(db: Db): Promise<void> {
  await db.schema
    .alterTable('manifest_entries')
    .addColumn('seen_at', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
}

/** What may be taken once, whichever process is asked. */
async function seenOnce(db: Db): Promise<void> {
  await table(db, 'seen_once', { name: 'text', until: 'int' }, ['name'])
  await index(db, 'seen_once', ['until'])
}

/** What a server that was set back is told of. */
async function roomsOfServers(db: Db): Promise<void> {
  await index(db, 'memberships', ['server', 'room_id'])
}

async function restatements(db: Db): Promise<void> {
  await db.schema
    .alterTable('rooms')
    .addColumn('restated_at', 'bigint', (c) => c.notNull().defaultTo(0))
    .execute()
}

async function lapsedAtInvites(db: Db): Promise<void> {
  await db.schema
    .alterTable('remote_invites')
    .addColumn('lapsed', textType(db), (c) => c.notNull().defaultTo('[]'))
    .execute()
}

/** What several processes have to know of each other. */
async function acrossProcesses(db: Db): Promise<void> {
  await table(db, 'counters', { name: 'text', until: 'int', taken: 'int' }, ['name'])
  await index(db, 'counters', ['until'])
  await table(db, 'sync_turns', { member: 'text', device: 'text', process: 'text' }, [
    'member',
    'device',
  ])
}

/** Key documents that can be passed on, and keys that are known on the word of others. */
async function vouchedKeys(db: Db): Promise<void> {
  await table(
    db,
    'key_documents',
    { server: 'text', first_hand: 'int', document: 'text', seen_at: 'int' },
    ['server', 'first_hand'],
  )
  await table(
    db,
    'vouched_keys',
    {
      server: 'text',
      key_id: 'text',
      ed25519: 'text',
      vouched_by: 'text',
      denied: 'int',
      seen_at: 'int',
    },
    ['server', 'key_id'],
  )
  await index(db, 'events', ['room_id', 'origin'])
}
