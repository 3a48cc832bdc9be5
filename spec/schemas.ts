/**
 * The JSON Schemas of the draft: the table from which the node's OpenAPI document is made too. The names
 * are the file names under `schemas/`; `npm run spec` writes them.
 */
import { jsonSchemas, namedSchemas } from '../src-shared/api/index.ts'

export const schemas = namedSchemas

const made = jsonSchemas((name) => `${name}.json`)

/** The JSON Schema (draft 2020-12) of what arrives: unknown members are refused only where the code does. */
export function jsonSchemaText(name: string): string {
  const schema = made[name]
  if (schema === undefined) throw new Error(`there is no schema ${name}`)
  return `${JSON.stringify({ ...schema, title: name }, null, 2)}\n`
}
