import type { Handler } from '../http/call.ts'

export const whoami: Handler<'whoami'> = async (_context, { caller }) => ({
  user_id: caller.userId,
  member: caller.member,
  device: caller.device,
  scope: caller.scope,
})
