/** Which limit holds for which endpoint, and who is counted: the address before there is a token. */
import type { FastifyRequest } from 'fastify'
import type { RateLimitOptions } from '@fastify/rate-limit'
import type { EndpointName } from '../../src-shared/api/index.ts'
import type { Auth } from '../../src-shared/api/index.ts'
import type { Limit, RateLimits } from '../config.ts'
import { ApiError } from './api-error.ts'
import type { Caller } from './call.ts'

type LimitName = Exclude<keyof RateLimits, 'oneTimePrekeys'>

const OWN: Readonly<Partial<Record<EndpointName, LimitName>>> = {
  register: 'register',
  login: 'login',
  claimKeys: 'claimKeys',
  send: 'send',
  createRoom: 'send',
  toDevice: 'send',
  receipts: 'send',
}

export function rateLimitFor(
  name: EndpointName,
  auth: Auth,
  limits: RateLimits | null,
  callerOf: (request: FastifyRequest) => Caller | null,
): RateLimitOptions | false {
  if (limits === null) return false
  const which = OWN[name] ?? (auth === 'none' ? 'address' : 'device')
  const limit: Limit = limits[which]
  return {
    max: limit.max,
    timeWindow: limit.windowMs,
    groupId: which,
    hook: auth === 'none' ? 'onRequest' : 'preHandler',
    keyGenerator: (request) => {
      const caller = callerOf(request)
      return caller === null ? request.ip : `${caller.member}/${caller.device}`
    },
    errorResponseBuilder: (_request, found) =>
      new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: Math.max(1, Math.ceil(found.ttl)) }),
  }
}
