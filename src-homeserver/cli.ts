/** The command line: from arguments, environment and file to a configuration, or to what is wrong with them. */
import { parseArgs } from 'node:util'
import { resolve } from 'node:path'
import { ConfigError, isServerName, loadConfig, parseAddress } from './config-file.ts'
import type { NodeConfig } from './config.ts'

export const usage = `Usage:
  eccp-node init --server-name NAME [--config node.yaml]
  eccp-node serve --config node.yaml [options]
  eccp-node serve --server-name NAME --data DIR [options]
  eccp-node registration-token --server-name NAME --data DIR [--uses N]
  eccp-node rotate-key --data DIR
  eccp-node backup --data DIR --to FOLDER
  eccp-node restored --server-name NAME --data DIR

init writes a commented node.yaml and the node's signing key. registration-token, rotate-key, backup and
restored take --config as well.

backup copies the database and the signing keys into a folder, while the node runs; of a PostgreSQL it is a dump, made
by pg_dump, for pg_restore. A node that is started on such a copy knows it; restored says so of any other that was set
back to an earlier state, before it is started.

The database is the data folder's own, or a PostgreSQL named by \`database\` in the file or by ECCP_DATABASE.

Options of serve, stronger than the environment (ECCP_SERVER_NAME, ...), which is stronger than the file:
  --public-base-url URL      where clients reach the node, for .well-known documents
  --listen HOST:PORT         for clients; default 127.0.0.1:8008; port 0 takes any free one
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
      readonly database: string | null
      readonly uses: number
    }
  | {
      readonly kind: 'rotate_key'
      readonly dataDir: string
      readonly keyPath: string | null
      /** Where other processes of the node are to hear of it. */
      readonly shared: { readonly database: string; readonly serverName: string } | null
    }
  | {
      readonly kind: 'backup'
      readonly dataDir: string
      readonly keyPath: string | null
      readonly database: string | null
      readonly to: string
    }
  | {
      readonly kind: 'restored'
      readonly dataDir: string
      readonly serverName: string
      readonly database: string | null
    }
  | { readonly kind: 'init'; readonly serverName: string; readonly file: string }
  | { readonly kind: 'help' }
  | { readonly kind: 'wrong'; readonly why: string }

class WrongArgument extends Error {
  override readonly name = 'WrongArgument'
}

type Environment = Readonly<Record<string, string | undefined>>

export function readCommand(args: readonly string[], environment: Environment = {}): Command {
  try {
    return read(args, environment)
  } catch (error) {
    const known =
      error instanceof WrongArgument || error instanceof ConfigError || error instanceof TypeError
    if (known) return { kind: 'wrong', why: error.message }
    throw error
  }
}

function parse(args: readonly string[]) {
  return parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      config: { type: 'string' },
      'server-name': { type: 'string' },
      'public-base-url': { type: 'string' },
      data: { type: 'string' },
      listen: { type: 'string' },
      'admin-listen': { type: 'string' },
      registration: { type: 'string' },
      'bootstrap-admin': { type: 'string' },
      'rate-limits': { type: 'string' },
      'token-lifetime-days': { type: 'string' },
      'trust-proxy': { type: 'boolean' },
      log: { type: 'string' },
      'port-file': { type: 'string' },
      uses: { type: 'string', default: '1' },
      to: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  })
}
type Values = ReturnType<typeof parse>['values']

function read(args: readonly string[], environment: Environment): Command {
  const { values, positionals } = parse(args)
  const [verb] = positionals
  if (values.help || verb === undefined) return { kind: 'help' }
  switch (verb) {
    case 'init': {
      const serverName = values['server-name'] ?? ''
      if (!isServerName(serverName))
        throw new WrongArgument('--server-name is needed, the name that user ids will end with')
      return { kind: 'init', serverName, file: resolve(values.config ?? 'node.yaml') }
    }
    case 'rotate-key': {
      if (values.config === undefined && environment['ECCP_DATABASE'] === undefined) {
        const dataDir = needed('--data', values.data)
        return { kind: 'rotate_key', dataDir, keyPath: null, shared: null }
      }
      const {
        dataDir,
        signingKeyPath: keyPath,
        database,
        serverName,
      } = settings(values, environment)
      const shared = database === null ? null : { database, serverName }
      return { kind: 'rotate_key', dataDir, keyPath, shared }
    }
    case 'backup': {
      const to = needed('--to', values.to)
      if (values.config === undefined && environment['ECCP_DATABASE'] === undefined) {
        const dataDir = needed('--data', values.data)
        return { kind: 'backup', dataDir, keyPath: null, database: null, to }
      }
      const { dataDir, signingKeyPath: keyPath, database } = settings(values, environment)
      return { kind: 'backup', dataDir, keyPath, database, to }
    }
    case 'restored': {
      const { dataDir, serverName, database } = settings(values, environment)
      return { kind: 'restored', dataDir, serverName, database }
    }
    case 'registration-token': {
      const { dataDir, serverName, database } = settings(values, environment)
      const uses = positive('--uses', values.uses)
      return { kind: 'registration_token', dataDir, serverName, database, uses }
    }
    case 'serve': {
      const config = settings(values, environment)
      const portFile = values['port-file']
      return { kind: 'serve', config, portFile: portFile === undefined ? null : resolve(portFile) }
    }
    default:
      throw new WrongArgument('unknown command')
  }
}

function settings(values: Values, environment: Environment): NodeConfig {
  const flags = [
    flag(values, 'server-name', ['server_name']),
    flag(values, 'data', ['data']),
    flag(values, 'public-base-url', ['public_base_url']),
    flag(values, 'registration', ['registration']),
    flag(values, 'bootstrap-admin', ['bootstrap_admin']),
    flag(values, 'rate-limits', ['rate_limits']),
    flag(values, 'trust-proxy', ['trust_proxy']),
    flag(values, 'log', ['log']),
  ].flat()
  const days = values['token-lifetime-days']
  if (days !== undefined)
    flags.push({
      path: ['token_lifetime_days'],
      value: positive('--token-lifetime-days', days),
      name: '--token-lifetime-days',
    })
  const config = loadConfig({ file: values.config ?? null, environment, flags })
  const { listen, 'admin-listen': admin } = values
  return {
    ...config,
    listen: listen === undefined ? config.listen : address('--listen', listen),
    adminListen: admin === undefined ? config.adminListen : address('--admin-listen', admin),
  }
}

function flag<N extends keyof Values>(values: Values, name: N, path: readonly string[]) {
  const value = values[name]
  return value === undefined ? [] : [{ path, value: value as unknown, name: `--${name}` }]
}

function needed(name: string, value: string | undefined): string {
  if (value === undefined || value === '') throw new WrongArgument(`${name} is needed`)
  return resolve(value)
}

function positive(name: string, value: string): number {
  if (!/^[1-9][0-9]{0,6}$/.test(value)) throw new WrongArgument(`${name} must be a number`)
  return Number(value)
}

function address(name: string, value: string) {
  const parsed = parseAddress(value)
  if (parsed === null) throw new WrongArgument(`${name} must be HOST:PORT`)
  return parsed
}
