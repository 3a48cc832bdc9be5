/**
 * Stock Chromium cannot load custom schemes, so `app://main/x` of a partition becomes
 * `https://main.app.<partition>-eccp.invalid/x`: a secure context whose origin is the same at
 * every start (IndexedDB belongs to it) and which no name server will ever resolve. Main only
 * ever sees the custom scheme.
 */
import { createHash } from 'node:crypto'

const SUFFIX = '-eccp.invalid'
const MAPPED = /^https:\/\/([a-z0-9.-]+)\.([a-z][a-z0-9]*)\.([a-z0-9-]+)-eccp\.invalid(?=[/?#]|$)/

/** A partition's label within a host name: readable where it can be, unique always. */
export function partitionLabel(partition: string): string {
  if (partition === '') return 'default'
  const name = partition.replace(/^persist:/, '')
  if (/^[a-z0-9]{1,24}$/.test(name) && name !== 'default') return name
  const digest = createHash('sha256').update(partition).digest('hex').slice(0, 12)
  const readable = name
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 24)
  return `${readable.replace(/^-+|-+$/g, '') || 'p'}-${digest}`
}

export class Origins {
  readonly #schemes = new Set<string>()

  /** Names a scheme that the app serves itself, without its colon. */
  register(scheme: string): void {
    if (!/^[a-z][a-z0-9]*$/.test(scheme)) throw new TypeError(`Unusable scheme: ${scheme}`)
    this.#schemes.add(scheme)
  }

  /** The address Chromium is given for `url`. */
  toChromium(url: string, label: string): string {
    const match = /^([a-z][a-z0-9]*):\/\/([^/?#]*)/i.exec(url)
    const scheme = match?.[1]?.toLowerCase()
    if (match === null || scheme === undefined || !this.#schemes.has(scheme)) return url
    const host = (match[2] ?? '').toLowerCase() || 'root'
    return `https://${host}.${scheme}.${label}${SUFFIX}${url.slice(match[0].length) || '/'}`
  }

  /** The address main sees for one of Chromium's. */
  fromChromium(url: string): string {
    const match = MAPPED.exec(url)
    if (match === null) return url
    return `${match[2] ?? ''}://${match[1] ?? ''}${url.slice(match[0].length)}`
  }

  /** The scheme and partition label of a mapped address, or null for any other. */
  mapped(url: string): { scheme: string; label: string } | null {
    const match = MAPPED.exec(url)
    return match === null ? null : { scheme: match[2] ?? '', label: match[3] ?? '' }
  }

  /** Rewrites the sources of a Content-Security-Policy that name a custom scheme. */
  policy(policy: string, label: string): string {
    return policy.replace(/[^\s;,]+/g, (token) => {
      const scheme = /^([a-z][a-z0-9]*):(\/\/.*)?$/i.exec(token)
      if (scheme === null || !this.#schemes.has((scheme[1] ?? '').toLowerCase())) return token
      if (scheme[2] === undefined) return `https://*.${scheme[1] ?? ''}.${label}${SUFFIX}`
      return this.toChromium(token, label).replace(/\/$/, token.endsWith('/') ? '/' : '')
    })
  }
}
