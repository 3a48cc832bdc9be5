import { tellAccount } from '../accounts.ts'
import type { Handler } from '../http/call.ts'

/** A pending device that leaves was never there; an active one stays in the manifest until removed. */
export const logout: Handler<'logout'> = async (context, { caller }) => {
  await context.storage.write(async (tx) => {
    await tx.devices.dropToken(caller.tokenHash)
    if (caller.scope === 'full') return
    await tx.devices.delete(caller.member, caller.device)
    await tellAccount(context, tx, caller.member)
  })
  return {}
}
