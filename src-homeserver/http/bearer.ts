/** Bearer tokens: 32 random bytes that only the device has; the node keeps their SHA-256. */
import { createHash } from 'node:crypto'
import { toBase64Url } from '../../src-shared/protocol/index.ts'
import type { Auth } from '../../src-shared/api/index.ts'
import type { Context } from '../context.ts'
import { ApiError } from './api-error.ts'
import type { Caller } from './call.ts'

export function hashToken(token: string): string {
  return createHash('sha256').update(token, 'utf8').digest('base64url')
}

export function newToken(random: (length: number) => Uint8Array): { token: string; hash: string } {
  const token = toBase64Url(random(32))
  return { token, hash: hashToken(token) }
}

/** Null where the endpoint asks for nobody. Throws `ApiError`. */
export async function authenticate(
  context: Context,
  auth: Auth,
  header: string | undefined,
): Promise<Caller | null> {
  if (auth === 'none') return null
  const token = /^Bearer ([A-Za-z0-9_-]{1,128})$/i.exec(header ?? '')?.[1]
  if (token === undefined) throw new ApiError('M_MISSING_TOKEN')
  const tokenHash = hashToken(token)
  const now = context.now()
  const device = await context.storage.read((tx) => tx.devices.byToken(tokenHash, now))
  if (device === undefined) throw new ApiError('M_UNKNOWN_TOKEN')
  if (device.status === 'removed') throw new ApiError('E_DEVICE_REMOVED')
  if (device.status === 'pending' && auth === 'active_device')
    throw new ApiError('E_DEVICE_PENDING')
  context.acks.seen(device.member, device.device, now)
  return {
    member: device.member,
    userId: device.user_id,
    device: device.device,
    scope: device.status === 'active' ? 'full' : 'pending',
    tokenHash,
  }
}
