import { everyoneWhoKnows } from '../accounts.ts'
import { tellServersAround } from '../federation/announce.ts'
import type { Handler } from '../http/call.ts'

export const setProfile: Handler<'setProfile'> = async (context, { caller, body }) => {
  await context.storage.write(async (tx) => {
    await tx.accounts.setDisplayName(caller.member, body.display_name)
    const audience = await everyoneWhoKnows(tx, caller.member)
    await tx.streams.append('profile', caller.member, null, audience, context.now())
    const { member, userId: user_id } = caller
    const item = { user_id, member, display_name: body.display_name }
    await tellServersAround(context, tx, member, 'profile', item)
  })
  return {}
}
