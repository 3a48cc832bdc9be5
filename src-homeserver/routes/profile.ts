import { accountOf } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

export const profile: Handler<'profile'> = async (context, { params }) => {
  const account = await context.storage.read((tx) => accountOf(context, tx, params.userId))
  if (account === undefined) throw new ApiError('M_NOT_FOUND')
  return { user_id: account.user_id, display_name: account.display_name }
}
