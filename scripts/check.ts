/** `npm run check`: the static checks, or those named on the command line. */
import { checks } from './setup/checks.ts'

const wanted = process.argv.slice(2)
const unknown = wanted.filter((name) => !(name in checks))
if (unknown.length > 0) {
  console.error(
    `There is no check named ${unknown.join(', ')}; there are ${Object.keys(checks).join(', ')}.`,
  )
  process.exit(1)
}
let failed = 0
for (const [name, check] of Object.entries(checks)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const started = performance.now()
  const result = await check()
  console.log(
    `${result.ok ? 'ok  ' : 'FAIL'} ${result.name} (${result.saw}) ${((performance.now() - started) / 1000).toFixed(1)} s`,
  )
  if (!result.ok) {
    failed += 1
    console.log(result.output)
  }
}
process.exit(failed === 0 ? 0 : 1)
