/** Ends the personal node below a test's home: it outlives the app on purpose, a test it may not. */
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

export function endPersonalNode(home: string): void {
  const file = join(home, 'node', 'running.json')
  if (!existsSync(file)) return
  const { pid } = JSON.parse(readFileSync(file, 'utf8')) as { pid: number }
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It ended by itself.
  }
}
