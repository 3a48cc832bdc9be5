/** A node as a process of its own, for what only a real end can show. */
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { join } from 'node:path'
import { databaseOf } from './database.ts'

export interface NodeProcess {
  readonly url: string
  /** Where other nodes reach it; null: nowhere. */
  readonly federationUrl: string | null
  readonly serverName: string
  readonly pid: number
  readonly output: () => string
  /** Resolves when the process is gone; its exit code, or null after a signal. */
  kill(signal: 'SIGKILL' | 'SIGTERM'): Promise<number | null>
}

export interface ProcessOptions {
  readonly more?: readonly string[]
  readonly name?: string
  /** A settings file that says name, data and listeners. */
  readonly config?: string
  /** Of a PostgreSQL database; without it, what the run is about. */
  readonly database?: string
}

export async function startProcess(
  dataDir: string,
  { more = [], name: serverName = 'node.test', config, database }: ProcessOptions = {},
): Promise<NodeProcess> {
  const main = join(import.meta.dirname, '..', 'main.ts')
  const args =
    config === undefined
      ? [main, 'serve', '--server-name', serverName, '--data', dataDir]
      : [main, 'serve', '--config', config]
  const url = database ?? (await databaseOf(dataDir))
  const child = spawn(
    process.execPath,
    [...args, '--listen', '127.0.0.1:0', '--rate-limits', 'off', '--log', 'debug', ...more],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: url === null ? process.env : { ...process.env, ECCP_DATABASE: url },
    },
  )
  let output = ''
  child.stderr.on('data', (data: Buffer) => (output += data.toString()))
  const listening = await new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (data: Buffer) => {
      output += data.toString()
      const found = /listening on (\S+)/.exec(output)?.[1]
      if (found !== undefined) resolve(found)
    })
    child.once('exit', () => reject(new Error(`the node ended: ${output}`)))
  })
  return {
    url: listening,
    federationUrl: /other nodes on (\S+)/.exec(output)?.[1] ?? null,
    serverName,
    pid: child.pid ?? 0,
    output: () => output,
    kill: (signal) => end(child, signal),
  }
}

function end(child: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  return new Promise((resolve) => {
    if (child.exitCode !== null || child.signalCode !== null) {
      resolve(child.exitCode)
      return
    }
    child.once('exit', (code) => resolve(code))
    child.kill(signal)
  })
}
