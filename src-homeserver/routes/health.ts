import type { Handler } from '../http/call.ts'

export const health: Handler<'health'> = async () => ({ status: 'ok' })
