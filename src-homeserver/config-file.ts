/**
 * `node.yaml`: the settings as an operator writes them, and what is wrong with them, by line. Flags and the
 * environment are laid over the same shape, so there is one validation. What a node does with the result is
 * `config.ts`'s.
 */
import { readFileSync } from 'node:fs'
import { dirname, isAbsolute, join, resolve } from 'node:path'
import { isNode, LineCounter, parseDocument } from 'yaml'
import type { Document } from 'yaml'
import * as z from 'zod'
import { parseServerName, parseUserId, serverNameSchema } from '../src-shared/protocol/index.ts'
import { defaults, isLoopback } from './config.ts'
import type { FederationConfig, Listen, NodeConfig, PeerAddress, TlsFiles } from './config.ts'

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const BYTES = { MiB: 2 ** 20, GiB: 2 ** 30, TiB: 2 ** 40 } as const
const SECOND = 1000

/** `30s`, `15m`, `12h`, `90d`; becomes milliseconds. */
const duration = z
  .string()
  .regex(/^[1-9][0-9]{0,6}(?:ms|s|m|h|d)$/, 'must be a time like 30s, 15m, 12h or 90d')
  .transform((text) => {
    const [, count = '0', unit = 's'] = /^([0-9]+)([a-z]+)$/.exec(text) ?? []
    return Number(count) * UNITS[unit as keyof typeof UNITS]
  })
/** `512MiB`, `20GiB`; becomes bytes. */
const size = z
  .string()
  .regex(/^[1-9][0-9]{0,5}(?:MiB|GiB|TiB)$/, 'must be a size like 512MiB or 20GiB')
  .transform((text) => {
    const [, count = '0', unit = 'MiB'] = /^([0-9]+)([A-Za-z]+)$/.exec(text) ?? []
    return Number(count) * BYTES[unit as keyof typeof BYTES]
  })
const path = z.string().min(1).max(4096)
const port = z.int().min(0).max(65535)
const hostPort = z
  .string()
  .refine((text) => parseAddress(text) !== null, 'must be HOST:PORT')
  .transform((text) => parseAddress(text) ?? { host: '', port: 0 })

/** What is wrong with it is said without quoting it: it may hold a password. */
const databaseUrl = z
  .string('must be a postgresql:// URL')
  .max(4096)
  .refine(
    (text) => /^postgres(?:ql)?:$/.test(URL.parse(text)?.protocol ?? ''),
    'must be a postgresql:// URL',
  )
  .refine((text) => (URL.parse(text)?.pathname.length ?? 0) > 1, 'names no database')

const listener = z.strictObject({
  type: z.enum(['client', 'federation', 'admin']),
  bind: z.string().min(1).max(255).default('127.0.0.1'),
  port,
  /** PEM files; of a federation listener. */
  certificate: path.optional(),
  key: path.optional(),
})

const peer = z.strictObject({
  address: hostPort,
  /** PEM file of the only root that this peer's certificate may come from. */
  root: path.optional(),
  plain_http: z.boolean().default(false),
})

const settingsSchema = z.strictObject({
  server_name: serverNameSchema,
  data: path,
  database: databaseUrl.optional(),
  database_limit: size.optional(),
  public_base_url: z
    .string()
    .refine((text) => /^https?:$/.test(URL.parse(text)?.protocol ?? ''), 'must be an http(s) URL')
    .optional(),
  listen: z.array(listener).min(1).max(8).optional(),
  registration: z.enum(['open', 'closed', 'token']).optional(),
  bootstrap_admin: z.string().max(320).optional(),
  rate_limits: z.enum(['default', 'off']).optional(),
  token_lifetime_days: z.int().min(1).max(36_500).optional(),
  trust_proxy: z.boolean().optional(),
  log: z.enum(['silent', 'error', 'warn', 'info', 'debug']).optional(),
  federation: z
    .strictObject({
      mode: z.enum(['open', 'allow_list', 'isolated']).optional(),
      allow: z.array(serverNameSchema).max(10_000).optional(),
      key_rotation_interval: z.union([z.literal('never'), duration]).optional(),
      metadata_padding: z.boolean().optional(),
      outbound_retry_backoff: z
        .strictObject({ first: duration.optional(), max: duration.optional() })
        .optional(),
      plain_http_on_loopback: z.boolean().optional(),
      peers: z.record(serverNameSchema, peer).optional(),
    })
    .nullish(),
  security: z
    .strictObject({
      signing_key_path: path.optional(),
      trusted_root_store: path.optional(),
    })
    .nullish(),
})
type Settings = z.output<typeof settingsSchema>

