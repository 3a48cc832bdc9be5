/**
 * Loaded with `--import` into a process under test, before its own code. Writes each boundary that the
 * process passes to a file, and at a chosen one sends SIGKILL: to the process itself, or to the browser
 * below it. Both happen inside the announcement, so nothing of the process runs in between.
 *
 *   ECCP_BOUNDARY_FILE  where to append `point what` lines
 *   ECCP_KILL_AT        `point what#n`: the n-th passing of that boundary, counted from 1
 *   ECCP_KILL_TARGET    `self` (default) or `browser`
 *   ECCP_PLANTED_BUG    `ack-before-commit`: the vault says "done" 400 ms before it writes
 */
import { subscribe } from 'node:diagnostics_channel'
import { appendFileSync, readdirSync, readFileSync } from 'node:fs'

// The app hands its environment down to the personal node, which is not the process meant.
const isPersonalNode = process.argv.some((argument) =>
  /[/\\]out[/\\]main[/\\]node\.js$/.test(argument),
)
const file = isPersonalNode ? undefined : process.env['ECCP_BOUNDARY_FILE']
const [boundary, occurrence] = (process.env['ECCP_KILL_AT'] ?? '').split('#')
const [point, what = ''] = (boundary ?? '').split(' ')
const target = process.env['ECCP_KILL_TARGET'] ?? 'self'
let left = Number(occurrence ?? Number.NaN)

/** Linux: the direct children whose program is a browser. */
function browserChildren(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => {
      try {
        const stat = readFileSync(`/proc/${String(pid)}/stat`, 'utf8')
        const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
        return (
          parent === process.pid &&
          /chrom|edge|electron/i.test(readFileSync(`/proc/${String(pid)}/cmdline`, 'utf8'))
        )
      } catch {
        // Gone between listing and reading.
        return false
      }
    })
}

function kill(): void {
  if (target === 'browser') for (const pid of browserChildren()) process.kill(pid, 'SIGKILL')
  else process.kill(process.pid, 'SIGKILL')
}

function isBoundary(message: unknown): message is { point: string; what: string } {
  return typeof message === 'object' && message !== null && 'point' in message && 'what' in message
}

subscribe('eccp:boundary', (message) => {
  if (!isBoundary(message)) return
  // A commit may hold several steps; it is a boundary of each of them.
  const steps = message.what.split('+')
  const hit =
    !isPersonalNode && message.point === point && steps.includes(what) && (left -= 1) === 0
  if (file !== undefined)
    appendFileSync(file, `${message.point} ${message.what}${hit ? ' KILL' : ''}\n`)
  if (hit) kill()
})

if (process.env['ECCP_PLANTED_BUG'] === 'ack-before-commit') {
  const { MessagePortMain } = await import('../../host/api/message-port.ts')
  const original = MessagePortMain.prototype.postMessage
  MessagePortMain.prototype.postMessage = function (message, transfer) {
    const isApply =
      typeof message === 'object' &&
      message !== null &&
      'op' in message &&
      message.op === 'apply' &&
      'n' in message
    if (!isApply) {
      original.call(this, message, transfer)
      return
    }
    this.receive({ data: { n: message.n, ok: true, value: null }, ports: [] })
    setTimeout(() => {
      original.call(this, message, transfer)
    }, 400)
  }
}
