/** The OpenAPI document, made from the very schemas that check requests. */
import * as z from 'zod'
import { clientApi, endpointSchemas, jsonSchemas, statusOf } from '../../src-shared/api/index.ts'
import type { Endpoint } from '../../src-shared/api/index.ts'
import { software } from '../config.ts'
import type { NodeConfig } from '../config.ts'

type Doc = Record<string, unknown>

export function openApiDocument(config: NodeConfig): Doc {
  const paths: Record<string, Doc> = {}
  for (const [name, endpoint] of Object.entries<Endpoint>(clientApi)) {
    const path = (paths[endpoint.path] ??= {})
    path[endpoint.method.toLowerCase()] = operation(name, endpoint)
  }
  return {
    openapi: '3.1.0',
    info: { title: 'ECCP client-server API', version: '1', 'x-software': software },
    ...(config.publicBaseUrl === null ? {} : { servers: [{ url: config.publicBaseUrl }] }),
    paths,
    components: {
      schemas: components(),
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function operation(name: string, endpoint: Endpoint): Doc {
  const { request, response } = endpointSchemas[name] ?? {}
  const answers: Record<string, Doc> = {
    200: { description: 'Done', ...content(refer(response)) },
  }
  for (const code of endpoint.errors) {
    const known = answers[statusOf[code]]
    const description = known === undefined ? code : `${String(known['description'])}, ${code}`
    answers[statusOf[code]] = {
      description,
      ...content(refer('error')),
    }
  }
  return {
    operationId: name,
    summary: endpoint.summary,
    ...(endpoint.auth === 'none' ? {} : { security: [{ token: [] }], 'x-auth': endpoint.auth }),
    parameters: [...parameters(endpoint.params, 'path'), ...parameters(endpoint.query, 'query')],
    ...(endpoint.maxBytes === 0
      ? {}
      : {
          requestBody: { required: true, ...content(refer(request)) },
          'x-max-bytes': endpoint.maxBytes,
        }),
    responses: answers,
  }
}

function parameters(object: z.ZodType, where: 'path' | 'query'): Doc[] {
  const made = z.toJSONSchema(object, { io: 'input', unrepresentable: 'any' })
  const properties = (made['properties'] ?? {}) as Record<string, unknown>
  const required = (made['required'] ?? []) as string[]
  return Object.entries(properties).map(([name, described]) => ({
    name,
    in: where,
    required: where === 'path' || required.includes(name),
    schema: described,
  }))
}

function content(described: Doc): Doc {
  return { content: { 'application/json': { schema: described } } }
}

/** Where nothing is named: an object about which nothing is said. */
function refer(name: string | undefined): Doc {
  return name === undefined ? { type: 'object' } : { $ref: place(name) }
}

function place(name: string): string {
  return `#/components/schemas/${name}`
}

/** Here a schema's place says what it is called, and the document which dialect it is in. */
function components(): Doc {
  return Object.fromEntries(
    Object.entries(jsonSchemas(place))
      .filter(([name]) => !name.startsWith('server-'))
      .map(([name, { $id: _, $schema: __, ...schema }]) => [name, schema]),
  )
}
