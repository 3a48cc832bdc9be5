/** Waiting for what nodes tell each other. */
import { strict as assert } from 'node:assert'
import { setTimeout as wait } from 'node:timers/promises'

/** Nodes may take a moment to tell each other; nothing here says how long a moment is but this. */
export async function until(
  holds: () => boolean | Promise<boolean>,
  what: () => string = () => 'waited too long',
  ms = 45_000,
): Promise<void> {
  const end = Date.now() + ms
  for (let pause = 10; !(await holds()); pause = Math.min(pause * 1.5, 500)) {
    if (Date.now() > end) assert.fail(what())
    await wait(pause)
  }
}
