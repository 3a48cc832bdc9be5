/** What a refused or unanswered call means to the person who asked for it. */
import { EngineError } from '../errors.ts'
import type { EngineErrorCode } from '../errors.ts'
import { Unanswered } from './api-client.ts'
import type { Answer, Refusal, UnansweredCode } from './api-client.ts'
import type { EndpointName, Errcode, Response } from '../../api/index.ts'

const OF_ERRCODE: Partial<Record<Errcode, EngineErrorCode>> = {
  M_MISSING_TOKEN: 'signed_out',
  M_UNKNOWN_TOKEN: 'signed_out',
  E_DEVICE_REMOVED: 'signed_out',
  E_DEVICE_PENDING: 'not_allowed',
  M_FORBIDDEN: 'not_allowed',
  E_UNAUTHORIZED_EVENT: 'not_allowed',
  M_LIMIT_EXCEEDED: 'rate_limited',
  M_TOO_LARGE: 'too_large',
  M_USER_IN_USE: 'name_taken',
  M_INVALID_USERNAME: 'bad_name',
  M_WEAK_PASSWORD: 'weak_password',
  M_REGISTRATION_CLOSED: 'not_allowed',
  M_INVALID_PARAM: 'bad_input',
  M_BAD_JSON: 'bad_input',
  M_UNRECOGNIZED: 'not_supported',
  E_FEDERATION_UNAVAILABLE: 'not_supported',
}

const OF_SILENCE: Record<UnansweredCode, EngineErrorCode> = {
  unreachable: 'homeserver_unreachable',
  timeout: 'timeout',
  certificate: 'certificate',
  too_large: 'too_large',
  cancelled: 'cancelled',
  server_error: 'server_error',
  peer_unreachable: 'peer_unreachable',
  not_a_homeserver: 'not_a_homeserver',
}

export function refusalError(
  refusal: Refusal,
  special: Partial<Record<Errcode, EngineErrorCode>> = {},
): EngineError {
  const code = special[refusal.errcode] ?? OF_ERRCODE[refusal.errcode] ?? 'server_error'
  return new EngineError(code, refusal.retryAfter > 0 ? refusal.retryAfter : undefined)
}

export function silenceError(error: Unanswered): EngineError {
  return new EngineError(OF_SILENCE[error.code])
}

/** For calls made while a person waits: the value, or an `EngineError`. */
export async function expectAnswer<N extends EndpointName>(
  call: Promise<Answer<N>>,
  special: Partial<Record<Errcode, EngineErrorCode>> = {},
): Promise<Response<N>> {
  let answer: Answer<N>
  try {
    answer = await call
  } catch (error) {
    if (error instanceof Unanswered) throw silenceError(error)
    throw error
  }
  if (answer.ok) return answer.value
  throw refusalError(answer.refusal, special)
}
