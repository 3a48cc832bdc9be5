import { ApiError } from '../http/api-error.ts'
import { tellAccount } from '../accounts.ts'
import type { Handler } from '../http/call.ts'

export const nameDevice: Handler<'nameDevice'> = async (context, { caller, params, body }) => {
  await context.storage.write(async (tx) => {
    const row = await tx.devices.get(caller.member, params.device)
    if (row === undefined || row.status === 'removed') throw new ApiError('M_NOT_FOUND')
    await tx.devices.update(caller.member, params.device, { name: body.name })
    await tellAccount(context, tx, caller.member)
  })
  return {}
}
