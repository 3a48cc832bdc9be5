/** The OpenAPI document, made from the very schemas that check requests. */
import * as z from 'zod'
import { clientApi, errorBodySchema, statusOf } from '../../src-shared/api/index.ts'
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
      schemas: { Error: schema(errorBodySchema, 'output') },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
    },
  }
}

function operation(name: string, endpoint: Endpoint): Doc {
  const answers: Record<string, Doc> = {
    200: { description: 'Done', ...content(schema(endpoint.response, 'output')) },
  }
  for (const code of endpoint.errors) {
    const known = answers[statusOf[code]]
    const description = known === undefined ? code : `${String(known['description'])}, ${code}`
    answers[statusOf[code]] = {
      description,
      ...content({ $ref: '#/components/schemas/Error' }),
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
          requestBody: { required: true, ...content(schema(endpoint.body, 'input')) },
          'x-max-bytes': endpoint.maxBytes,
        }),
    responses: answers,
  }
}

function parameters(object: z.ZodType, where: 'path' | 'query'): Doc[] {
  const made = schema(object, 'input')
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

function schema(type: z.ZodType, io: 'input' | 'output'): Doc {
  const { $schema: _, ...made } = z.toJSONSchema(type, { io, unrepresentable: 'any' })
  return made
}
