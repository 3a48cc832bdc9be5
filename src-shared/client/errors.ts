/** What the engine's calls fail with: a closed set of codes, never user text (a subset of the IPC codes). */

export const engineErrorCodes = [
  'bad_input',
  'offline',
  'timeout',
  'homeserver_unreachable',
  'not_a_homeserver',
  'certificate',
  'wrong_password',
  'weak_password',
  'name_taken',
  'bad_name',
  'unknown_user',
  /** Somebody else answers under this name than the one that an invitation link pins. */
  'identity_mismatch',
  /** The server of the person who is meant does not answer the own one. */
  'peer_unreachable',
  /** Somebody else was to be named. */
  'yourself',
  'unknown_room',
  'signed_out',
  'not_allowed',
  'rate_limited',
  'too_large',
  'too_many_devices',
  'vault_damaged',
  'already_exists',
  'cancelled',
  'not_supported',
  'server_error',
  'internal',
  /** The store holds no account; only `openAccount` says this. */
  'no_account',
] as const
export type EngineErrorCode = (typeof engineErrorCodes)[number]

export class EngineError extends Error {
  override readonly name = 'EngineError'
  readonly code: EngineErrorCode
  /** Milliseconds until a new try makes sense, where known. */
  readonly retryAfter: number | undefined
  constructor(code: EngineErrorCode, retryAfter?: number) {
    super(`engine: ${code}`)
    this.code = code
    this.retryAfter = retryAfter
  }
}
