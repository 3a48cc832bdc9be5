import { fromBase64Url, verifyReceipt } from '../../src-shared/protocol/index.ts'
import type { JsonObject } from '../../src-shared/protocol/index.ts'
import { deviceKeys } from '../accounts.ts'
import { tellResidents } from '../federation/announce.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

/** What names an unknown envelope, or was said before, is passed over: the rest still counts. */
export const receipts: Handler<'receipts'> = async (context, { caller, params, body, raw }) => {
  const room = params.roomId
  const rawReceipts = raw['receipts'] as readonly JsonObject[]
  await context.storage.write(async (tx) => {
    const own = await tx.rooms.membership(room, caller.member)
    if (own === undefined) throw new ApiError('M_NOT_FOUND')
    if (own.membership !== 'join') throw new ApiError('M_FORBIDDEN')
    const device = await tx.devices.get(caller.member, caller.device)
    if (device?.status !== 'active') throw new ApiError('E_DEVICE_REMOVED')
    const key = fromBase64Url(deviceKeys(device).ed25519)
    const audience = (await tx.rooms.localMembers(room, ['join'])).map((member) => ({ member }))
    for (const [index, receipt] of body.receipts.entries()) {
      const mine = receipt.member === caller.member && receipt.device === caller.device
      if (!mine || receipt.room !== room || !verifyReceipt(context.crypto, receipt, key))
        throw new ApiError('M_FORBIDDEN', { rule: 'bad_receipt' })
      const { envelope: envelope_id, kind, member } = receipt
      const row = { room_id: room, envelope_id, kind, member, device: receipt.device }
      if ((await tx.events.byEnvelope(room, envelope_id)) === undefined) continue
      if (await tx.receipts.has(row)) continue
      const pos = await tx.streams.append('receipt', envelope_id, room, audience, context.now())
      await tx.receipts.put({ ...row, pos, receipt: JSON.stringify(rawReceipts[index]) })
      const item = { receipt: rawReceipts[index] ?? {} }
      await tellResidents(context, tx, room, 'receipt', item)
    }
  })
  return {}
}
