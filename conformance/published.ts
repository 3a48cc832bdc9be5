/** The JSON Schemas that the draft publishes (`spec/schemas`), as checks of what a node answers. */
import { readdirSync, readFileSync } from 'node:fs'
import * as z from 'zod'

const folder = new URL('../spec/schemas/', import.meta.url)

export interface PublishedSchemas {
  /** What is wrong with a value, or null. Throws `RangeError` for a name that the draft does not have. */
  faultOf(name: string, value: unknown): string | null
  has(name: string): boolean
}

/** References between the files become references within one document. */
function inOneDocument(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(inOneDocument)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== '$id' && key !== '$schema')
      .map(([key, inner]) => [
        key,
        key === '$ref' && typeof inner === 'string'
          ? `#/$defs/${inner.replace(/\.json$/, '')}`
          : inOneDocument(inner),
      ]),
  )
}

export function readPublishedSchemas(): PublishedSchemas {
  const definitions: Record<string, unknown> = {}
  for (const file of readdirSync(folder))
    if (file.endsWith('.json'))
      definitions[file.slice(0, -5)] = inOneDocument(
        JSON.parse(readFileSync(new URL(file, folder), 'utf8')),
      )
  const compiled = new Map<string, z.ZodType>()
  const has = (name: string): boolean => Object.hasOwn(definitions, name)
  return {
    has,
    faultOf(name, value) {
      if (!has(name)) throw new RangeError(`no schema ${name}`)
      let schema = compiled.get(name)
      if (schema === undefined) {
        schema = z.fromJSONSchema({ $defs: definitions, $ref: `#/$defs/${name}` } as Parameters<
          typeof z.fromJSONSchema
        >[0])
        compiled.set(name, schema)
      }
      const parsed = schema.safeParse(value)
      if (parsed.success) return null
      const [issue] = parsed.error.issues
      return `${name}: ${(issue?.path ?? []).map(String).join('.')}: ${issue?.message ?? ''}`
    },
  }
}