/** As written, before any check: nested plain objects. */
export type RawSettings = { [key: string]: unknown }

export class ConfigError extends Error {
  override readonly name = 'ConfigError'
}

/** Environment variables and where they go; a value is read as YAML, so `true` and `8448` are what they look like. */
export const ENVIRONMENT: Readonly<Record<string, readonly string[]>> = {
  ECCP_SERVER_NAME: ['server_name'],
  ECCP_DATA: ['data'],
  ECCP_DATABASE: ['database'],
  ECCP_DATABASE_LIMIT: ['database_limit'],
  ECCP_PUBLIC_BASE_URL: ['public_base_url'],
  ECCP_LISTEN: ['listen'],
  ECCP_REGISTRATION: ['registration'],
  ECCP_BOOTSTRAP_ADMIN: ['bootstrap_admin'],
  ECCP_RATE_LIMITS: ['rate_limits'],
  ECCP_TOKEN_LIFETIME_DAYS: ['token_lifetime_days'],
  ECCP_TRUST_PROXY: ['trust_proxy'],
  ECCP_LOG: ['log'],
  ECCP_FEDERATION_MODE: ['federation', 'mode'],
  ECCP_FEDERATION_ALLOW: ['federation', 'allow'],
  ECCP_FEDERATION_KEY_ROTATION_INTERVAL: ['federation', 'key_rotation_interval'],
  ECCP_FEDERATION_METADATA_PADDING: ['federation', 'metadata_padding'],
  ECCP_FEDERATION_OUTBOUND_RETRY_BACKOFF: ['federation', 'outbound_retry_backoff'],
  ECCP_FEDERATION_PLAIN_HTTP_ON_LOOPBACK: ['federation', 'plain_http_on_loopback'],
  ECCP_FEDERATION_PEERS: ['federation', 'peers'],
  ECCP_SECURITY_SIGNING_KEY_PATH: ['security', 'signing_key_path'],
  ECCP_SECURITY_TRUSTED_ROOT_STORE: ['security', 'trusted_root_store'],
}

interface Overlay {
  readonly path: readonly string[]
  readonly value: unknown
  /** How the operator knows it: a variable or a flag. */
  readonly name: string
}

export interface ConfigSources {
  /** Null: flags and environment alone. */
  readonly file: string | null
  readonly environment: Readonly<Record<string, string | undefined>>
  /** From the command line; strongest. */
  readonly flags: readonly Overlay[]
}

/** Throws `ConfigError` naming file and line, variable or flag. */
export function loadConfig({ file, environment, flags }: ConfigSources): NodeConfig {
  const source = file === null ? null : readSource(file)
  const raw: RawSettings = source === null ? {} : source.raw
  const overlays = [...fromEnvironment(environment), ...flags]
  for (const overlay of overlays) lay(raw, overlay)
  const parsed = settingsSchema.safeParse(raw)
  if (!parsed.success) throw describe(parsed.error, source, overlays)
  // A path in the file is relative to the file; one from a flag to where the command was given.
  const fromFile = (key: readonly string[]): boolean =>
    !overlays.some((overlay) => overlay.path.join() === key.join())
  const base = source === null ? null : dirname(source.file)
  const place: Place = (text, key) =>
    isAbsolute(text) || base === null || !fromFile(key) ? resolve(text) : join(base, text)
  const where = (key: readonly (string | number)[], message: string): ConfigError =>
    at(key, message, source, overlays)
  return toConfig(parsed.data, place, where)
}

interface Source {
  readonly file: string
  readonly raw: RawSettings
  readonly document: Document
  readonly lines: LineCounter
}

function readSource(file: string): Source {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    throw new ConfigError(`${file} can not be read`)
  }
  const lines = new LineCounter()
  const document = parseDocument(text, {
    lineCounter: lines,
    prettyErrors: false,
    maxAliasCount: 0,
  } as object)
  const [error] = document.errors
  if (error !== undefined)
    throw new ConfigError(`${file}:${lines.linePos(error.pos[0]).line}: ${error.message}`)
  const raw: unknown = document.toJS({ maxAliasCount: 0 })
  if (typeof raw !== 'object' || raw === null || Array.isArray(raw))
    throw new ConfigError(`${file}:1: must be settings, one "name: value" a line`)
  return { file: resolve(file), raw: raw as RawSettings, document, lines }
}

