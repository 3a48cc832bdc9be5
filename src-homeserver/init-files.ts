/** What `eccp-node init` writes: a commented `node.yaml` with the settings that matter, and nothing it would overwrite. */
import { closeSync, fsyncSync, mkdirSync, openSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseServerName } from '../src-shared/protocol/index.ts'

export class InitError extends Error {
  override readonly name = 'InitError'
}

export interface InitFiles {
  readonly file: string
  readonly dataDir: string
}

/**
 * `makeKeys`: in the folder of the data. Throws `InitError` where the file is there already, or can't be written whole,
 * or what `makeKeys` throws: then there is no file, so that the same can be tried again.
 */
export function writeConfigFile(
  file: string,
  serverName: string,
  makeKeys: (dataDir: string) => void = () => undefined,
): InitFiles {
  mkdirSync(dirname(file), { recursive: true })
  let written: number
  try {
    written = openSync(file, 'wx', 0o600)
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST'
    throw new InitError(exists ? `${file} is there already` : `${file} can not be written`)
  }
  try {
    try {
      writeFileSync(written, template(serverName))
      fsyncSync(written)
    } finally {
      closeSync(written)
    }
    const dataDir = join(dirname(file), 'data')
    mkdirSync(dataDir, { recursive: true, mode: 0o700 })
    makeKeys(dataDir)
    return { file, dataDir }
  } catch (error) {
    rmSync(file, { force: true })
    throw error
  }
}

function template(name: string): string {
  const host = parseServerName(name)?.host ?? name
  return `# Settings of an ECCP node. Every one of them can be overridden by a variable of the environment
# (ECCP_SERVER_NAME, ECCP_FEDERATION_MODE, ...). Paths are relative to this file.

# The right-hand side of every user id. It can never change.
server_name: "${name}"

# Where clients reach the node from outside, through your web server with its certificate.
# public_base_url: https://${host}

# Database and keys. Back them up with \`eccp-node backup\`.
data: data

# PostgreSQL 15 or later instead of the SQLite database in the data folder; several processes may then serve
# this name. Better said in the environment (ECCP_DATABASE), since it holds a password.
# database: postgresql://eccp:PASSWORD@127.0.0.1/eccp

# The database in the data folder grows no further than this; the log beside it takes some MiB more.
# database_limit: 20GiB

listen:
  # Plain HTTP for clients; put a web server with a certificate in front of it.
  - type: client
    bind: 127.0.0.1
    port: 8008
  # Other nodes, over TLS. Without this listener the node talks to no other.
  # - type: federation
  #   bind: 0.0.0.0
  #   port: 8448
  #   certificate: tls/fullchain.pem
  #   key: tls/privkey.pem
  # Metrics for operators at /metrics; keep it private.
  # - type: admin
  #   bind: 127.0.0.1
  #   port: 9100

# Who may make an account: open, closed, or token (see: eccp-node registration-token).
registration: open

# The account that becomes the first administrator; its token is printed at first start.
# bootstrap_admin: admin@${name}

# Access tokens end after this many days; without it they end with logout or removal of the device.
# token_lifetime_days: 90

# Take callers' addresses from X-Forwarded-For. Only behind a web server that sets it.
trust_proxy: false

# silent, error, warn, info or debug; one JSON line an event, on standard error.
log: info

federation:
  # With whom: any node (open), those under \`allow\` (allow_list), none (isolated).
  # mode: open
  allow: []
  # How often the signing key is replaced; the old ones still verify what they signed. Or: never.
  key_rotation_interval: never
  # Rounds the size of what is sent to other nodes up, so that it tells less.
  metadata_padding: true
  # Pauses between attempts to reach a node that is away.
  outbound_retry_backoff: { first: 1s, max: 1h }
  # Nodes that are not looked up by name: several on one machine, or a closed network.
  # peers:
  #   other.example.org: { address: "127.0.0.1:8449", root: tls/private-root.pem }

security:
  # Kept in the data folder unless said otherwise.
  # signing_key_path: /etc/eccp/signing-key.json
  # Roots to trust for other nodes' certificates instead of the system's.
  # trusted_root_store: tls/private-root.pem
`
}
