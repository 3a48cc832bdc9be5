/**
 * The places where a crash matters: right before and after a commit, right before and after a request.
 * Each is announced, synchronously, on a diagnostics channel of Node. Without a subscriber this costs
 * next to nothing; the fault tests subscribe from outside and end the process there.
 */
import { channel } from 'node:diagnostics_channel'

const boundaries = channel('eccp:boundary')

/** `commit.before`, `http.after` and the like. */
export type Boundary = `${string}.before` | `${string}.after`

/** `what` is a closed name from the code, never text or an id of a user. */
export function passBoundary(point: Boundary, what: string): void {
  if (boundaries.hasSubscribers) boundaries.publish({ point, what })
}
