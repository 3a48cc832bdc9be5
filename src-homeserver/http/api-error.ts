/** What a handler throws to answer with an error of the API. The text is fixed: nothing of the caller's. */
import { statusOf } from '../../src-shared/api/index.ts'
import type { Errcode, ErrorBody } from '../../src-shared/api/index.ts'

const TEXTS: Readonly<Record<Errcode, string>> = {
  M_BAD_JSON: 'The body is not what this endpoint takes.',
  M_NOT_JSON: 'The body is not strict JSON.',
  M_INVALID_PARAM: 'A parameter is malformed or out of range.',
  M_MISSING_TOKEN: 'An access token is needed.',
  M_UNKNOWN_TOKEN: 'The access token is unknown or has ended.',
  M_FORBIDDEN: 'Not allowed.',
  M_NOT_FOUND: 'Not found.',
  M_UNRECOGNIZED: 'There is no such endpoint.',
  M_LIMIT_EXCEEDED: 'Too many requests; try again later.',
  M_TOO_LARGE: 'The request is too large.',
  M_USER_IN_USE: 'This name is taken.',
  M_INVALID_USERNAME: 'This is not a possible name.',
  M_WEAK_PASSWORD: 'The password is too short.',
  M_REGISTRATION_CLOSED: 'This node takes no new accounts like this.',
  M_UNKNOWN: 'Something went wrong in the node.',
  E_HEAD_CONFLICT: 'The manifest has moved on.',
  E_BAD_ENTRY: 'The manifest entry breaks a rule of the log.',
  E_CLOCK_SKEW: 'The clocks of device and node differ too much.',
  E_DEVICE_PENDING: 'This device has not been approved yet.',
  E_DEVICE_REMOVED: 'This device has been removed.',
  E_ROSTER_MISMATCH: 'The room has other members or devices now.',
  E_STATE_CONFLICT: 'The state of the room has changed.',
  E_BAD_ENVELOPE: 'The envelope, its signature, body or wraps are wrong.',
  E_UNAUTHORIZED_EVENT: 'The rules of the room refuse this.',
  E_TXN_REUSED: 'The transaction id was used for something else.',
  E_FEDERATION_UNAVAILABLE: 'This node does not speak with that one.',
  E_PEER_UNREACHABLE: 'The other node does not answer now.',
  E_BAD_SIGNATURE: 'The request is not signed as it must be.',
  E_SYNC_RESET: 'The position is not known here; start anew.',
  E_STORAGE_FULL: 'The node has no room for this now; try again later.',
  E_STORAGE_UNAVAILABLE: 'The node can not reach its data now; try again later.',
}

export type ErrorDetails = Omit<ErrorBody, 'errcode' | 'error'>

export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly errcode: Errcode
  readonly details: ErrorDetails

  constructor(errcode: Errcode, details: ErrorDetails = {}) {
    super(errcode)
    this.errcode = errcode
    this.details = details
  }

  get statusCode(): number {
    return statusOf[this.errcode]
  }

  body(): ErrorBody {
    return { errcode: this.errcode, error: TEXTS[this.errcode], ...this.details }
  }
}
