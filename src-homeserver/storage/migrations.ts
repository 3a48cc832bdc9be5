/** Versions of the schema, in order. A published migration never changes; a later one follows it. */
import { sql } from 'kysely'
import type { CreateTableBuilder } from 'kysely'
import type { Db } from './schema.ts'
import { StorageError } from './storage-error.ts'

type Migration = (db: Db) => Promise<void>

const migrations: readonly Migration[] = [firstSchema, federation, windows, firstSights]

/** Throws `StorageError('newer_schema')` and leaves the data as it is. */
export async function migrate(db: Db): Promise<void> {
  const version = await storedVersion(db)
  if (version > migrations.length) throw new StorageError('newer_schema')
  for (const [index, up] of migrations.entries()) {
    if (index < version) continue
    await db.transaction().execute(async (tx) => {
      await up(tx)
      await tx
        .insertInto('meta')
        .values({ key: 'schema_version', value: String(index + 1) })
        .onConflict((c) => c.column('key').doUpdateSet({ value: String(index + 1) }))
        .execute()
    })
  }
}

async function storedVersion(db: Db): Promise<number> {
  await db.schema
    .createTable('meta')
    .ifNotExists()
    .addColumn('key', 'text', (c) => c.primaryKey())
    .addColumn('value', 'text', (c) => c.notNull())
    .execute()
  const row = await db
    .selectFrom('meta')
    .select('value')
    .where('key', '=', 'schema_version')
    .executeTakeFirst()
  return row === undefined ? 0 : Number(row.value)
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
    const type = kind.startsWith('text') ? 'text' : 'bigint'
    builder = builder.addColumn(column, type, (c) => (kind.endsWith('?') ? c : c.notNull()))
  }
  await builder
    .addPrimaryKeyConstraint(`${name}_key`, [...primaryKey])
    .$call((b) =>
      db.getExecutor().adapter.supportsMultipleConnections ? b : b.modifyEnd(sql`without rowid`),
    )
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
    .addColumn('pos', 'integer', (c) => c.primaryKey().autoIncrement())
    .addColumn('kind', 'text', (c) => c.notNull())
    .addColumn('room_id', 'text')
    .addColumn('ref', 'text', (c) => c.notNull())
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
    .addColumn('server', 'text', (c) => c.notNull().defaultTo(''))
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
