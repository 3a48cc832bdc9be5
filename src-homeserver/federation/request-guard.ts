/**
 * Who asks (Federation §15): a request counts when it is for this server, from one that it speaks with, signed
 * by that server's present key, of now, and has not been seen before.
 */
import {
  parseServerAuthorization,
  SERVER_SKEW_MS,
  verifyServerRequest,
} from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import { isAdmitted } from './admission.ts'
import { PeerError } from './peer-calls.ts'

export interface Asked {
  readonly method: string
  /** With its query, as it came. */
  readonly path: string
  readonly authorization: string | undefined
  readonly body: Uint8Array
}

export interface RequestGuard {
  /** The server that asks. Throws `ApiError`. */
  check(asked: Asked): Promise<string>
}

export function createRequestGuard(context: Context): RequestGuard {
  // What was said to the process before this one is not remembered, so nothing of that time counts.
  let startedAt = context.now()

  async function remember(name: string, now: number): Promise<void> {
    const outcome = await context.storage.takeName(name, now + 2 * SERVER_SKEW_MS, now)
    if (!context.guards.holds('request_replay', outcome !== 'again'))
      throw new ApiError('E_BAD_SIGNATURE', { rule: 'replayed' })
    if (outcome === 'full') throw new ApiError('M_LIMIT_EXCEEDED')
  }

  return {
    async check({ method, path, authorization, body }) {
      const { config, crypto, guards } = context
      if (authorization === undefined || authorization === '') throw new ApiError('M_MISSING_TOKEN')
      const said = parseServerAuthorization(authorization)
      if (said === null) throw new ApiError('E_BAD_SIGNATURE', { rule: 'malformed' })
      const { origin, destination, keyId, ts, nonce, sig } = said
      const between = destination === config.serverName && origin !== config.serverName
      if (!guards.holds('request_ends', between))
        throw new ApiError('E_BAD_SIGNATURE', { rule: 'wrong_ends' })
      if (!isAdmitted(config.federation, origin)) throw new ApiError('M_FORBIDDEN')
      const now = context.now()
      // It was set back: the beginning must not lie ahead for ever.
      if (now < startedAt) startedAt = now
      const ofNow = Math.abs(now - ts) <= SERVER_SKEW_MS && ts >= startedAt - SERVER_SKEW_MS / 10
      if (!ofNow) context.metrics.peerAlarm('clock_skew')
      if (!guards.holds('request_time', ofNow))
        throw new ApiError('E_CLOCK_SKEW', { server_time: now })
      const known = await context.serverKeys
        .find(origin, keyId, 'request')
        .catch((error: unknown) => {
          if (error instanceof PeerError) return null
          throw error
        })
      if (known === null || !guards.holds('request_key', known.current))
        throw new ApiError('E_BAD_SIGNATURE', { rule: 'unknown_key' })
      const request = { method, path, origin, destination, body, ts, nonce }
      const signed = verifyServerRequest(crypto, known.key, request, sig)
      if (!guards.holds('request_signature', signed))
        throw new ApiError('E_BAD_SIGNATURE', { rule: 'bad_signature' })
      // After the signature: nobody else can use up a server's nonces.
      await remember(`${origin} ${nonce}`, now)
      return origin
    },
  }
}
