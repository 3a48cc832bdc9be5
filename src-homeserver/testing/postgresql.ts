/**
 * A PostgreSQL of the tests' own: in a temporary folder, on a socket there, as an unprivileged user. It ends
 * with the process that started it, however that ends.
 */
import { spawn, spawnSync } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { chmodSync, chownSync, existsSync, globSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { Client } from 'pg'

const OLDEST = 15
const USER = 'eccp'
const START_MS = 60_000

/** The folder of `initdb` and `postgres`, or why there is none. */
export function findPostgres(): { readonly bin: string } | { readonly missing: string } {
  const places = [
    ...globSync('/usr/lib/postgresql/*/bin/initdb'),
    ...globSync('/usr/pgsql-*/bin/initdb'),
    ...globSync('/opt/homebrew/opt/postgresql@*/bin/initdb'),
    ...(process.env['PATH'] ?? '').split(':').map((folder) => join(folder, 'initdb')),
  ].filter((file) => existsSync(file))
  const good = places
    .map((file) => ({ bin: dirname(file), version: versionOf(dirname(file)) }))
    .filter(({ version }) => version >= OLDEST)
    .sort((a, b) => b.version - a.version)
  if (good[0] === undefined)
    return {
      missing:
        places.length === 0
          ? 'PostgreSQL is not installed'
          : 'the PostgreSQL here is older than 15',
    }
  if (isRoot() && unprivileged() === null)
    return { missing: 'there is no unprivileged user to run PostgreSQL as' }
  return { bin: good[0].bin }
}

function versionOf(bin: string): number {
  const { stdout } = spawnSync(join(bin, 'postgres'), ['--version'], { encoding: 'utf8' })
  return Number(/(\d+)/.exec(stdout)?.[1] ?? 0)
}

function isRoot(): boolean {
  return process.getuid?.() === 0
}

/** PostgreSQL refuses to run as root. */
function unprivileged(): { readonly uid: number; readonly gid: number } | null {
  for (const name of ['postgres', 'nobody']) {
    const [uid, gid] = ['-u', '-g'].map((what) => {
      const { status, stdout } = spawnSync('id', [what, name], { encoding: 'utf8' })
      return status === 0 ? Number(stdout) : Number.NaN
    })
    if (uid !== undefined && gid !== undefined && uid > 0 && gid > 0) return { uid, gid }
  }
  return null
}

export interface PostgresOptions {
  readonly bin: string
  /** What is committed survives everything; otherwise quick, for tests in which nothing crashes. */
  readonly durable: boolean
  /** Of its log alone, in pieces of 1 MiB; otherwise beside the data. */
  readonly log?: string
}

export class TestPostgres {
  readonly #options: PostgresOptions
  readonly #folder: string
  readonly #owner: { readonly uid: number; readonly gid: number } | Record<string, never>
  #process: ChildProcess | null = null
  #output = ''

  constructor(options: PostgresOptions) {
    this.#options = options
    this.#folder = mkdtempSync(join(tmpdir(), 'eccp-pg-'))
    this.#owner = isRoot() ? (unprivileged() ?? {}) : {}
    if ('uid' in this.#owner) chownSync(this.#folder, this.#owner.uid, this.#owner.gid)
    chmodSync(this.#folder, 0o700)
  }

  /** A folder in `where` that it may write to. */
  #own(where: string): string {
    const folder = mkdtempSync(join(where, 'pg-'))
    if ('uid' in this.#owner) chownSync(folder, this.#owner.uid, this.#owner.gid)
    return folder
  }

  /** A database whose tables lie in the folder, while all else stays where it is. */
  async createDatabaseIn(where: string, name: string): Promise<string> {
    await this.query(`create tablespace ${name} location '${this.#own(where)}'`)
    await this.query(`create database ${name} tablespace ${name}`)
    // The first connection writes a file, without which there is no further one.
    await this.query('select 1', name)
    return this.url(name)
  }

  get data(): string {
    return join(this.#folder, 'data')
  }

  /** Of a database, by default the one that is always there. */
  url(database = 'postgres'): string {
    return `postgresql:///${database}?host=${encodeURIComponent(this.#folder)}&user=${USER}`
  }

  /** A hostile collation, so that whatever relies on the order of bytes has to say so. */
  async create(): Promise<void> {
    const { log } = this.#options
    const apart = log === undefined ? [] : ['--waldir', this.#own(log), '--wal-segsize=1']
    const args = ['-D', this.data, '-U', USER, '-A', 'trust', '-E', 'UTF8', '--locale=C.UTF-8']
    const icu = ['--locale-provider=icu', '--icu-locale=en-US']
    const initdb = join(this.#options.bin, 'initdb')
    const child = spawn(initdb, [...args, ...icu, ...apart, '--no-sync', '--no-instructions'], {
      ...this.#owner,
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let said = ''
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => (said += data.toString()))
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve))
    if (code !== 0) throw new Error(`initdb failed: ${said.slice(-2000)}`)
  }

  /** Resolves when it answers. */
  async start(): Promise<void> {
    const until = Date.now() + START_MS
    this.#spawn()
    while (!(await this.#answers())) {
      if (Date.now() > until) throw new Error(`PostgreSQL does not start: ${this.#output}`)
      await new Promise((resolve) => setTimeout(resolve, 20))
      // One that was killed leaves children behind that end a moment later; until then it can't start anew.
      if (this.#process?.exitCode !== null) this.#spawn()
    }
  }

  async #answers(): Promise<boolean> {
    return this.query('select 1').then(
      () => true,
      () => false,
    )
  }

  #spawn(): void {
    const settings = {
      listen_addresses: '',
      unix_socket_directories: this.#folder,
      max_connections: '300',
      shared_buffers: '32MB',
      autovacuum: 'off',
      ...(this.#options.log === undefined ? {} : { min_wal_size: '2MB', max_wal_size: '4MB' }),
      log_min_messages: 'warning',
      ...(this.#options.durable
        ? {}
        : { fsync: 'off', full_page_writes: 'off', synchronous_commit: 'off' }),
    }
    const flags = Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`])
    const child = spawn(join(this.#options.bin, 'postgres'), ['-D', this.data, ...flags], {
      ...this.#owner,
      cwd: this.#folder,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.#process = child
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (data: Buffer) => {
        this.#output = (this.#output + data.toString()).slice(-4000)
      })
    this.#watch(child)
  }

  async query(text: string, database = 'postgres'): Promise<Record<string, unknown>[]> {
    return queryAt(this.url(database), text)
  }

  /** It was started and is no more. */
  get ended(): boolean {
    const child = this.#process
    return child !== null && (child.exitCode !== null || child.signalCode !== null)
  }

  /** `kill -9`; resolves when it is gone. */
  async kill(): Promise<void> {
    await this.#end('SIGKILL')
  }

  async stop(): Promise<void> {
    await this.#end('SIGINT')
    rmSync(this.#folder, { recursive: true, force: true })
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#process
    this.#process = null
    if (child === null || child.exitCode !== null || child.signalCode !== null) return
    const gone = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await gone
  }

  /** Its input ends when this process does, however that ends. */
  #watch({ pid }: ChildProcess): void {
    const script = 'cat >/dev/null; kill -INT "$0" 2>/dev/null && sleep 2 && rm -rf "$1"'
    const watch = spawn('/bin/sh', ['-c', script, String(pid), this.#folder], {
      ...this.#owner,
      cwd: '/',
      stdio: ['pipe', 'ignore', 'ignore'],
      detached: true,
    })
    watch.unref()
    this.#process?.once('exit', () => watch.kill())
  }
}

export async function queryAt(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url })
  client.on('error', () => undefined)
  await client.connect()
  try {
    const { rows } = await client.query<Record<string, unknown>>(text)
    return rows
  } finally {
    await client.end()
  }
}
