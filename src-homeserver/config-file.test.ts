import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readCommand } from './cli.ts'
import { writeConfigFile } from './init-files.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'eccp-config-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

function serve(text: string, environment: Record<string, string> = {}, ...flags: string[]) {
  const file = join(folder, 'node.yaml')
  writeFileSync(file, text)
  return readCommand(['serve', '--config', file, ...flags], environment)
}

function config(text: string, environment: Record<string, string> = {}, ...flags: string[]) {
  const command = serve(text, environment, ...flags)
  if (command.kind !== 'serve') throw new Error(JSON.stringify(command))
  return command.config
}

const whole = `server_name: a.test
data: here
public_base_url: https://a.test/
listen:
  - { type: client, bind: 127.0.0.1, port: 8008 }
  - type: federation
    bind: 0.0.0.0
    port: 8448
    certificate: tls/cert.pem
    key: /etc/tls/key.pem
  - { type: admin, port: 9100 }
registration: token
bootstrap_admin: admin@a.test
token_lifetime_days: 30
federation:
  mode: allow_list
  allow: [b.test]
  key_rotation_interval: 90d
  metadata_padding: false
  outbound_retry_backoff: { first: 500ms, max: 2h }
  peers:
    b.test: { address: "127.0.0.1:9448", root: root.pem }
security:
  signing_key_path: keys/signing.json
  trusted_root_store: roots.pem
`

