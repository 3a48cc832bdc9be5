import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

export const serverKeys: Handler<'serverKeys'> = async (context, { params }) => {
  const keys = await context.serverKeys.known(params.serverName)
  // Every event that a device is shown was verified here, so its key is known.
  if (keys.length === 0) throw new ApiError('M_NOT_FOUND')
  return { server_name: params.serverName, keys }
}
