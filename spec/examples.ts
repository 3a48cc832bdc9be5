/**
 * What makes an example in the text true. Each fenced `json` block names at least one of these:
 *
 * - `fixture=FILE/CASE at=/POINTER`: it stands there in the fixture, which code and fixtures' own test
 *   hold true; `npm run spec` copies it. Long texts are shortened to their ends, joined by `…`;
 *   `only=NAME,NAME` picks members.
 * - `schema=NAME`: it has that shape, by the schema the code validates with.
 * - `check=NAME`: a function below looks at it.
 */
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { canonicalText, isJsonObject } from '../src-shared/protocol/index.ts'
import type { Json, JsonObject } from '../src-shared/protocol/index.ts'
import type { Example } from './chapters.ts'
import { schemas } from './schemas.ts'

/** Texts up to this length are copied whole; a signature has 86 characters. */
const WHOLE = 96

const checks: Readonly<Record<string, (value: JsonObject) => boolean>> = {
  canonical: ({ value, canonical }) => value !== undefined && canonicalText(value) === canonical,
}

/** Why an example is not true; none where it is. */
export function faultsOf(example: Example): string[] {
  const value = example.value()
  const { fixture, schema, check } = example.attributes
  const faults: string[] = []
  if (fixture === undefined && schema === undefined && check === undefined)
    faults.push('nothing checks it')
  if (fixture !== undefined && !isShortened(value, quoted(example)))
    faults.push(`differs from the fixture ${fixture}; npm run spec copies it`)
  // What a fixture shows in full may be shortened here.
  const shown = fixture === undefined ? value : quoted(example)
  if (schema !== undefined && schemas[schema]?.safeParse(shown).success !== true)
    faults.push(`does not fit the schema ${schema}`)
  if (check !== undefined && !(isJsonObject(value) && checks[check]?.(value) === true))
    faults.push(`the check ${check} fails`)
  return faults
}

/** The value that `fixture=`, `at=` and `only=` name. */
export function quoted({ file, line, attributes }: Example): Json {
  const { fixture = '', at = '' } = attributes
  const slash = fixture.indexOf('/')
  const name = fixture.slice(0, slash)
  if (!/^[a-z0-9-]+$/.test(name)) throw new Error(`${file}:${line} names no fixture`)
  const text = readFileSync(join(import.meta.dirname, '..', 'fixtures', `${name}.json`), 'utf8')
  const { cases } = JSON.parse(text) as { cases: (JsonObject & { id: string })[] }
  const found = cases.find(({ id }) => id === fixture.slice(slash + 1))
  if (found === undefined) throw new Error(`${file}:${line}: there is no case ${fixture}`)
  let value: Json | undefined = found
  for (const step of at.split('/').slice(1))
    value = (value as Readonly<Record<string, Json>> | undefined)?.[step]
  if (value === undefined) throw new Error(`${file}:${line}: ${fixture} has nothing at ${at}`)
  const { only } = attributes
  if (only === undefined) return value
  const members = value as JsonObject
  return Object.fromEntries(only.split(',').map((member) => [member, members[member] ?? null]))
}

/** With its long texts shortened. */
export function shortened(value: Json): Json {
  if (typeof value === 'string')
    return value.length > WHOLE ? `${value.slice(0, 24)}…${value.slice(-8)}` : value
  if (Array.isArray(value)) return value.map(shortened)
  if (!isJsonObject(value)) return value
  return Object.fromEntries(Object.entries(value).map(([name, part]) => [name, shortened(part)]))
}

function isShortened(value: Json, whole: Json): boolean {
  return canonicalText(value) === canonicalText(shortened(whole))
}
