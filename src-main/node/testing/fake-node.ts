/** Stands in for eccp-node where only its start, port and identity matter: quick, same arguments. */
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { parseArgs } from 'node:util'

const { values } = parseArgs({
  allowPositionals: true,
  options: {
    'server-name': { type: 'string', default: '' },
    listen: { type: 'string', default: '' },
    data: { type: 'string', default: '' },
    'port-file': { type: 'string', default: '' },
  },
})

const { data } = values
mkdirSync(data, { recursive: true })

/** One node to a data folder, like the real one. */
function claim(): void {
  const path = `${data}/lock`
  if (existsSync(path)) {
    try {
      process.kill(Number(readFileSync(path, 'utf8')), 0)
      process.exit(1)
    } catch {
      // Its holder is gone.
    }
  }
  writeFileSync(path, String(process.pid))
}

function signingKey(): string {
  const path = `${data}/key`
  if (!existsSync(path)) writeFileSync(path, randomBytes(32).toString('base64url'))
  return readFileSync(path, 'utf8')
}

claim()
const serverName = values['server-name']
const ed25519 = signingKey()
const capabilities = {
  server_name: serverName,
  software: { name: 'fake-node', version: '1' },
  versions: ['v0.1'],
  suites: [1],
  transports: ['long_poll'],
  features: [],
  registration: 'open',
  federation: 'isolated',
  limits: {
    envelope_bytes: 1,
    request_bytes: 1,
    pairwise_devices: 1,
    active_devices: 1,
    sync_timeout_ms: 1,
  },
  signing_key: { key_id: 'ed25519:1', ed25519 },
  server_time: 0,
}
const server = createServer((_request, response) => response.end(JSON.stringify(capabilities)))
server.on('error', () => process.exit(1))
const [host = '', port = ''] = values.listen.split(':')
server.listen(Number(port), host, () => {
  const address = server.address()
  const url = `http://${host}:${typeof address === 'object' ? address?.port : port}`
  const about = { url, pid: process.pid, serverName, signingKey: ed25519 }
  writeFileSync(values['port-file'], JSON.stringify(about))
})
