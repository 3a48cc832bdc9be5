/** How a node is set up: every choice as one value, with its defaults. Where it comes from is `config-file.ts`. */
import { isIPv4 } from 'node:net'
import { syncStream } from '../src-shared/api/index.ts'

export interface Listen {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
}

/** Requests allowed in a window; by address for those without a token, by device for the others. */
export interface Limit {
  readonly max: number
  readonly windowMs: number
}

export interface RateLimits {
  readonly register: Limit
  readonly login: Limit
  readonly claimKeys: Limit
  /** Sending to rooms and devices. */
  readonly send: Limit
  /** Everything else with a token. */
  readonly device: Limit
  /** Everything else without one. */
  readonly address: Limit
  /** One-time prekeys of one device that one account may claim. */
  readonly oneTimePrekeys: Limit
  /** Requests of one other server: apart from those of clients, so that neither starves the other. */
  readonly peer: Limit
  /** Federation requests of one address before it is known who asks. */
  readonly peerAddress: Limit
}

const minute = 60_000

export const defaultRateLimits: RateLimits = {
  register: { max: 60, windowMs: 10 * minute },
  login: { max: 60, windowMs: 5 * minute },
  claimKeys: { max: 300, windowMs: minute },
  send: { max: 1200, windowMs: minute },
  device: { max: 3000, windowMs: minute },
  address: { max: 1200, windowMs: minute },
  oneTimePrekeys: { max: 20, windowMs: 60 * minute },
  peer: { max: 3000, windowMs: minute },
  peerAddress: { max: 6000, windowMs: minute },
}

export interface PasswordCost {
  /** KiB. */
  readonly memoryCost: number
  readonly timeCost: number
}

export interface TlsFiles {
  /** PEM file of the certificate and its chain. */
  readonly certificate: string
  readonly key: string
}

export interface PeerAddress extends Listen {
  /** PEM file of the only root for this peer; null: those of everyone else. */
  readonly rootFile: string | null
  readonly plainHttp: boolean
}

export interface FederationConfig {
  readonly mode: 'open' | 'allow_list' | 'isolated'
  /** Server names; counts in `allow_list`. */
  readonly allow: readonly string[]
  /** Where other nodes are served; null: nowhere. */
  readonly listen: Listen | null
  /** Null: plain HTTP, on loopback. */
  readonly tls: TlsFiles | null
  /** The explicit flag without which nothing is said or heard in the clear. */
  readonly plainHttpOnLoopback: boolean
  /** Addresses of servers that are not looked up. */
  readonly peers: Readonly<Record<string, PeerAddress>>
  /** PEM file of roots trusted instead of the system's. */
  readonly rootFile: string | null
  /** Null: the signing key changes by command alone. */
  readonly keyRotationMs: number | null
  /** Rounds the size of what is sent up, so that it tells less. */
  readonly metadataPadding: boolean
  readonly retry: { readonly firstMs: number; readonly maxMs: number }
}

export const isolated: FederationConfig = {
  mode: 'isolated',
  allow: [],
  listen: null,
  tls: null,
  plainHttpOnLoopback: false,
  peers: {},
  rootFile: null,
  keyRotationMs: null,
  metadataPadding: true,
  retry: { firstMs: 1000, maxMs: 60 * minute },
}

/** An address that no other machine reaches. */
export function isLoopback(host: string): boolean {
  return host === '::1' || host === 'localhost' || (isIPv4(host) && host.startsWith('127.'))
}

export interface NodeConfig {
  readonly serverName: string
  /** Where clients reach the node from outside; null where only `listen` is known. */
  readonly publicBaseUrl: string | null
  readonly dataDir: string
  /** URL of a PostgreSQL database, with its password; null: SQLite in the data folder. */
  readonly database: string | null
  /** Bytes that the SQLite database may grow to; null: as much as there is. */
  readonly maxDatabaseBytes: number | null
  readonly listen: Listen
  /** Metrics for operators; null: nowhere. */
  readonly adminListen: Listen | null
  readonly registration: 'open' | 'closed' | 'token'
  /** Name of the account that becomes the first administrator. */
  readonly bootstrapAdmin: string | null
  /** Null: none, for tests. */
  readonly rateLimits: RateLimits | null
  readonly passwordCost: PasswordCost
  /** Null: tokens end with logout or removal only. */
  readonly tokenLifetimeMs: number | null
  /** Take the caller's address from `X-Forwarded-For`. */
  readonly trustProxy: boolean
  readonly logLevel: 'silent' | 'error' | 'warn' | 'info' | 'debug'
  /** Null: in the data folder. */
  readonly signingKeyPath: string | null
  readonly federation: FederationConfig
  /** Items in one sync answer. */
  readonly syncItems: number
  /** Bytes of one sync answer after which no further item is begun. */
  readonly syncBytes: number
  /** Milliseconds between pings of a stream, and after which one that is silent is given up. */
  readonly stream: { readonly pingMs: number; readonly silenceMs: number }
  /** Check every answer against its schema; a mismatch is an internal error. For tests. */
  readonly checkAnswers: boolean
}

export const defaults = {
  publicBaseUrl: null,
  database: null,
  maxDatabaseBytes: null,
  listen: { host: '127.0.0.1', port: 0 },
  adminListen: null,
  registration: 'open',
  bootstrapAdmin: null,
  rateLimits: defaultRateLimits,
  // RFC 9106 allows less memory with more passes; these are OWASP's figures for Argon2id.
  passwordCost: { memoryCost: 19 * 1024, timeCost: 2 },
  tokenLifetimeMs: null,
  trustProxy: false,
  logLevel: 'info',
  signingKeyPath: null,
  federation: isolated,
  syncItems: 200,
  syncBytes: 512 * 1024,
  stream: { pingMs: syncStream.pingMs, silenceMs: syncStream.silenceMs },
  checkAnswers: false,
} as const satisfies Omit<NodeConfig, 'serverName' | 'dataDir'>

export const software = { name: 'eccp-node', version: '0.1.0' } as const

export const limits = {
  envelope_bytes: 64 * 1024,
  request_bytes: 1024 * 1024,
  pairwise_devices: 64,
  active_devices: 16,
  sync_timeout_ms: 60_000,
} as const
