/** The shape of every answer, to clients and to other servers: JSON, errors with a stable code, never a stack. */
import type { FastifyReply } from 'fastify'
import type { Context } from '../context.ts'
import { failure } from '../log.ts'
import { StorageError } from '../storage/index.ts'
import { ApiError } from './api-error.ts'

const RETRY_AFTER_MS = 1000
const FULL_RETRY_AFTER_MS = 10_000

export function sendJson(reply: FastifyReply, value: unknown): FastifyReply {
  return reply.type('application/json; charset=utf-8').send(JSON.stringify(value))
}

export function answerError(context: Context, error: unknown, reply: FastifyReply): FastifyReply {
  const known = asApiError(error)
  if (known.errcode === 'M_UNKNOWN') context.log.error(failure(error), 'request failed')
  return sendJson(reply.code(known.statusCode), known.body())
}

/** What a failure is to whoever has asked. */
export function asApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error
  if (error instanceof StorageError && error.code === 'unavailable')
    return new ApiError('E_STORAGE_UNAVAILABLE', { retry_after_ms: RETRY_AFTER_MS })
  if (error instanceof StorageError && error.code === 'full')
    return new ApiError('E_STORAGE_FULL', { retry_after_ms: FULL_RETRY_AFTER_MS })
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  if (code === 'FST_ERR_CTP_BODY_TOO_LARGE') return new ApiError('M_TOO_LARGE')
  const status = error instanceof Error && 'statusCode' in error ? error.statusCode : 500
  return typeof status === 'number' && status >= 400 && status < 500
    ? new ApiError('M_INVALID_PARAM')
    : new ApiError('M_UNKNOWN')
}
