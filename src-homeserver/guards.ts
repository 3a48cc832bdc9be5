/**
 * The checks that keep a node from believing other servers, each by its name. A node holds all of them; a test may
 * take one away through `World`, to see that something notices (`testing/weakened.ts`). Neither command line nor
 * configuration leads here.
 */
import { decodePdu } from '../src-shared/protocol/index.ts'
import type { AcceptCode, Crypto, Json } from '../src-shared/protocol/index.ts'

type Decoded = ReturnType<typeof decodePdu>

/** Beside the codes of acceptance (Room state §7), which are guards by their own names. */
export const ownGuards = [
  // Requests (Federation §15)
  'request_signature',
  'request_ends',
  'request_time',
  'request_key',
  'request_replay',
  'body_size',
  'strict_json',
  'transactions_in_line',
  // Keys
  'key_document',
  'key_change',
  'vouched_gone',
  'vouched_document',
  'vouched_majority',
  'vouched_request',
  // Events, their bodies and wraps
  'wrong_body',
  'unknown_origin_key',
  'missing_events',
  'fetch_budget',
  'rests_on_rejected',
  'unknown_room',
  'too_many_ends',
  'soft_failure',
  'envelope_repeated',
  'resolution',
  'wrap_origin',
  'wrap_home',
  // Invitations
  'invite_origin',
  'invite_state',
  'invite_auth',
  // Everything else that is told
  'receipt_origin',
  'receipt_signature',
  'to_device_origin',
  'to_device_sender',
  'manifest_origin',
  'manifest_rollback',
  'profile_origin',
  'typing_origin',
  // What is given away
  'room_view',
  'body_view',
  'key_view',
  // Answers
  'answer_size',
  'answer_deadline',
  // Versions (Federation §15.1)
  'version_answer',
  'common_version',
] as const

export type GuardName = (typeof ownGuards)[number] | AcceptCode

export interface Guards {
  /** Whether a check holds, given what it found. */
  holds(name: GuardName, found: boolean): boolean
  /** An event as it came off the wire, with every hash in it checked. */
  decode(crypto: Crypto, pdu: Json): Decoded
}

export const allGuards: Guards = {
  holds: (_name, found) => found,
  decode: decodePdu,
}
