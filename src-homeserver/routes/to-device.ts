import { parseUserId, toBase64Url } from '../../src-shared/protocol/index.ts'
import type { JsonObject } from '../../src-shared/protocol/index.ts'
import { mayFederate } from '../federation/admission.ts'
import { tellServer } from '../federation/announce.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import { once } from '../rooms/once.ts'

const MAX_WAITING = 10_000

/** Messages to devices that are not (or no longer) there are dropped: nobody could ever read them. */
export const toDevice: Handler<'toDevice'> = async (
  context,
  { caller, params, body, raw, digest },
) => {
  const rawMessages = raw['messages'] as readonly JsonObject[]
  const request = { caller, scope: 'to-device', txn: params.txnId, digest }
  return once(context, request, async (tx) => {
    for (const [index, { user_id, member, device, message }] of body.messages.entries()) {
      const { sender, recipient } = message
      const fits =
        sender.member === caller.member &&
        sender.device === caller.device &&
        recipient.member === member &&
        recipient.device === device
      if (!fits) throw new ApiError('M_FORBIDDEN', { rule: 'wrong_ends' })
      const server = parseUserId(user_id)?.server ?? ''
      if (!mayFederate(context, server)) throw new ApiError('E_FEDERATION_UNAVAILABLE')
      if (server !== context.config.serverName) {
        const item = { user_id: caller.userId, message: rawMessages[index]?.['message'] ?? {} }
        await tellServer(context, tx, server, 'to_device', item)
        continue
      }
      const row = await tx.devices.get(member, device)
      if (row?.status !== 'active') continue
      if ((await tx.toDevice.waiting(member, device)) >= MAX_WAITING)
        throw new ApiError('M_LIMIT_EXCEEDED', { rule: 'waiting' })
      const id = toBase64Url(context.random(12))
      const audience = [{ member, device }]
      const pos = await tx.streams.append('to_device', id, null, audience, context.now())
      await tx.toDevice.put({
        member,
        device,
        pos,
        id,
        sender_member: caller.member,
        sender_user: caller.userId,
        message: JSON.stringify(rawMessages[index]?.['message']),
      })
    }
    return {}
  })
}