function fromEnvironment(environment: ConfigSources['environment']): Overlay[] {
  return Object.entries(ENVIRONMENT).flatMap(([name, key]) => {
    const text = environment[name]
    if (text === undefined || text === '') return []
    // Taken as it is: a password may hold what means something in YAML.
    if (name === 'ECCP_DATABASE') return [{ path: key, value: text, name }]
    const document = parseDocument(text)
    if (document.errors.length > 0) throw new ConfigError(`${name}: ${document.errors[0]?.message}`)
    return [{ path: key, value: document.toJS() as unknown, name }]
  })
}

function lay(raw: RawSettings, { path: key, value }: Overlay): void {
  let at: RawSettings = raw
  for (const part of key.slice(0, -1)) {
    const inner = at[part]
    const next = typeof inner === 'object' && inner !== null ? (inner as RawSettings) : {}
    at[part] = next
    at = next
  }
  const last = key.at(-1)
  if (last !== undefined) at[last] = value
}

function describe(
  error: z.ZodError,
  source: Source | null,
  overlays: readonly Overlay[],
): ConfigError {
  // A misspelt name is why another seems to be missing.
  const { issues } = error
  const issue = issues.find(({ code }) => code === 'unrecognized_keys') ?? issues[0]
  if (issue === undefined) return new ConfigError('the settings are wrong')
  const key = issue.path.map((part) => (typeof part === 'symbol' ? '' : part))
  if (issue.code === 'unrecognized_keys') {
    const [unknown = ''] = issue.keys
    return at([...key, unknown], 'is not a setting', source, overlays)
  }
  const missing = issue.code === 'invalid_type' && issue.input === undefined
  return at(key, missing && !isSet(source, key) ? 'is needed' : issue.message, source, overlays)
}

function isSet(source: Source | null, key: readonly (string | number)[]): boolean {
  return source?.document.hasIn(key) === true
}

/** Names a setting where its writer will look for it. */
function at(
  key: readonly (string | number)[],
  message: string,
  source: Source | null,
  overlays: readonly Overlay[],
): ConfigError {
  const said = overlays.findLast(({ path: over }) => over.every((part, i) => part === key[i]))
  if (said !== undefined) return new ConfigError(`${said.name}: ${key.join('.')} ${message}`)
  if (source === null) return new ConfigError(`${key.join('.')} ${message}`)
  const line = lineOf(source, key)
  return new ConfigError(`${source.file}:${line}: ${key.join('.')} ${message}`)
}

/** The line of the setting; of the innermost one around it where it is not there. */
function lineOf({ document, lines }: Source, key: readonly (string | number)[]): number {
  for (let depth = key.length; depth > 0; depth--) {
    const parent = document.getIn(key.slice(0, depth - 1), true)
    const name = key[depth - 1]
    if (isNode(parent) && 'items' in parent && Array.isArray(parent.items)) {
      for (const [index, entry] of (parent.items as unknown[]).entries()) {
        const node = nodeOf(entry, name, index)
        if (node !== null && node.range) return lines.linePos(node.range[0]).line
      }
    }
  }
  return 1
}

interface Ranged {
  readonly range?: readonly [number, number, number] | null
}

function nodeOf(entry: unknown, name: string | number | undefined, index: number): Ranged | null {
  if (typeof entry !== 'object' || entry === null) return null
  if ('key' in entry) {
    const { key } = entry
    return isNode(key) && 'value' in key && key.value === name ? key : null
  }
  return index === name && isNode(entry) ? entry : null
}

type Place = (text: string, key: readonly string[]) => string
type Where = (key: readonly (string | number)[], message: string) => ConfigError

