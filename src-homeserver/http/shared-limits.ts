/**
 * Limits on what costs most and is tried by guessing, counted for all processes of a node together. The others
 * are counted by each process for itself: with n processes they are n times as wide, which is bounded.
 */
import { normalizeIP } from '@fastify/rate-limit'
import type { EndpointName } from '../../src-shared/api/index.ts'
import type { RateLimits } from '../config.ts'
import type { Storage } from '../storage/index.ts'
import { ApiError } from './api-error.ts'
import { IPV6_SUBNET } from './rate-limit.ts'

const SHARED = new Set<EndpointName>(['login', 'register'])
const MAX_KNOWN = 50_000

export interface SharedLimits {
  /** Throws `ApiError('M_LIMIT_EXCEEDED')`. */
  check(name: EndpointName, address: string): Promise<void>
}

export function createSharedLimits(
  storage: Pick<Storage, 'shared' | 'count'>,
  limits: RateLimits | null,
  now: () => number,
): SharedLimits {
  /** Who has had their share, until when: their further tries cost the database nothing. */
  const over = new Map<string, number>()

  function refuse(until: number): never {
    throw new ApiError('M_LIMIT_EXCEEDED', { retry_after_ms: Math.max(1, until - now()) })
  }

  return {
    async check(name, address) {
      if (limits === null || !storage.shared || !SHARED.has(name)) return
      const { max, windowMs } = name === 'login' ? limits.login : limits.register
      const key = `${name}/${normalizeIP(address, IPV6_SUBNET)}`
      const known = over.get(key)
      if (known !== undefined && known > now()) refuse(known)
      over.delete(key)
      const { taken, until } = await storage.count(key, windowMs, now())
      if (taken <= max) return
      over.set(key, until)
      const [oldest] = over.keys()
      if (over.size > MAX_KNOWN && oldest !== undefined) over.delete(oldest)
      refuse(until)
    },
  }
}
