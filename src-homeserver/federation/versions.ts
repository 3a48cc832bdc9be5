/**
 * Which version of the API is spoken with each other server (Federation §15.1): asked for before anything signed is said,
 * and kept for a while. It knows what a server offers, not what is said to it.
 */
import { commonVersion, FEDERATION_VERSIONS } from '../../src-shared/api/index.ts'
import type { FederationVersion } from '../../src-shared/api/index.ts'

/** Nobody asks at each request. */
const KEPT_MS = 60 * 60_000
/** What has failed since, or where there was none to speak: asked again, and still not at each request. */
const DOUBTED_MS = 60_000
const MAX_KNOWN = 10_000

export interface Spoken {
  /** Null where there is none in common. */
  readonly version: FederationVersion | null
  /** By the other server. */
  readonly offered: readonly string[]
}

export interface VersionBook {
  /** Rejects as `ask` does. */
  with(server: string): Promise<Spoken>
  /** Something that was said to the server failed: it may be another one by now. */
  doubt(server: string): void
  /** The server has asked something in a version that is known here. */
  heard(server: string): void
}

interface Known extends Spoken {
  readonly at: number
  readonly doubted: boolean
}

/** `ask`: what a server offers now. `now` in milliseconds. */
export function createVersionBook(
  ask: (server: string) => Promise<readonly string[]>,
  now: () => number,
): VersionBook {
  const known = new Map<string, Known>()
  const asking = new Map<string, Promise<Spoken>>()

  async function askAnew(server: string): Promise<Spoken> {
    const offered = await ask(server)
    const version = commonVersion(FEDERATION_VERSIONS, offered)
    known.delete(server)
    known.set(server, { version, offered, at: now(), doubted: version === null })
    const [oldest] = known.keys()
    if (known.size > MAX_KNOWN && oldest !== undefined) known.delete(oldest)
    return { version, offered }
  }

  return {
    async with(server) {
      const last = known.get(server)
      if (last !== undefined) {
        const age = now() - last.at
        // Before it was asked: the clock was set back.
        if (age >= 0 && age < (last.doubted ? DOUBTED_MS : KEPT_MS)) return last
      }
      const under = asking.get(server) ?? askAnew(server).finally(() => asking.delete(server))
      asking.set(server, under)
      return under
    },
    doubt(server) {
      const last = known.get(server)
      if (last !== undefined) known.set(server, { ...last, doubted: true })
    },
    heard(server) {
      if (known.get(server)?.version === null) known.delete(server)
    },
  }
}
