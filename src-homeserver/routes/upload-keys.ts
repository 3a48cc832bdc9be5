import { fromBase64Url, verifyPrekey } from '../../src-shared/protocol/index.ts'
import type { PrekeyKind, PublicPrekey } from '../../src-shared/protocol/index.ts'
import { deviceKeys } from '../accounts.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'

const MAX_STOCK = 500

export const uploadKeys: Handler<'uploadKeys'> = async (context, { caller, body }) => {
  const { member, device } = caller
  return context.storage.write(async (tx) => {
    const row = await tx.devices.get(member, device)
    if (row?.status !== 'active') throw new ApiError('E_DEVICE_REMOVED')
    const key = fromBase64Url(deviceKeys(row).ed25519)
    const stored = (kind: PrekeyKind, prekey: PublicPrekey) => {
      if (!verifyPrekey(context.crypto, key, { member, device }, kind, prekey))
        throw new ApiError('M_INVALID_PARAM', { rule: 'bad_prekey' })
      const { id, key: text, sig } = prekey
      return {
        member,
        device,
        kind,
        prekey_id: id,
        prekey: JSON.stringify({ id, key: text, sig }),
        stored_at: context.now(),
      }
    }
    if (body.signed !== undefined) await tx.prekeys.replace(stored('signed', body.signed))
    if (body.kem !== undefined) await tx.prekeys.replace(stored('kem', body.kem))
    const room = MAX_STOCK - (await tx.prekeys.oneTimeStock(member, device))
    const offered = body.one_time ?? []
    if (offered.length > room) throw new ApiError('M_LIMIT_EXCEEDED', { rule: 'stock' })
    await tx.prekeys.add(offered.map((prekey) => stored('one_time', prekey)))
    return { one_time_prekeys: await tx.prekeys.oneTimeStock(member, device) }
  })
}