describe('the settings file', () => {
  it('says everything that a node can be told, with paths beside itself', () => {
    expect(config(whole)).toMatchObject({
      serverName: 'a.test',
      dataDir: join(folder, 'here'),
      publicBaseUrl: 'https://a.test',
      listen: { host: '127.0.0.1', port: 8008 },
      adminListen: { host: '127.0.0.1', port: 9100 },
      registration: 'token',
      bootstrapAdmin: 'admin',
      tokenLifetimeMs: 30 * 86_400_000,
      signingKeyPath: join(folder, 'keys/signing.json'),
      federation: {
        mode: 'allow_list',
        allow: ['b.test'],
        listen: { host: '0.0.0.0', port: 8448 },
        tls: { certificate: join(folder, 'tls/cert.pem'), key: '/etc/tls/key.pem' },
        plainHttpOnLoopback: false,
        peers: {
          'b.test': {
            host: '127.0.0.1',
            port: 9448,
            rootFile: join(folder, 'root.pem'),
            plainHttp: false,
          },
        },
        rootFile: join(folder, 'roots.pem'),
        keyRotationMs: 90 * 86_400_000,
        metadataPadding: false,
        retry: { firstMs: 500, maxMs: 7_200_000 },
      },
    })
  })

  it('is overridden by the environment, and that by flags', () => {
    const environment = {
      ECCP_REGISTRATION: 'closed',
      ECCP_FEDERATION_MODE: 'open',
      ECCP_LOG: 'warn',
    }
    const read = config(whole, environment, '--log', 'error', '--listen', '127.0.0.1:1')
    expect(read).toMatchObject({
      registration: 'closed',
      logLevel: 'error',
      listen: { port: 1 },
      federation: { mode: 'open' },
    })
  })

  it('talks to no other node unless it says where others find it', () => {
    expect(config('server_name: a.test\ndata: d\n').federation.mode).toBe('isolated')
  })

  const line = (text: string, which: number): string =>
    whole
      .split('\n')
      .map((old, index) => (index + 1 === which ? text : old))
      .join('\n')

  it.each([
    [1, 'server_name: Not A Name'],
    [2, 'dta: here'],
    [5, '  - { type: clients, port: 8008 }'],
    [8, '    port: 70000'],
    [9, '    certificat: tls/cert.pem'],
    [12, 'registration: maybe'],
    [13, 'bootstrap_admin: admin@b.test'],
    [16, '  mode: closed'],
    [17, '  allow: [b.test, "Not A Name"]'],
    [18, '  key_rotation_interval: soon'],
    [20, '  outbound_retry_backoff: { first: 3h, max: 2h }'],
    [22, '    b.test: { address: nowhere }'],
    [22, '    b.test: { address: "127.0.0.1:9448", plain_http: true }'],
    [24, '  signing_key_path: 7'],
    [25, '  trusted_root_store: [unclosed'],
    [26, 'database: mysql://eccp:hunter2@127.0.0.1/eccp'],
    [26, 'database: postgresql://eccp:hunter2@127.0.0.1'],
    [26, 'database: 5432'],
    [26, 'database_limit: 20'],
  ])('names line %i where it says "%s"', (which, text) => {
    const answer = serve(line(text, which))
    if (answer.kind !== 'wrong') throw new Error('was taken')
    // An unclosed bracket shows where the file ends.
    const lines = text.includes('unclosed') ? `(${which}|${which + 1})` : String(which)
    expect(answer.why).toMatch(new RegExp(`^${join(folder, 'node.yaml')}:${lines}: `))
    expect(answer.why).not.toContain('hunter2')
  })

  it('names the variable or the flag that is wrong', () => {
    const variable = serve(whole, { ECCP_FEDERATION_MODE: 'sometimes' })
    expect(variable).toMatchObject({ why: expect.stringMatching(/^ECCP_FEDERATION_MODE: /) })
    const flag = serve(whole, {}, '--registration', 'maybe')
    expect(flag).toMatchObject({ why: expect.stringMatching(/^--registration: /) })
  })

  it('keeps its data in a folder, or in the PostgreSQL that file or environment name', () => {
    expect(config(whole).database).toBeNull()
    const url = 'postgresql://eccp:p%40ss@db.test/eccp?sslmode=verify-full'
    expect(config(`${whole}database: ${url}\n`).database).toBe(url)
    const other = 'postgresql:///eccp?host=/run/postgresql&user=eccp'
    expect(config(`${whole}database: ${other}\n`, { ECCP_DATABASE: url }).database).toBe(url)
    const wrong = serve(whole, { ECCP_DATABASE: 'postgresql://eccp:hunter2@db.test' })
    expect(wrong).toMatchObject({ why: 'ECCP_DATABASE: database names no database' })
  })

  it('lets its database grow as far as it is told, or as far as there is room', () => {
    expect(config(whole).maxDatabaseBytes).toBeNull()
    expect(config(`${whole}database_limit: 3GiB\n`).maxDatabaseBytes).toBe(3 * 2 ** 30)
  })

  it('lets nobody federate in the clear by accident', () => {
    const open = (more: string) =>
      serve(`server_name: a.test\ndata: d\nlisten:\n  - { type: client, port: 0 }\n${more}`)
    const clear = '  - { type: federation, bind: 127.0.0.1, port: 0 }\n'
    const flag = 'federation: { plain_http_on_loopback: true }\n'
    expect(open(clear).kind).toBe('wrong')
    expect(open(`${clear}${flag}`).kind).toBe('serve')
    expect(open(`${clear.replace('127.0.0.1', '0.0.0.0')}${flag}`).kind).toBe('wrong')
  })
})

describe('the file that init writes', () => {
  it('is one that serve takes, and is not written twice', () => {
    const file = join(folder, 'new', 'node.yaml')
    const { dataDir } = writeConfigFile(file, 'chat.example.org')
    expect(statSync(file).mode & 0o777).toBe(0o600)
    const command = readCommand(['serve', '--config', file])
    expect(command).toMatchObject({
      kind: 'serve',
      config: { serverName: 'chat.example.org', dataDir, federation: { mode: 'isolated' } },
    })
    // What is commented out is right as well.
    const text = readFileSync(file, 'utf8')
    const uncommented = text.replaceAll(
      /^( *)# (?=\s*(?:[a-z_]+:( |$)|- type|other\.example))/gm,
      '$1',
    )
    writeFileSync(file, uncommented)
    expect(readCommand(['serve', '--config', file])).toMatchObject({
      kind: 'serve',
      config: { federation: { mode: 'open', listen: { port: 8448 } }, bootstrapAdmin: 'admin' },
    })
    expect(() => writeConfigFile(file, 'chat.example.org')).toThrow('there already')
  })
})
