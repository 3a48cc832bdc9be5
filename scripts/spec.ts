/**
 * `npm run spec`: writes what the draft takes from the code: its JSON Schemas, and the examples that quote a
 * fixture. `npm test` fails where they differ.
 */
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { format, resolveConfig } from 'prettier'
import { readChapters } from '../spec/chapters.ts'
import { quoted, shortened } from '../spec/examples.ts'
import { jsonSchemaText, schemas } from '../spec/schemas.ts'

const folder = join(import.meta.dirname, '..', 'spec')
const formatted = async (path: string, text: string): Promise<string> =>
  format(text, { ...(await resolveConfig(path)), filepath: path })

const schemaFolder = join(folder, 'schemas')
mkdirSync(schemaFolder, { recursive: true })
for (const file of readdirSync(schemaFolder)) rmSync(join(schemaFolder, file))
for (const name of Object.keys(schemas)) {
  const path = join(schemaFolder, `${name}.json`)
  writeFileSync(path, await formatted(path, jsonSchemaText(name)))
}
console.log(`${Object.keys(schemas).length} schemas`)

let copied = 0
for (const chapter of readChapters()) {
  const lines = chapter.text.split('\n')
  // From the end, so that the line numbers of those before stay right.
  for (const example of chapter.examples.toReversed()) {
    if (example.attributes['fixture'] === undefined) continue
    const end = lines.indexOf('```', example.line)
    const text = JSON.stringify(shortened(quoted(example)), null, 2)
    lines.splice(example.line, end - example.line, ...text.split('\n'))
    copied += 1
  }
  const path = join(folder, chapter.file)
  writeFileSync(path, await formatted(path, lines.join('\n')))
}
console.log(`${copied} examples from fixtures`)
