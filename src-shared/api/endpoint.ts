/** What an endpoint is: the one description that types the client, validates in the node and makes OpenAPI. */
import type * as z from 'zod'
import type { Errcode } from './errors.ts'

/** Who may call: nobody in particular, any device of an account, or an approved device only. */
export type Auth = 'none' | 'any_device' | 'active_device'

export interface Endpoint<
  P extends z.ZodType = z.ZodType,
  Q extends z.ZodType = z.ZodType,
  B extends z.ZodType = z.ZodType,
  R extends z.ZodType = z.ZodType,
> {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE'
  /** With `{name}` placeholders, one per key of `params`. */
  readonly path: string
  readonly auth: Auth
  readonly summary: string
  readonly params: P
  readonly query: Q
  /** `z.undefined()` where there is none. */
  readonly body: B
  readonly response: R
  /** Largest request body in bytes. */
  readonly maxBytes: number
  readonly errors: readonly Errcode[]
}

export function endpoint<
  P extends z.ZodType,
  Q extends z.ZodType,
  B extends z.ZodType,
  R extends z.ZodType,
>(e: Endpoint<P, Q, B, R>): Endpoint<P, Q, B, R> {
  return e
}
