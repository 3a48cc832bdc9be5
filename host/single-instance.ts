/**
 * One instance per userData folder: a lock file that names its owner, and a socket over which
 * later instances hand their command line to the first. The lock of a killed owner is void.
 */
import { createHash } from 'node:crypto'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export interface SecondInstance {
  argv: string[]
  cwd: string
  data: unknown
}

export interface InstanceLock {
  /** False where another instance runs; it is then being told of this one. */
  readonly owned: boolean
  /** Settles when the other instance was told. */
  readonly told: Promise<void>
  release(): void
}

/** Field 22 of /proc/PID/stat: tells a process from a later one with the same number. */
function startTime(pid: number): string {
  try {
    const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? ''
  } catch {
    return ''
  }
}

function isRunning(pid: number, started: string): boolean {
  try {
    process.kill(pid, 0)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  return startTime(pid) === started
}

/** A Unix socket's path must stay short, so it is not put into the folder itself. */
function socketPath(userData: string): string {
  const name = `eccp-${createHash('sha256').update(userData).digest('hex').slice(0, 16)}`
  if (process.platform === 'win32') return `\\\\.\\pipe\\${name}`
  const folder = join(tmpdir(), `eccp-host-${String(process.getuid?.() ?? 0)}`)
  mkdirSync(folder, { recursive: true, mode: 0o700 })
  return join(folder, `${name}.sock`)
}

function tell(path: string, message: SecondInstance): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect(path)
    const done = (): void => {
      clearTimeout(timer)
      socket.destroy()
      resolve()
    }
    const timer = setTimeout(done, 2000)
    socket.once('error', done)
    socket.once('close', done)
    socket.end(JSON.stringify(message))
    socket.resume()
  })
}

function listen(path: string, onSecond: (second: SecondInstance) => void): Server {
  if (process.platform !== 'win32') rmSync(path, { force: true })
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    let text = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    socket.on('error', () => socket.destroy())
    socket.on('end', () => {
      socket.end()
      try {
        onSecond(JSON.parse(text) as SecondInstance)
      } catch {
        // Not one of ours.
      }
    })
  })
  server.on('error', () => {})
  server.listen(path)
  server.unref()
  return server
}

/** Takes the lock of `userData`, or tells its owner of `message`. Synchronous, as in Electron. */
export function requestInstanceLock(
  userData: string,
  message: SecondInstance,
  onSecond: (second: SecondInstance) => void,
): InstanceLock {
  mkdirSync(userData, { recursive: true, mode: 0o700 })
  const file = join(userData, 'instance.lock')
  const path = socketPath(userData)
  const mine = `${String(process.pid)} ${startTime(process.pid)}`
  for (;;) {
    try {
      writeFileSync(file, mine, { flag: 'wx', mode: 0o600 })
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
      const [pid = '', started = ''] = readOwner(file).split(' ')
      if (isRunning(Number(pid) || -1, started)) {
        return { owned: false, told: tell(path, message), release() {} }
      }
      rmSync(file, { force: true })
      continue
    }
    const server = listen(path, onSecond)
    const release = (): void => {
      server.close()
      if (readOwner(file) === mine) rmSync(file, { force: true })
    }
    return { owned: true, told: Promise.resolve(), release }
  }
}

function readOwner(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch {
    return ''
  }
}
