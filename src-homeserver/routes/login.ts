import { fromBase64Url, isAdmissibleX25519Key } from '../../src-shared/protocol/index.ts'
import type { DeviceKeys, ManifestState } from '../../src-shared/protocol/index.ts'
import {
  checkLoginProof,
  deviceKeysText,
  manifestOf,
  newDevice,
  openSession,
  tellAccount,
} from '../accounts.ts'
import type { Context } from '../context.ts'
import { ApiError } from '../http/api-error.ts'
import type { Handler } from '../http/call.ts'
import type { Account, Device, Tx } from '../storage/index.ts'

const MAX_PENDING = 8

export const login: Handler<'login'> = async (context, { body }) => {
  const { config, storage, passwords } = context
  const { name, userId } = whoIsMeant(body.user, config.serverName)
  const claim = { server: config.serverName, user: userId, device: body.device.id }
  checkLoginProof(context, body.device, claim, body.proof)

  const account = await storage.read((tx) => tx.accounts.byName(name))
  const right = await passwords.verify(account?.password_hash, body.password)
  if (!right || account === undefined) throw new ApiError('M_FORBIDDEN')
  return storage.write(async (tx) => {
    const device = await findDevice(context, tx, account, body.device, body.device_name ?? null)
    return openSession(context, tx, account, device)
  })
}

/** A name alone or a full id; one of another server names nobody here. */
function whoIsMeant(user: string, serverName: string): { name: string; userId: string } {
  const suffix = `:${serverName}`
  if (!user.startsWith('@')) return { name: user, userId: `@${user}${suffix}` }
  return { name: user.endsWith(suffix) ? user.slice(1, -suffix.length) : '', userId: user }
}

async function findDevice(
  context: Context,
  tx: Tx,
  account: Account,
  keys: DeviceKeys,
  name: string | null,
): Promise<Device> {
  const { member } = account
  const known = await tx.devices.get(member, keys.id)
  if (known !== undefined) {
    if (known.status === 'removed') throw new ApiError('E_DEVICE_REMOVED')
    if (known.keys !== deviceKeysText(keys))
      throw new ApiError('M_FORBIDDEN', { rule: 'other_device_keys' })
    return known
  }
  const manifest = await manifestOf(context, tx, member)
  const asked = manifest.devices.get(keys.id)
  // The recovery key has asked for it: its row was dropped while it waited.
  const waits = asked?.status === 'pending' && deviceKeysText(asked) === deviceKeysText(keys)
  if (!waits) await checkNewDevice(context, tx, manifest, keys)
  const device = await newDevice(context, tx, member, keys, 'pending', name)
  await tx.devices.insert(device)
  await tellAccount(context, tx, member)
  return device
}

async function checkNewDevice(
  context: Context,
  tx: Tx,
  manifest: ManifestState,
  keys: DeviceKeys,
): Promise<void> {
  const member = manifest.fingerprint
  if (manifest.usedKeys.has(keys.ed25519) || manifest.usedKeys.has(keys.x25519))
    throw new ApiError('M_FORBIDDEN', { rule: 'reused_key' })
  if (!isAdmissibleX25519Key(context.crypto, fromBase64Url(keys.x25519)))
    throw new ApiError('M_FORBIDDEN', { rule: 'bad_key' })
  const pending = (await tx.devices.list(member)).filter(({ status }) => status === 'pending')
  if (pending.length >= MAX_PENDING) throw new ApiError('M_LIMIT_EXCEEDED', { rule: 'pending' })
}
