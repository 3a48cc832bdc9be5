/**
 * Where a server is (Federation §15): a configured address, the address its `.well-known` document names, or
 * its own name on port 8448. A certificate is always checked; plain HTTP needs the operator's flag and a
 * loopback address. Names that lead into the operator's own network are not followed.
 */
import * as z from 'zod'
import { parseServerName } from '../../src-shared/protocol/index.ts'
import { isLoopback } from '../config.ts'
import type { FederationConfig } from '../config.ts'
import type { Endpoint, Exchange } from './exchange.ts'
import type { Roots } from './roots.ts'

export const FEDERATION_PORT = 8448
const KEPT_MS = 60 * 60_000
const FAILED_MS = 10 * 60_000
const MAX_KNOWN = 10_000
const WELL_KNOWN_BYTES = 4096
const WELL_KNOWN_MS = 5000

const wellKnownSchema = z.looseObject({ 'm.server': z.string().max(263) })

export interface Directory {
  find(server: string): Promise<Endpoint>
}

/** `now` in milliseconds. */
export function createDirectory(
  config: FederationConfig,
  exchange: Exchange,
  roots: Pick<Roots, 'of'>,
  now: () => number,
): Directory {
  const known = new Map<string, { readonly until: number; readonly named: string | null }>()

  async function wellKnown(host: string): Promise<string | null> {
    const cached = known.get(host)
    const left = (cached?.until ?? 0) - now()
    // Further ahead than any answer is kept: the clock was set back.
    if (cached !== undefined && left > 0 && left <= KEPT_MS) return cached.named
    const named = await exchange
      .send(
        {
          host,
          port: 443,
          plain: false,
          certificateFor: host,
          roots: roots.of(null),
          trustedAddress: false,
        },
        {
          method: 'GET',
          path: '/.well-known/eccp/server',
          headers: {},
          body: new Uint8Array(),
          maxAnswer: WELL_KNOWN_BYTES,
          timeoutMs: WELL_KNOWN_MS,
        },
      )
      .then(({ status, body }) => (status === 200 ? readWellKnown(body) : null))
      .catch(() => null)
    known.delete(host)
    known.set(host, { until: now() + (named === null ? FAILED_MS : KEPT_MS), named })
    const [oldest] = known.keys()
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest)
    return named
  }

  return {
    async find(server) {
      const peer = Object.hasOwn(config.peers, server) ? config.peers[server] : undefined
      if (peer !== undefined) {
        const { host, port, plainHttp } = peer
        return {
          host,
          port,
          plain: plainHttp && config.plainHttpOnLoopback && isLoopback(host),
          certificateFor: parseServerName(server)?.host ?? server,
          roots: roots.of(server),
          trustedAddress: true,
        }
      }
      const parsed = parseServerName(server)
      if (parsed === null) throw new RangeError('not a server name')
      const at = (name: string): Endpoint => {
        const { host, port } = parseServerName(name) ?? parsed
        return {
          host,
          port: port ?? FEDERATION_PORT,
          plain: false,
          certificateFor: host,
          roots: roots.of(null),
          trustedAddress: false,
        }
      }
      if (parsed.port !== null || parsed.kind !== 'hostname') return at(server)
      return at((await wellKnown(parsed.host)) ?? server)
    },
  }
}

function readWellKnown(body: Uint8Array): string | null {
  try {
    const parsed = wellKnownSchema.safeParse(JSON.parse(new TextDecoder().decode(body)))
    const named = parsed.success ? parsed.data['m.server'] : ''
    return parseServerName(named) === null ? null : named
  } catch {
    return null
  }
}
