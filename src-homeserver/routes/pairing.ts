import { ApiError } from '../http/api-error.ts'
import { tellAccount } from '../accounts.ts'
import type { Handler } from '../http/call.ts'
import type { PairingStep } from '../storage/index.ts'

/** A step said anew makes those after it void. */
const LATER: Readonly<Record<PairingStep, readonly PairingStep[]>> = {
  start: ['answer', 'reveal', 'verdict'],
  answer: ['reveal', 'verdict'],
  reveal: ['verdict'],
  verdict: [],
}

/** The pending device starts and reveals, an approved one answers; the verdict may come from either. */
const BY_PENDING: Readonly<Record<PairingStep, boolean | null>> = {
  start: true,
  answer: false,
  reveal: true,
  verdict: null,
}

export const pairing: Handler<'pairing'> = async (context, { caller, params, body }) => {
  const { device, step } = params
  const pending = caller.scope === 'pending'
  if (pending && caller.device !== device) throw new ApiError('E_DEVICE_PENDING')
  const who = BY_PENDING[step]
  if (who !== null && who !== pending) throw new ApiError('M_FORBIDDEN')
  await context.storage.write(async (tx) => {
    const row = await tx.devices.get(caller.member, device)
    if (row?.status !== 'pending') throw new ApiError('M_NOT_FOUND')
    const { message } = body
    const said = (await tx.devices.pairings(caller.member)).find(
      (known) => known.device === device && known.step === step,
    )
    if (said?.message === message) return
    await tx.devices.dropPairing(caller.member, device, LATER[step])
    const stored_at = context.now()
    await tx.devices.putPairing({ member: caller.member, device, step, message, stored_at })
    await tellAccount(context, tx, caller.member)
  })
  return {}
}
