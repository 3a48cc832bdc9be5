/** Which limit holds for which endpoint, and who is counted: the address before there is a token. */
import type { FastifyRequest } from 'fastify'
import { normalizeIP } from '@fastify/rate-limit'
import type { RateLimitOptions } from '@fastify/rate-limit'
import type { EndpointName } from '../../src-shared/api/index.ts'
import type { Auth } from '../../src-shared/api/index.ts'
import type { Limit, RateLimits } from '../config.ts'
import { ApiError } from './api-error.ts'
import type { Caller } from './call.ts'

/** One customer's network: whoever has one address of it has them all. */
export const IPV6_SUBNET = 64

type LimitName = Exclude<keyof RateLimits, 'oneTimePrekeys' | 'peer' | 'peerAddress'>

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
  if (auth === 'none') return byAddress(which, limits[which])
  return {
    ...shared(which, limits[which]),
    hook: 'preHandler',
    keyGenerator: (request) => {
      const caller = callerOf(request)
      return caller === null ? addressOf(request) : `${caller.member}/${caller.device}`
    },
  }
}

/** For what is served beside the contract's endpoints. */
export function publicRateLimit(limits: RateLimits | null): RateLimitOptions | false {
  return limits === null ? false : byAddress('address', limits.address)
}

function byAddress(which: LimitName, limit: Limit): RateLimitOptions {
  return { ...shared(which, limit), hook: 'onRequest', keyGenerator: addressOf }
}

function shared(which: LimitName, limit: Limit): RateLimitOptions {
  return {
    max: limit.max,
    timeWindow: limit.windowMs,
    groupId: which,
    errorResponseBuilder: (_request, found) =>
      new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: Math.max(1, Math.ceil(found.ttl)) }),
  }
}

function addressOf(request: FastifyRequest): string {
  return normalizeIP(request.ip, IPV6_SUBNET)
}
