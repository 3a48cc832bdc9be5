/**
 * The tables as Kysely sees them. Only types that SQLite and PostgreSQL share: text and integers;
 * JSON is text, truth is 0 or 1, byte strings are kept in their wire form (base64url).
 *
 * A *position* counts everything that happened on this node; it never goes back (Sync §8). A *member*
 * is an account fingerprint. Tables of rooms hold members of any server.
 */
import type { Generated, Kysely, Selectable } from 'kysely'

export type Db = Kysely<Schema>

interface Meta {
  key: string
  value: string
}

interface Accounts {
  member: string
  name: string
  user_id: string
  password_hash: string
  display_name: string
  admin: number
  created_at: number
  head: string
  height: number
  /** Feed entries up to here are gone; an older `since` can't be served. */
  feed_floor: number
}

interface RegistrationTokens {
  token_hash: string
  /** The only name the token is good for, or null. */
  name: string | null
  uses_left: number
  admin: number
  created_at: number
}

interface ManifestEntries {
  member: string
  height: number
  hash: string
  /** Canonical JSON of the signed entry. */
  entry: string
  /** First sight by this node; 0: before it kept such times. */
  seen_at: Generated<number>
}

interface Devices {
  member: string
  device: string
  /** Canonical JSON of the public keys. */
  keys: string
  name: string | null
  status: 'active' | 'pending' | 'removed'
  requested_at: number | null
  last_seen: number | null
  /** The last position the device said it has stored. */
  acked: number
  /** Position of its last start from nothing: earlier wraps outlive `acked`. */
  baseline: number
}

interface Tokens {
  token_hash: string
  member: string
  device: string
  created_at: number
  expires_at: number | null
}

interface Prekeys {
  member: string
  device: string
  kind: 'signed' | 'kem' | 'one_time'
  prekey_id: string
  /** JSON of the public prekey; null once claimed. The id stays, so that it can't come back. */
  prekey: string | null
  stored_at: number
}

interface Pairings {
  member: string
  device: string
  step: 'start' | 'answer' | 'reveal' | 'verdict'
  message: string
  stored_at: number
}

interface Rooms {
  room_id: string
  /** The id's opaque part: the create envelope's id. */
  opaque: string
  visibility: string
  created_at: number
  /** Position of the last marker of kind `state`; 0 where there was none. */
  restated_at: Generated<number>
}

interface Events {
  event_id: string
  room_id: string
  /** Node order: the position of arrival; negative for what is fetched backwards. */
  pos: number
  envelope_id: string
  type: string
  state_key: string | null
  /** `membership` of an `e.room.member`. */
  membership: string | null
  member: string
  device: string | null
  seq: number | null
  origin: string
  origin_ts: number
  /** JSON of the Pdu without its body. */
  pdu: string
  /** Base64url; null once redacted. */
  body: string | null
  redacted_by: string | null
  /** Breaks the rules at its own place: kept, never shown, never part of the state. */
  rejected: number
  /** Good at its own place, but not by the state as it was here when it came: never shown. */
  soft_failed: Generated<number>
  /** Was the graph's only end when it came: the state after it is the one stored at its position. */
  sole: Generated<number>
  /** When the body is to be gone. */
  expires_at: number | null
}

interface EventEdges {
  event_id: string
  kind: 'prev' | 'auth'
  ord: number
  parent_id: string
}

interface Extremities {
  room_id: string
  event_id: string
}

/** Resolved state as it changed over time on this node; the last change of a key is its current one. */
interface StateChanges {
  room_id: string
  type: string
  state_key: string
  pos: number
  /** Empty: nothing stands under the key any more. */
  event_id: string
  current: number
}

interface Memberships {
  room_id: string
  member: string
  membership: 'invite' | 'join' | 'leave' | 'ban' | 'knock'
  user_id: string
  /** Whether the member's account lives on this node. */
  local: number
  server: string
  event_id: string
  pos: number
  /** Position of what moves the room up in the member's list: its latest message, or how it came in. */
  latest: Generated<number>
}

/** Rooms that windows have shown to a device, and that nothing was left out of since. */
interface WindowRooms {
  member: string
  device: string
  room_id: string
  /** The position of the answer that showed it. */
  shown_at: number
  /** Where the timeline of that answer began. */
  first_pos: number
  /** Whether the state came whole, or with a part of the members. */
  whole: number
}

