/**
 * Main's log: closed event names with numbers and ids, never text or secrets. Failures go to stderr; all
 * of it goes, one JSON line each and written before the program goes on, to the file named by ECCP_LOG.
 *
 * Boundaries (`commit.before`, `http.after`, `mirror.before` and the like) are also announced on the
 * diagnostics channel `eccp:boundary`, within the call: who listens there knows exactly how far the
 * program has come. Nobody listens in ordinary use.
 */
import { channel } from 'node:diagnostics_channel'
import { appendFileSync } from 'node:fs'
import { passBoundary } from '../src-platform/boundary.ts'
import type { Log } from '../src-shared/client/index.ts'

const boundaries = channel('eccp:boundary')

export function createLog(path: string | undefined): Log {
  return (event, fields = {}) => {
    if (isBoundary(event)) passBoundary(event, String(fields['what'] ?? ''))
    if (boundaries.hasSubscribers && /\.(before|after)$/.test(event)) {
      boundaries.publish({ point: event, what: String(fields['what'] ?? '') })
    }
    const line = `${JSON.stringify({ time: Date.now(), event, ...fields })}\n`
    if (path !== undefined) appendFileSync(path, line)
    if (/\.(failed|damaged|not_opened|lost)$/.test(event)) process.stderr.write(line)
  }
}

type Boundary = Parameters<typeof passBoundary>[0]

function isBoundary(event: string): event is Boundary {
  return (
    event === 'commit.before' ||
    event === 'commit.after' ||
    event === 'http.before' ||
    event === 'http.after'
  )
}
