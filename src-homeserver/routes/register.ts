import { canonicalText, verifyGenesis } from '../../src-shared/protocol/index.ts'
import type { JsonObject, SignedEntry } from '../../src-shared/protocol/index.ts'
import { checkLoginProof, newDevice, openSession, userIdFor } from '../accounts.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import { hashToken } from '../http/bearer.ts'
import type { Handler } from '../http/call.ts'
import type { Tx } from '../storage/index.ts'

const MIN_PASSWORD = 8

export const register: Handler<'register'> = async (context, { body, raw }) => {
  const { config, crypto, storage, passwords } = context
  const userId = userIdFor(context, body.username)
  if (body.password.length < MIN_PASSWORD) throw new ApiError('M_WEAK_PASSWORD')

  const genesis = raw['genesis'] as unknown as SignedEntry
  const verified = verifyGenesis(crypto, genesis)
  if (!verified.ok) throw new ApiError('E_BAD_ENTRY', { rule: verified.code })
  const { state } = verified
  if (state.userId !== userId) throw new ApiError('E_BAD_ENTRY', { rule: 'wrong_user' })
  const [device] = state.devices.values()
  if (device === undefined) throw new ApiError('E_BAD_ENTRY', { rule: 'unknown_device' })
  const claim = { server: config.serverName, user: userId, device: device.id }
  checkLoginProof(context, device, claim, body.proof)

  const existing = await storage.read((tx) => tx.accounts.byName(body.username))
  if (existing !== undefined) {
    // The answer to an earlier, identical request was lost: the device asks again with the same keys.
    const same = existing.member === state.fingerprint
    if (!same || !(await passwords.verify(existing.password_hash, body.password)))
      throw new ApiError('M_USER_IN_USE')
    return storage.write(async (tx) => {
      const row = await tx.devices.get(state.fingerprint, device.id)
      if (row === undefined || row.status === 'removed') throw new ApiError('E_DEVICE_REMOVED')
      return openSession(context, tx, existing, row)
    })
  }

  if (config.registration === 'closed' && config.bootstrapAdmin !== body.username)
    throw new ApiError('M_REGISTRATION_CLOSED')
  const passwordHash = await passwords.hash(body.password)
  return storage.write(async (tx) => {
    if ((await tx.accounts.byName(body.username)) !== undefined) throw new ApiError('M_USER_IN_USE')
    const admin = await admit(context, tx, body.username, body.registration_token)
    const account = {
      member: state.fingerprint,
      name: body.username,
      user_id: userId,
      password_hash: passwordHash,
      display_name: body.display_name ?? body.username,
      admin: admin ? 1 : 0,
      created_at: context.now(),
      head: state.head,
      height: state.height,
      feed_floor: 0,
    }
    await tx.accounts.insert(account)
    const entry = canonicalText(genesis as unknown as JsonObject)
    await tx.manifests.append(state.fingerprint, state.height, state.head, entry, context.now())
    const name = body.device_name ?? null
    const row = await newDevice(context, tx, state.fingerprint, device, 'active', name)
    await tx.devices.insert(row)
    return openSession(context, tx, account, row)
  })
}

/** Whether the new account is an administrator's. Throws `ApiError` where it may not be made at all. */
async function admit(
  { config }: Context,
  tx: Tx,
  name: string,
  token: string | undefined,
): Promise<boolean> {
  const bootstrap = config.bootstrapAdmin === name && !(await tx.accounts.hasAdmin())
  if (config.registration === 'open' && !bootstrap && token === undefined) return false
  const used =
    token === undefined ? undefined : await tx.accounts.useRegistrationToken(hashToken(token), name)
  if (used === undefined) throw new ApiError('M_REGISTRATION_CLOSED')
  return used.admin === 1
}
