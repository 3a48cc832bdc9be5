/**
 * The host's first code, in plain JavaScript: turns on the compile cache, so that later starts
 * neither strip types nor compile again, and Node's inspector where it is asked for, and goes on
 * in TypeScript.
 */
import inspector from 'node:inspector'
import { enableCompileCache } from 'node:module'

enableCompileCache()
const args = []
for (const arg of process.argv.slice(2)) {
  const asked = /^--inspect(-brk)?(?:=(?:127\.0\.0\.1:)?(\d+))?$/.exec(arg)
  if (asked === null) args.push(arg)
  else {
    inspector.open(Number(asked[2] ?? 9229), '127.0.0.1')
    if (asked[1] !== undefined) inspector.waitForDebugger()
  }
}
const { main } = await import('./boot.ts')
await main(args)
