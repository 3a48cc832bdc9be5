/** What a route gets and gives: the endpoint's own types, from its schemas. */
import type { ClientApi, EndpointName, Response as Answer } from '../../src-shared/api/index.ts'
import type * as z from 'zod'
import type { JsonObject } from '../../src-shared/protocol/index.ts'
import type { Context } from '../context.ts'

/** The device behind a token. */
export interface Caller {
  readonly member: string
  readonly userId: string
  readonly device: string
  readonly scope: 'full' | 'pending'
  /** SHA-256 of the token, base64url. */
  readonly tokenHash: string
}

type CallerOf<N extends EndpointName> = ClientApi[N]['auth'] extends 'none' ? null : Caller

export interface Call<N extends EndpointName> {
  readonly caller: CallerOf<N>
  readonly params: z.output<ClientApi[N]['params']>
  readonly query: z.output<ClientApi[N]['query']>
  readonly body: z.output<ClientApi[N]['body']>
  /** The body as the strict parser read it: what is hashed, verified and stored. */
  readonly raw: JsonObject
  /** SHA-256 of the body's bytes, base64url. */
  readonly digest: string
  /** Aborted when the caller hangs up or the node stops. */
  readonly gone: AbortSignal
}

export type Handler<N extends EndpointName> = (
  context: Context,
  call: Call<N>,
) => Promise<Answer<N>>
