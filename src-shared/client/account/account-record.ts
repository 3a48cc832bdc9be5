/**
 * What the store holds about the account itself (Identity §2): keys, token, phase, settings, and the
 * sync position. Everything here is secret; the vault seals it.
 */
import * as z from 'zod'
import {
  deviceIdSchema,
  fingerprintSchema,
  fromBase64Url,
  serverNameSchema,
  signedEntrySchema,
  userIdSchema,
} from '../../protocol/index.ts'
import type { Crypto, DeviceSecrets, LocalDevice } from '../../protocol/index.ts'
import { recordType } from '../store/record-type.ts'
import { tables } from '../store/tables.ts'

/** Base64url. */
const recoverySchema = z.object({ ed25519: z.string(), x25519: z.string() })

const accountSchema = z.object({
  v: z.literal(1),
  /**
   * `registering` and `signing_in`: keys are made and a request may have left; what it takes to repeat
   * it is kept. `pending`: signed in, not approved. `active`: approved. `signed_out`: the end.
   */
  phase: z.enum(['registering', 'signing_in', 'pending', 'active', 'signed_out']),
  userId: userIdSchema,
  serverName: serverNameSchema,
  /** Null until the node has said whose device this is. */
  member: fingerprintSchema.nullable(),
  displayName: z.string(),
  deviceName: z.string(),
  device: z.object({
    id: deviceIdSchema,
    /** Secret halves as base64url. */
    ed25519: z.string(),
    x25519: z.string(),
    minSuite: z.int(),
  }),
  token: z.string().nullable(),
  /** Only while the first request is under way. */
  attempt: z
    .object({
      password: z.string(),
      genesis: signedEntrySchema.nullable(),
      /** Secret halves of the recovery key that the genesis names. */
      recovery: recoverySchema.nullable(),
      /** Where the node takes accounts only with one. */
      registrationToken: z.string().nullable().default(null),
    })
    .nullable(),
  /** The words shown last are not those of the genesis: the log has to be told. */
  newRecovery: z.object({ old: recoverySchema, next: recoverySchema }).nullable(),
  signedOut: z.enum(['token_expired', 'device_removed', 'signed_out_elsewhere']).nullable(),
  readReceipts: z.boolean(),
})
export type AccountRecord = z.infer<typeof accountSchema>
export const accountRecord = recordType(tables.account, accountSchema)
export const SELF = 'self'

/** Sync position; committed together with what was received up to it. */
export const positionRecord = recordType(
  tables.account,
  z.object({ v: z.literal(1), since: z.string().nullable() }),
)
export const POSITION = 'position'

/** Who this engine is, once the node has said so. */
export interface Identity {
  readonly member: string
  readonly userId: string
  readonly serverName: string
  readonly device: string
  readonly secrets: DeviceSecrets
  /** Public halves, 32 bytes each. */
  readonly ed25519: Uint8Array
  readonly x25519: Uint8Array
}

export function identityOf(crypto: Crypto, account: AccountRecord, member: string): Identity {
  const secrets = deviceSecretsOf(account)
  return {
    member,
    userId: account.userId,
    serverName: account.serverName,
    device: secrets.id,
    secrets,
    ed25519: crypto.ed25519PublicKey(secrets.ed25519),
    x25519: crypto.x25519PublicKey(secrets.x25519),
  }
}

export function deviceSecretsOf(account: AccountRecord): DeviceSecrets {
  const { id, ed25519, x25519, minSuite } = account.device
  return { id, ed25519: fromBase64Url(ed25519), x25519: fromBase64Url(x25519), minSuite }
}

/** `head`: the own manifest head as this device has verified it. */
export function localDevice(identity: Identity, head: string): LocalDevice {
  const { member, device, secrets, ed25519, x25519 } = identity
  return {
    member,
    device,
    head,
    ed25519,
    x25519,
    minSuite: secrets.minSuite,
    ed25519Secret: secrets.ed25519,
    x25519Secret: secrets.x25519,
  }
}
