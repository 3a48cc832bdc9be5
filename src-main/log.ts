/**
 * Main's log: closed event names with numbers and ids, never text or secrets. Failures go to stderr; all
 * of it goes, one JSON line each and written before the program goes on, to the file named by ECCP_LOG.
 * Boundaries (`commit.before`, `http.after`, `mirror.before` and the like) are announced as such too.
 */
import { appendFileSync } from 'node:fs'
import { passBoundary } from '../src-platform/boundary.ts'
import type { Boundary } from '../src-platform/boundary.ts'
import type { Log } from '../src-shared/client/index.ts'

export function createLog(path: string | undefined): Log {
  return (event, fields = {}) => {
    if (isBoundary(event)) passBoundary(event, String(fields['what'] ?? ''))
    const line = `${JSON.stringify({ time: Date.now(), event, ...fields })}\n`
    if (path !== undefined) appendFileSync(path, line)
    if (/\.(failed|damaged|not_opened|lost)$/.test(event)) process.stderr.write(line)
  }
}

function isBoundary(event: string): event is Boundary {
  return /\.(before|after)$/.test(event)
}