function toConfig(settings: Settings, place: Place, where: Where): NodeConfig {
  const { server_name: serverName } = settings
  const security = settings.security ?? {}
  const listeners = settings.listen ?? [{ type: 'client' as const, bind: '127.0.0.1', port: 8008 }]
  const only = (
    type: 'client' | 'federation' | 'admin',
  ): (typeof listeners)[number] | undefined => {
    const found = listeners.flatMap((one, index) => (one.type === type ? [index] : []))
    if (found.length > 1) throw where(['listen', found[1] ?? 0], `is a second ${type} listener`)
    return listeners[found[0] ?? -1]
  }
  const client = only('client')
  if (client === undefined) throw where(['listen'], 'has no client listener')
  const admin = only('admin')
  return {
    ...defaults,
    serverName,
    dataDir: place(settings.data, ['data']),
    database: settings.database ?? null,
    maxDatabaseBytes: settings.database_limit ?? null,
    publicBaseUrl:
      settings.public_base_url === undefined
        ? null
        : new URL(settings.public_base_url).href.replace(/\/+$/, ''),
    listen: { host: client.bind, port: client.port },
    adminListen: admin === undefined ? null : { host: admin.bind, port: admin.port },
    registration: settings.registration ?? defaults.registration,
    bootstrapAdmin: adminName(settings.bootstrap_admin, serverName, where),
    rateLimits: settings.rate_limits === 'off' ? null : defaults.rateLimits,
    tokenLifetimeMs:
      settings.token_lifetime_days === undefined ? null : settings.token_lifetime_days * UNITS.d,
    trustProxy: settings.trust_proxy ?? defaults.trustProxy,
    logLevel: settings.log ?? defaults.logLevel,
    signingKeyPath:
      security.signing_key_path === undefined
        ? null
        : place(security.signing_key_path, ['security', 'signing_key_path']),
    federation: federationOf(settings, listeners, only('federation'), place, where),
  }
}

function federationOf(
  settings: Settings,
  listeners: readonly { readonly type: string; readonly bind: string }[],
  listen: z.output<typeof listener> | undefined,
  place: Place,
  where: Where,
): FederationConfig {
  const federation = settings.federation ?? {}
  const security = settings.security ?? {}
  const key = ['listen', listeners.findIndex(({ type }) => type === 'federation')]
  const plainHttp = federation.plain_http_on_loopback ?? false
  let tls: TlsFiles | null = null
  if (listen !== undefined) {
    if ((listen.certificate === undefined) !== (listen.key === undefined))
      throw where(key, 'needs both certificate and key')
    if (listen.certificate !== undefined && listen.key !== undefined)
      tls = { certificate: place(listen.certificate, []), key: place(listen.key, []) }
    else if (!plainHttp || !isLoopback(listen.bind))
      throw where(
        key,
        'needs certificate and key; plain HTTP is for loopback with federation.plain_http_on_loopback',
      )
  }
  const peers: Record<string, PeerAddress> = {}
  for (const [name, { address, root, plain_http: plain }] of Object.entries(
    federation.peers ?? {},
  )) {
    if (plain && (!plainHttp || !isLoopback(address.host)))
      throw where(
        ['federation', 'peers', name],
        'speaks plain HTTP, which is for loopback with federation.plain_http_on_loopback',
      )
    const rootFile = root === undefined ? null : place(root, [])
    peers[name] = { ...address, rootFile, plainHttp: plain }
  }
  const mode = federation.mode ?? (listen === undefined ? 'isolated' : 'open')
  const { first, max } = federation.outbound_retry_backoff ?? {}
  const retry = { firstMs: first ?? SECOND, maxMs: max ?? UNITS.h }
  if (retry.firstMs > retry.maxMs)
    throw where(['federation', 'outbound_retry_backoff'], 'begins above its maximum')
  const roots = security.trusted_root_store
  const rotation = federation.key_rotation_interval ?? 'never'
  return {
    mode,
    allow: federation.allow ?? [],
    listen: listen === undefined ? null : { host: listen.bind, port: listen.port },
    tls,
    plainHttpOnLoopback: plainHttp,
    peers,
    rootFile: roots === undefined ? null : place(roots, ['security', 'trusted_root_store']),
    keyRotationMs: rotation === 'never' ? null : rotation,
    metadataPadding: federation.metadata_padding ?? true,
    retry,
  }
}

/** `admin@example.org`, `@admin:example.org`; of this server. */
function adminName(value: string | undefined, serverName: string, where: Where): string | null {
  if (value === undefined) return null
  const sign = value.indexOf('@', 1)
  const userId = sign > 0 ? `@${value.slice(0, sign)}:${value.slice(sign + 1)}` : value
  const parsed = parseUserId(userId)
  if (parsed === null || parsed.server !== serverName)
    throw where(['bootstrap_admin'], `must name a user of ${serverName}`)
  return parsed.name
}

/** `host:port`, `[::1]:port`. */
export function parseAddress(text: string): Listen | null {
  const [, bracketed, plain, digits] = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]{1,5})$/.exec(text) ?? []
  const host = bracketed ?? plain
  if (host === undefined || host === '' || digits === undefined || Number(digits) > 65535)
    return null
  return { host, port: Number(digits) }
}

/** Whether `name` can be a server at all; for commands that need nothing else of the settings. */
export function isServerName(name: string): boolean {
  return parseServerName(name) !== null
}
