/**
 * Error answers of the API: `{errcode, error}` with a stable code; `error` is for people and never
 * contains a stack, a secret or what the caller sent.
 */
import * as z from 'zod'

export const errcodes = [
  'M_BAD_JSON',
  'M_NOT_JSON',
  'M_INVALID_PARAM',
  'M_MISSING_TOKEN',
  'M_UNKNOWN_TOKEN',
  'M_FORBIDDEN',
  'M_NOT_FOUND',
  'M_UNRECOGNIZED',
  'M_LIMIT_EXCEEDED',
  'M_TOO_LARGE',
  'M_USER_IN_USE',
  'M_INVALID_USERNAME',
  'M_WEAK_PASSWORD',
  'M_REGISTRATION_CLOSED',
  'M_UNKNOWN',
  /** The manifest head moved on; the answer carries `head` and `height`. Sign again on top of it. */
  'E_HEAD_CONFLICT',
  /** A manifest entry that breaks a rule of the log; `rule` names it. */
  'E_BAD_ENTRY',
  /** `ts` of a login proof is too far from the node's clock; the answer carries `server_time`. */
  'E_CLOCK_SKEW',
  /** The token belongs to a device that is not approved yet. */
  'E_DEVICE_PENDING',
  'E_DEVICE_REMOVED',
  /** The envelope's roster is not the room's; the answer carries `roster`. Seal again. */
  'E_ROSTER_MISMATCH',
  /** `replaces` or `basis` is not the room's current state; seal again. */
  'E_STATE_CONFLICT',
  /** Hash, signature, sequence or schema of the submission is wrong. */
  'E_BAD_ENVELOPE',
  /** The room's rules refuse it; `rule` names the rule. */
  'E_UNAUTHORIZED_EVENT',
  /** The same transaction id was used for other bytes. */
  'E_TXN_REUSED',
  /** Someone or something on another server is named, with which this node does not speak: by policy, or for want of a version. */
  'E_FEDERATION_UNAVAILABLE',
  /** The other server does not answer now; asking again later may help. */
  'E_PEER_UNREACHABLE',
  /** Signature, key, ends or nonce of a request between servers is wrong. */
  'E_BAD_SIGNATURE',
  /** `since` is not of this node, from its future, or older than what it keeps: sync without it. */
  'E_SYNC_RESET',
  /** The node can't reach its data now. What was asked may or may not have been done: ask again, in the same words. */
  'E_STORAGE_UNAVAILABLE',
  /** The node has no room for it now. Nothing was done: ask again later, in the same words. */
  'E_STORAGE_FULL',
] as const
export type Errcode = (typeof errcodes)[number]

export const errorBodySchema = z.looseObject({
  errcode: z.enum(errcodes),
  error: z.string().max(512),
  retry_after_ms: z.int().nonnegative().optional(),
  rule: z.string().max(64).optional(),
  /** With `seq_reused`: the lowest sequence number still free for this device in this room. */
  next_seq: z.int().nonnegative().optional(),
  server_time: z.int().nonnegative().optional(),
  head: z.string().max(64).optional(),
  height: z.int().nonnegative().optional(),
  roster: z.array(z.object({ member: z.string(), head: z.string() })).optional(),
})
export type ErrorBody = z.infer<typeof errorBodySchema>

/** HTTP status of each code. */
export const statusOf: Record<Errcode, number> = {
  M_BAD_JSON: 400,
  M_NOT_JSON: 400,
  M_INVALID_PARAM: 400,
  M_MISSING_TOKEN: 401,
  M_UNKNOWN_TOKEN: 401,
  M_FORBIDDEN: 403,
  M_NOT_FOUND: 404,
  M_UNRECOGNIZED: 404,
  M_LIMIT_EXCEEDED: 429,
  M_TOO_LARGE: 413,
  M_USER_IN_USE: 409,
  M_INVALID_USERNAME: 400,
  M_WEAK_PASSWORD: 400,
  M_REGISTRATION_CLOSED: 403,
  M_UNKNOWN: 500,
  E_HEAD_CONFLICT: 409,
  E_BAD_ENTRY: 400,
  E_CLOCK_SKEW: 403,
  E_DEVICE_PENDING: 403,
  E_DEVICE_REMOVED: 401,
  E_ROSTER_MISMATCH: 409,
  E_STATE_CONFLICT: 409,
  E_BAD_ENVELOPE: 400,
  E_UNAUTHORIZED_EVENT: 403,
  E_TXN_REUSED: 409,
  E_FEDERATION_UNAVAILABLE: 422,
  E_PEER_UNREACHABLE: 504,
  E_BAD_SIGNATURE: 401,
  E_SYNC_RESET: 409,
  E_STORAGE_UNAVAILABLE: 503,
  E_STORAGE_FULL: 507,
}
