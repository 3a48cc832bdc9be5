/**
 * The root certificates that other servers' are held against, where the operator has named some (Federation §15.1):
 * read from their files, and taken up anew when those change. What does not read leaves what was there.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { FederationConfig } from '../config.ts'
import { failure } from '../log.ts'
import type { Log } from '../log.ts'

/** How often the files are looked at. */
const LOOK_MS = 60_000
const CERTIFICATE = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

export interface Roots {
  /** PEM roots for this server, or for all who have none of their own; null: the system's. */
  of(server: string | null): string | null
  /** Looks at the files now. */
  reload(): void
  close(): void
}

class RootsError extends Error {
  override readonly name = 'RootsError'
  readonly code = 'no_certificate'
}

/** Throws the system's error, or one for a file without a certificate: it must not come to mean the system's roots. */
export function openRoots(
  { rootFile, peers }: Pick<FederationConfig, 'rootFile' | 'peers'>,
  log: Log,
): Roots {
  const own = new Map(Object.entries(peers).map(([name, peer]) => [name, peer.rootFile]))
  const files = new Set([rootFile, ...own.values()].filter((file) => file !== null))
  const known = new Map([...files].map((file) => [file, read(file)]))
  let refused = ''

  function reload(): void {
    for (const file of files)
      try {
        const next = read(file)
        if (next === known.get(file)) continue
        known.set(file, next)
        refused = ''
        log.info({ roots: next.match(CERTIFICATE)?.length }, 'new root certificates are trusted')
      } catch (error) {
        const why = String(failure(error)['code'] ?? failure(error)['kind'])
        if (why !== refused) log.warn({ code: why }, 'the root certificates can not be used')
        refused = why
      }
  }

  const timer = files.size === 0 ? undefined : setInterval(reload, LOOK_MS).unref()
  return {
    of(server) {
      const file = (server === null ? null : own.get(server)) ?? rootFile
      return file === null ? null : (known.get(file) ?? null)
    },
    reload,
    close: () => clearInterval(timer),
  }
}

function read(file: string): string {
  const text = readFileSync(file, 'utf8')
  const found = text.match(CERTIFICATE) ?? []
  if (found.length === 0) throw new RootsError(`${file} holds no certificate`)
  // Throws where it is none.
  for (const one of found) void new X509Certificate(one)
  return text
}
