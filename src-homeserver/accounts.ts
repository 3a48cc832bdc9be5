/** What routes share about accounts: their manifests, new sessions, and who hears of changes. */
import {
  canonicalText,
  parseUserId,
  replayStoredManifest,
  formatUserId,
} from '../src-shared/protocol/index.ts'
import type { DeviceKeys, ManifestState, SignedEntry } from '../src-shared/protocol/index.ts'
import { LOGIN_SKEW_MS, verifyLoginProof } from '../src-shared/api/index.ts'
import type { AccountDevice, LoginClaim, LoginProof, Session } from '../src-shared/api/index.ts'
import { fromBase64Url } from '../src-shared/protocol/index.ts'
import type { Context } from './context.ts'
import { ApiError } from './http/api-error.ts'
import { newToken } from './http/bearer.ts'
import { StorageError } from './storage/index.ts'
import type { Account, Audience, Device, Tx } from './storage/index.ts'

/** The account's entries were verified when they were accepted. */
export async function manifestOf(
  { crypto }: Pick<Context, 'crypto'>,
  tx: Tx,
  member: string,
): Promise<ManifestState> {
  const result = replayStoredManifest(crypto, await tx.manifests.entries(member))
  if (!result.ok) throw new StorageError('corrupted')
  return result.state
}

/** The account under a full user id of this server; undefined for any other. */
export async function accountOf(
  { config }: Pick<Context, 'config'>,
  tx: Tx,
  userId: string,
): Promise<Account | undefined> {
  const parsed = parseUserId(userId)
  if (parsed === null || parsed.server !== config.serverName) return undefined
  return tx.accounts.byName(parsed.name)
}

/** Throws `ApiError('M_INVALID_USERNAME')`. */
export function userIdFor({ config }: Pick<Context, 'config'>, name: string): string {
  const userId = formatUserId(name, config.serverName)
  if (parseUserId(userId)?.name !== name) throw new ApiError('M_INVALID_USERNAME')
  return userId
}

/** Throws `ApiError` where the proof is late or not the device's. */
export function checkLoginProof(
  context: Context,
  keys: DeviceKeys,
  claim: LoginClaim,
  proof: LoginProof,
): void {
  const now = context.now()
  if (Math.abs(now - proof.ts) > LOGIN_SKEW_MS)
    throw new ApiError('E_CLOCK_SKEW', { server_time: now })
  const key = fromBase64Url(keys.ed25519)
  const usable = context.crypto.ed25519IsAdmissible(key)
  if (!usable || !verifyLoginProof(context.crypto, key, claim, proof))
    throw new ApiError('M_FORBIDDEN', { rule: 'bad_proof' })
}

/** A device speaks with one token at a time: a new one ends those before. */
export async function openSession(
  context: Context,
  tx: Tx,
  account: Pick<Account, 'member' | 'user_id'>,
  device: Pick<Device, 'device' | 'status'>,
): Promise<Session> {
  const { token, hash } = newToken(context.random)
  const now = context.now()
  const lifetime = context.config.tokenLifetimeMs
  await tx.devices.dropTokens(account.member, device.device)
  await tx.devices.putToken({
    token_hash: hash,
    member: account.member,
    device: device.device,
    created_at: now,
    expires_at: lifetime === null ? null : now + lifetime,
  })
  return {
    user_id: account.user_id,
    member: account.member,
    device: device.device,
    access_token: token,
    scope: device.status === 'active' ? 'full' : 'pending',
  }
}

/** A row for a device that has just been heard of. */
export async function newDevice(
  context: Context,
  tx: Tx,
  member: string,
  keys: DeviceKeys,
  status: 'active' | 'pending',
  name: string | null,
): Promise<Device> {
  const now = context.now()
  const head = await tx.streams.head()
  return {
    member,
    device: keys.id,
    keys: deviceKeysText(keys),
    name,
    status,
    requested_at: status === 'pending' ? now : null,
    last_seen: null,
    acked: head,
    baseline: head,
  }
}

export function deviceKeysText({ id, ed25519, x25519, min_suite }: DeviceKeys): string {
  return canonicalText({ id, ed25519, x25519, min_suite })
}

export function deviceKeys(row: Pick<Device, 'keys'>): DeviceKeys {
  return JSON.parse(row.keys) as DeviceKeys
}

/** As the account's own devices see it. */
export function describeDevice(row: Device): AccountDevice {
  return {
    device: deviceKeys(row),
    name: row.name,
    status: row.status,
    last_seen: row.last_seen,
    requested_at: row.requested_at,
  }
}

/** The account itself and everyone here who shares a room with it. */
export async function everyoneWhoKnows(tx: Tx, member: string): Promise<Audience[]> {
  return [member, ...(await tx.rooms.localPeers(member))].map((one) => ({ member: one }))
}

/** Tells the account's own devices that something about devices or pairings is new. */
export async function tellAccount(context: Context, tx: Tx, member: string): Promise<void> {
  await tx.streams.append('account', member, null, [{ member }], context.now())
}

/** The stored values are readonly; an answer is its own. */
export function copyEntry(signed: SignedEntry) {
  return { entry: { ...signed.entry }, signatures: { ...signed.signatures } } as {
    entry: Record<string, never>
    signatures: SignedEntry['signatures']
  }
}
