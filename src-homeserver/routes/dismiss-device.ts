import { ApiError } from '../http/api-error.ts'
import { tellAccount } from '../accounts.ts'
import type { Handler } from '../http/call.ts'

/** A pending device may dismiss itself only. Devices of the manifest are removed by an entry instead. */
export const dismissDevice: Handler<'dismissDevice'> = async (context, { caller, params }) => {
  if (caller.scope === 'pending' && caller.device !== params.device)
    throw new ApiError('E_DEVICE_PENDING')
  await context.storage.write(async (tx) => {
    const row = await tx.devices.get(caller.member, params.device)
    if (row?.status !== 'pending') throw new ApiError('M_NOT_FOUND')
    await tx.devices.delete(caller.member, params.device)
    await tellAccount(context, tx, caller.member)
  })
  return {}
}
