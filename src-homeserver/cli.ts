/** The command line: from arguments to a configuration, or to what is wrong with them. */
import { parseArgs } from 'node:util'
import { resolve } from 'node:path'
import { parseServerName, parseUserId } from '../src-shared/protocol/index.ts'
import { defaults } from './config.ts'
import type { Listen, NodeConfig } from './config.ts'

export const usage = `Usage:
  eccp-node serve --server-name NAME --data DIR [options]
  eccp-node registration-token --server-name NAME --data DIR [--uses N]
  eccp-node rotate-key --data DIR

Options of serve:
  --public-base-url URL      where clients reach the node, for .well-known documents
  --listen HOST:PORT         default 127.0.0.1:8008; port 0 takes any free one
  --admin-listen HOST:PORT   serves /metrics there
  --registration MODE        open | closed | token (default open)
  --bootstrap-admin NAME@SERVER
                             whose account becomes the first administrator
  --rate-limits default|off
  --token-lifetime-days N    access tokens end after N days (default: never)
  --trust-proxy              take callers' addresses from X-Forwarded-For
  --log LEVEL                silent | error | warn | info | debug
  --port-file FILE           write url, pid, server name and signing key there when ready
`

export type Command =
  | { readonly kind: 'serve'; readonly config: NodeConfig; readonly portFile: string | null }
  | {
      readonly kind: 'registration_token'
      readonly dataDir: string
      readonly serverName: string
      readonly uses: number
    }
  | { readonly kind: 'rotate_key'; readonly dataDir: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string }

class WrongArgument extends Error {
  override readonly name = 'WrongArgument'
}

export function readCommand(args: readonly string[]): Command {
  try {
    return read(args)
  } catch (error) {
    const known = error instanceof WrongArgument || error instanceof TypeError
    if (known) return { kind: 'wrong', why: error.message }
    throw error
  }
}

function read(args: readonly string[]): Command {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      'server-name': { type: 'string' },
      'public-base-url': { type: 'string' },
      data: { type: 'string' },
      listen: { type: 'string', default: '127.0.0.1:8008' },
      'admin-listen': { type: 'string' },
      registration: { type: 'string', default: defaults.registration },
      'bootstrap-admin': { type: 'string' },
      'rate-limits': { type: 'string', default: 'default' },
      'token-lifetime-days': { type: 'string' },
      'trust-proxy': { type: 'boolean', default: false },
      log: { type: 'string', default: defaults.logLevel },
      'port-file': { type: 'string' },
      uses: { type: 'string', default: '1' },
      help: { type: 'boolean', default: false },
    },
  })
  const [verb] = positionals
  if (values.help || verb === undefined) return { kind: 'help' }
  const dataDir = resolve(required('--data', values.data))
  if (verb === 'rotate-key') return { kind: 'rotate_key', dataDir }
  const serverName = required('--server-name', values['server-name'])
  if (parseServerName(serverName) === null)
    throw new WrongArgument('--server-name is not a server name')
  if (verb === 'registration-token') {
    const uses = positive('--uses', values.uses)
    return { kind: 'registration_token', dataDir, serverName, uses }
  }
  if (verb !== 'serve') throw new WrongArgument('unknown command')
  const days = values['token-lifetime-days']
  const adminListen = values['admin-listen']
  const config: NodeConfig = {
    ...defaults,
    serverName,
    dataDir,
    publicBaseUrl: baseUrl(values['public-base-url']),
    listen: address('--listen', values.listen),
    adminListen: adminListen === undefined ? null : address('--admin-listen', adminListen),
    registration: oneOf('--registration', values.registration, ['open', 'closed', 'token']),
    bootstrapAdmin: adminName(values['bootstrap-admin'], serverName),
    rateLimits:
      oneOf('--rate-limits', values['rate-limits'], ['default', 'off']) === 'off'
        ? null
        : defaults.rateLimits,
    tokenLifetimeMs:
      days === undefined ? null : positive('--token-lifetime-days', days) * 24 * 60 * 60 * 1000,
    trustProxy: values['trust-proxy'],
    logLevel: oneOf('--log', values.log, ['silent', 'error', 'warn', 'info', 'debug']),
  }
  const portFile = values['port-file']
  return { kind: 'serve', config, portFile: portFile === undefined ? null : resolve(portFile) }
}

function required(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new WrongArgument(`${name} is needed`)
  return value
}

function positive(name: string, value: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(value)) throw new WrongArgument(`${name} must be a number`)
  return Number(value)
}

function oneOf<const T extends string>(name: string, value: string, allowed: readonly T[]): T {
  const found = allowed.find((one) => one === value)
  if (found === undefined) throw new WrongArgument(`${name} must be one of ${allowed.join(', ')}`)
  return found
}

function address(name: string, value: string): Listen {
  const [, bracketed, plain, port] = /^(?:\[([^\]]+)\]|([^:]*)):([0-9]{1,5})$/.exec(value) ?? []
  const host = bracketed ?? plain
  if (host === undefined || host === '' || port === undefined || Number(port) > 65535)
    throw new WrongArgument(`${name} must be HOST:PORT`)
  return { host, port: Number(port) }
}

function baseUrl(value: string | undefined): string | null {
  if (value === undefined) return null
  const url = URL.parse(value)
  if (url === null || !/^https?:$/.test(url.protocol))
    throw new WrongArgument('--public-base-url must be an http or https URL')
  return url.href.replace(/\/+$/, '')
}

/** `admin@example.org`, `@admin:example.org`; of this server. */
function adminName(value: string | undefined, serverName: string): string | null {
  if (value === undefined) return null
  const at = value.indexOf('@', 1)
  const userId = at > 0 ? `@${value.slice(0, at)}:${value.slice(at + 1)}` : value
  const parsed = parseUserId(userId)
  if (parsed === null || parsed.server !== serverName)
    throw new WrongArgument(`--bootstrap-admin must name a user of ${serverName}`)
  return parsed.name
}
