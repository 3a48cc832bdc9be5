/**
 * `npm run fixtures`: makes the audit fixtures anew, all or those named. Byte for byte the same each time;
 * `--check` writes nothing and fails where a file differs.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fixtureText } from '../fixtures/fixture.ts'
import { generators } from '../fixtures/generate/index.ts'

const folder = join(import.meta.dirname, '..', 'fixtures')
const wanted = process.argv.slice(2).filter((word) => word !== '--check')
const check = process.argv.includes('--check')
const unknown = wanted.filter((name) => !Object.hasOwn(generators, name))
if (unknown.length > 0) {
  console.error(`There is no fixture ${unknown.join(', ')}.`)
  process.exit(1)
}

let differing = 0
for (const [name, generate] of Object.entries(generators)) {
  if (wanted.length > 0 && !wanted.includes(name)) continue
  const fixture = generate()
  const text = fixtureText(fixture)
  const path = join(folder, `${name}.json`)
  const refused = fixture.cases.filter(({ error }) => error !== undefined).length
  const counts = `${fixture.cases.length - refused} accepted, ${refused} refused, ${text.length} bytes`
  if (!check) writeFileSync(path, text)
  else if (read(path) !== text) {
    differing += 1
    console.log(`${name}: differs`)
    continue
  }
  console.log(`${name}: ${counts}`)
}
process.exit(differing === 0 ? 0 : 1)

function read(path: string): string | null {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return null
  }
}
