/** A real `eccp-node` process on loopback, which a test may kill and start again on the same data. */
import { spawn, type ChildProcess } from 'node:child_process'
import { randomInt } from 'node:crypto'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const entry = join(import.meta.dirname, '..', '..', 'src-homeserver', 'main.ts')

export interface NodeOptions {
  readonly dataDir: string
  readonly serverName: string
  /** Kept over restarts; a free one where it is not given. */
  readonly port?: number
  /** Where clients reach it from outside; its own address where it is not given. */
  readonly publicUrl?: string
  readonly args?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
}

export interface NodeProcess {
  readonly url: string
  readonly serverName: string
  readonly dataDir: string
  readonly pid: number
  /** Everything it printed, for a failing test to show. */
  output(): string
  /** Resolves when the process is gone, however it went. */
  readonly exited: Promise<void>
  kill(signal?: 'SIGKILL' | 'SIGTERM'): Promise<void>
}

/** Below the ports that systems hand out to outgoing connections, which could take one before it is used. */
export async function freePort(): Promise<number> {
  for (let attempt = 0; attempt < 50; attempt++) {
    const port = randomInt(20_000, 32_000)
    const server = createServer()
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => resolve(false))
      server.listen(port, '127.0.0.1', () => resolve(true))
    })
    if (!isFree) continue
    await new Promise((resolve) => server.close(resolve))
    return port
  }
  throw new Error('no port is free')
}

function ready(child: ChildProcess, output: () => string): Promise<void> {
  return new Promise((resolve, reject) => {
    if (child.stdout === null) throw new Error('the node has no output')
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (line.startsWith('listening on ')) resolve()
    })
    child.once('exit', () => {
      reject(new Error(`the node did not start:\n${output()}`))
    })
  })
}

export async function startNodeProcess(options: NodeOptions): Promise<NodeProcess> {
  const port = options.port ?? (await freePort())
  const url = `http://127.0.0.1:${String(port)}`
  const child = spawn(
    process.execPath,
    [
      '--disable-warning=ExperimentalWarning',
      entry,
      'serve',
      '--server-name',
      options.serverName,
      '--public-base-url',
      options.publicUrl ?? url,
      '--data',
      options.dataDir,
      '--listen',
      `127.0.0.1:${String(port)}`,
      '--rate-limits',
      'off',
      ...(options.args ?? []),
    ],
    { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, ...options.env } },
  )
  let printed = ''
  const keep = (chunk: Buffer): void => {
    printed = (printed + chunk.toString('utf8')).slice(-20_000)
  }
  child.stdout.on('data', keep)
  child.stderr.on('data', keep)
  const exited = new Promise<void>((resolve) => {
    child.once('exit', () => {
      resolve()
    })
  })
  await ready(child, () => printed)
  if (child.pid === undefined) throw new Error('the node has no process id')
  return {
    url,
    serverName: options.serverName,
    dataDir: options.dataDir,
    pid: child.pid,
    output: () => printed,
    exited,
    async kill(signal = 'SIGTERM') {
      child.kill(signal)
      await exited
    },
  }
}
