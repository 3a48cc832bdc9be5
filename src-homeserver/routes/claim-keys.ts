import type { PrekeyBundle, PublicPrekey } from '../../src-shared/protocol/index.ts'
import type { Body } from '../../src-shared/api/index.ts'
import { accountOf, deviceKeys } from '../accounts.ts'
import type { Context } from '../context.ts'
import type { Caller, Handler } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'

type Wanted = Body<'claimKeys'>['devices'][number]

export const claimKeys: Handler<'claimKeys'> = async (context, { caller, body }) =>
  context.storage.write(async (tx) => {
    const bundles: { member: string; device: string; bundle: PrekeyBundle }[] = []
    const missing: { member: string; device: string }[] = []
    for (const wanted of body.devices) {
      const { member, device } = wanted
      const bundle = await bundleOf(context, tx, caller, wanted)
      if (bundle === undefined) missing.push({ member, device })
      else bundles.push({ member, device, bundle })
    }
    return { bundles, missing }
  })

async function bundleOf(
  context: Context,
  tx: Tx,
  caller: Caller,
  { user_id, member, device }: Wanted,
): Promise<PrekeyBundle | undefined> {
  const account = await accountOf(context, tx, user_id)
  if (account?.member !== member) return undefined
  const row = await tx.devices.get(member, device)
  const signed = await tx.prekeys.current(member, device, 'signed')
  if (row?.status !== 'active' || signed === undefined) return undefined
  // One account must not be able to empty another's pool; the signed prekey alone serves as well.
  const may = context.prekeyQuota.take(`${caller.member}/${member}/${device}`, context.now())
  const oneTime = may ? await tx.prekeys.claim(member, device) : undefined
  const kem = await tx.prekeys.current(member, device, 'kem')
  if (oneTime !== undefined)
    await tx.streams.append('prekeys', device, null, [{ member, device }], context.now())
  return {
    device: { member, ...deviceKeys(row) },
    signed: read(signed),
    ...(oneTime === undefined ? {} : { one_time: read(oneTime) }),
    ...(kem === undefined ? {} : { kem: read(kem) }),
  }
}

function read(text: string): PublicPrekey {
  return JSON.parse(text) as PublicPrekey
}
