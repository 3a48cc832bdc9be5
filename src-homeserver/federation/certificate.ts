/**
 * The certificate that other servers are shown (Federation §15.1): read from its files, taken up anew when they
 * change, while connections go on; and how long it is good for, before somebody else finds out.
 */
import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import type { TlsFiles } from '../config.ts'
import { failure } from '../log.ts'
import type { Log } from '../log.ts'
import type { Metrics } from '../metrics.ts'

const DAY_MS = 24 * 60 * 60_000
/** Certificates are commonly renewed when a third of 90 days, or less, is left. */
const WARN_DAYS = 14
/** How often the files are looked at. */
const LOOK_MS = 60_000

export interface Pair {
  readonly cert: Buffer
  readonly key: Buffer
  readonly minVersion: 'TLSv1.2'
}

export interface Certificate {
  /** What a server begins with. */
  readonly pair: Pair
  /** From now on the files are looked at. */
  serve(server: { setSecureContext(pair: Pair): void }): void
  /** Looks at the files now. What does not fit together is not taken up. */
  reload(): void
  close(): void
}

export interface CertificateParts {
  readonly log: Log
  readonly metrics: Metrics
  readonly now: () => number
}

/** Throws the system's error, or that of a certificate or key that can't be used. */
export function openCertificate(files: TlsFiles, parts: CertificateParts): Certificate {
  const { log, metrics, now } = parts
  let pair = read(files)
  let until = validUntil(pair)
  let said = -Infinity
  let refused = ''
  let timer: NodeJS.Timeout | undefined
  let serving: { setSecureContext(pair: Pair): void } | null = null
  metrics.certificateEnds(() => (until - now()) / DAY_MS)

  function warn(): void {
    const days = Math.floor((until - now()) / DAY_MS)
    if (days >= WARN_DAYS || performance.now() - said < DAY_MS) return
    said = performance.now()
    if (days < 0) log.error({ days }, 'the certificate for other servers has expired')
    else log.warn({ days }, 'the certificate for other servers ends soon')
  }

  function reload(): void {
    try {
      const next = read(files)
      if (next.cert.equals(pair.cert) && next.key.equals(pair.key)) return
      serving?.setSecureContext(next)
      pair = next
      until = validUntil(pair)
      said = -Infinity
      refused = ''
      log.info({ days: Math.floor((until - now()) / DAY_MS) }, 'a new certificate is served')
    } catch (error) {
      // The one of the two files that is renewed first does not fit the other yet.
      const why = String(failure(error)['code'] ?? failure(error)['kind'])
      if (why !== refused) log.warn({ code: why }, 'the certificate files can not be used')
      refused = why
    }
  }

  warn()
  return {
    get pair() {
      return pair
    },
    serve(server) {
      serving = server
      timer = setInterval(() => {
        reload()
        warn()
      }, LOOK_MS).unref()
    },
    reload() {
      reload()
      warn()
    },
    close: () => clearInterval(timer),
  }
}

function read({ certificate, key }: TlsFiles): Pair {
  const pair = {
    cert: readFileSync(certificate),
    key: readFileSync(key),
    minVersion: 'TLSv1.2',
  } as const
  // Throws where they do not belong together.
  createSecureContext(pair)
  return pair
}

function validUntil({ cert }: Pair): number {
  return Date.parse(new X509Certificate(cert).validTo)
}
