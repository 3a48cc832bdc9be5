/** A Transport that answers by endpoint name, for tests of single parts. */
import { clientApi } from '../../api/index.ts'
import type { EndpointName, Errcode } from '../../api/index.ts'
import { statusOf } from '../../api/index.ts'
import { fromUtf8, toUtf8 } from '../../protocol/index.ts'
import { TransportError } from '../ports.ts'
import type { HttpRequest, HttpResponse, Transport } from '../ports.ts'

export interface Asked {
  readonly name: EndpointName
  readonly path: string
  readonly body: unknown
}

type Handler = (asked: Asked) => unknown

/** What a handler returns to refuse. */
export class Refuse {
  readonly errcode: Errcode
  constructor(errcode: Errcode) {
    this.errcode = errcode
  }
}

export class FakeNode implements Transport {
  readonly asked: Asked[] = []
  readonly #handlers = new Map<EndpointName, Handler>()
  /** Nothing answers while true. */
  down = false

  on(name: EndpointName, handler: Handler): this {
    this.#handlers.set(name, handler)
    return this
  }

  count(name: EndpointName): number {
    return this.asked.filter((asked) => asked.name === name).length
  }

  request(request: HttpRequest): Promise<HttpResponse> {
    if (this.down) return Promise.reject(new TransportError('unreachable'))
    const name = nameOf(request)
    const body: unknown = request.body === null ? null : JSON.parse(fromUtf8(request.body))
    const asked = { name, path: request.path, body }
    this.asked.push(asked)
    const handler = this.#handlers.get(name)
    const answer = handler === undefined ? new Refuse('M_NOT_FOUND') : handler(asked)
    const refused = answer instanceof Refuse
    const json = refused ? { errcode: answer.errcode, error: 'no' } : answer
    const status = refused ? statusOf[answer.errcode] : 200
    return Promise.resolve({ status, body: toUtf8(JSON.stringify(json)) })
  }
}

function nameOf({ method, path }: HttpRequest): EndpointName {
  const bare = path.split('?')[0] ?? ''
  for (const [name, endpoint] of Object.entries(clientApi)) {
    const pattern = endpoint.path.replace(/\{[A-Za-z]+\}/g, '[^/]+')
    if (endpoint.method === method && new RegExp(`^${pattern}$`).test(bare))
      return name as EndpointName
  }
  throw new RangeError(`no endpoint ${method} ${bare}`)
}