interface Wraps {
  member: string
  device: string
  event_id: string
  pos: number
  wrap: string
}

interface ToDevice {
  member: string
  device: string
  pos: number
  id: string
  sender_member: string
  sender_user: string
  message: string
}

interface Receipts {
  room_id: string
  envelope_id: string
  kind: string
  member: string
  device: string
  pos: number
  receipt: string
}

interface Txns {
  member: string
  device: string
  scope: string
  txn: string
  digest: string
  answer: string
  stored_at: number
}

interface ServerKeys {
  server: string
  key_id: string
  ed25519: string
  since: number
  until: number | null
  seen_at: number
}

/** Key documents as they came: the latest from the server itself, and one that others have vouched for. */
interface KeyDocuments {
  server: string
  first_hand: number
  /** JSON, members that are not known here included. */
  document: string
  seen_at: number
}

/** Keys of servers that do not answer, on the word of others: for events, never for requests. */
interface VouchedKeys {
  server: string
  key_id: string
  ed25519: string
  /** JSON: the servers that have said so. */
  vouched_by: string
  /** The server itself does not name it: nothing new is taken under it. */
  denied: number
  seen_at: number
}

/** Accounts of other servers, as far as their manifests were fetched and verified. */
interface RemoteAccounts {
  member: string
  user_id: string
  head: string
  height: number
  display_name: string
  seen_at: number
}

/** Invitations into rooms that nobody here is in. */
interface RemoteInvites {
  room_id: string
  member: string
  pos: number
  /** Who sent it, and so knows the room. */
  server: string
  /** JSON of the Pdus that show what the room is, the invitation last. */
  state: string
  /** JSON of the ids of those under whose keys nothing is current any more. */
  lapsed: string
}

/** What waits for another server, in order. */
interface Outbox {
  destination: string
  seq: number
  /** Names the item to its receiver, who takes it once. */
  id: string
  kind: string
  /** JSON; of an event only its id and this destination's wraps. */
  item: string
  stored_at: number
}

/** Items of other servers that were taken: they may come again. */
interface InboundItems {
  origin: string
  id: string
  stored_at: number
}

/** Names that may be used once until their time is over: where one process's memory is not all there is. */
interface SeenOnce {
  name: string
  until: number
}

interface CounterRow {
  name: string
  until: number
  taken: number
}

/** Which process a device's sync with windows is at. */
interface SyncTurn {
  member: string
  device: string
  process: string
}

/** `state`: an event, which `ref` names, has changed more of its room's state than those who follow can see. */
export type StreamKind =
  | 'invite'
  | 'event'
  | 'state'
  | 'receipt'
  | 'to_device'
  | 'manifest'
  | 'profile'
  | 'account'
  | 'prekeys'

/** Everything that happened, once. `ref` names it: an event id, a member, … by `kind`. */
interface Stream {
  pos: Generated<number>
  kind: StreamKind
  room_id: string | null
  ref: string
  stored_at: number
}

/** Whom it concerns: one row per account here, so that catching up costs what happened, not what exists. */
interface Feed {
  member: string
  pos: number
  /** Empty: every device of the account. */
  device: string
}

export interface Schema {
  meta: Meta
  accounts: Accounts
  registration_tokens: RegistrationTokens
  manifest_entries: ManifestEntries
  devices: Devices
  tokens: Tokens
  prekeys: Prekeys
  pairings: Pairings
  rooms: Rooms
  events: Events
  event_edges: EventEdges
  extremities: Extremities
  state_changes: StateChanges
  memberships: Memberships
  window_rooms: WindowRooms
  wraps: Wraps
  to_device: ToDevice
  receipts: Receipts
  txns: Txns
  stream: Stream
  feed: Feed
  server_keys: ServerKeys
  key_documents: KeyDocuments
  vouched_keys: VouchedKeys
  remote_accounts: RemoteAccounts
  remote_invites: RemoteInvites
  outbox: Outbox
  inbound_items: InboundItems
  seen_once: SeenOnce
  counters: CounterRow
  sync_turns: SyncTurn
}

export type Row<T extends keyof Schema> = Selectable<Schema[T]>
