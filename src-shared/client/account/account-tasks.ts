/**
 * What the account section of each sync means (Identity §2): approval of this device, devices that wait,
 * prekeys running low, the own log; and the end of the session, from whichever side.
 */
import { fromBase64Url, replaceRecovery } from '../../protocol/index.ts'
import type { RecoverySecrets } from '../../protocol/index.ts'
import type { Errcode, SyncResponse } from '../../api/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { OwnDevices } from '../devices/own-devices.ts'
import type { SignedOutReason } from '../engine-types.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import type { ApproverPairing } from '../pairing/approver.ts'
import type { NewDevicePairing } from '../pairing/new-device.ts'
import { PENDING, pendingRecord } from '../pairing/pairing-records.ts'
import type { PrekeyUpkeep } from '../sessions/prekey-upkeep.ts'
import type { ToDeviceQueue } from '../sessions/to-device-queue.ts'
import type { Step } from '../store/database.ts'
import type { Connection } from '../sync/connection.ts'
import { Worker } from '../worker.ts'
import { accountRecord, POSITION, positionRecord, SELF } from './account-record.ts'

const DAY = 24 * 60 * 60_000

export interface AccountTaskParts {
  readonly contacts: Contacts
  readonly own: OwnDevices
  readonly prekeys: PrekeyUpkeep
  readonly approver: ApproverPairing
  readonly newDevice: NewDevicePairing
  readonly connection: Connection
  readonly toDevice: ToDeviceQueue
}

export class AccountTasks {
  readonly #ctx: Context
  readonly #parts: AccountTaskParts
  readonly worker: Worker
  #latest: SyncResponse['account'] | null = null
  #nodeHeight: number | null = null
  #caughtUp = false

  constructor(ctx: Context, parts: AccountTaskParts) {
    this.#ctx = ctx
    this.#parts = parts
    this.worker = new Worker(ctx, () => this.#run())
  }

  /** In the last step of a sync. */
  async take(step: Step, response: SyncResponse): Promise<void> {
    const { me } = this.#ctx
    const { account, manifests, profiles } = response
    const named = profiles.find(({ user_id }) => user_id === me.userId)
    if (named !== undefined) await this.takeName(step, named.display_name)
    if (account.scope === 'full') await this.#parts.approver.note(step, account.pending_devices)
    step.after(() => {
      this.#latest = account
      const own = manifests.find(({ member }) => member === me.member)
      if (own !== undefined) this.#nodeHeight = own.height
      this.worker.kick()
    })
  }

  /** The own display name as the node has it, perhaps set on another device. */
  async takeName(step: Step, displayName: string): Promise<void> {
    const { me, publish } = this.#ctx
    await this.#parts.contacts.setName(step, me.member, me.userId, displayName)
    const account = await step.get(accountRecord, SELF)
    if (account === null || account.displayName === displayName) return
    step.put(accountRecord, SELF, { ...account, displayName })
    step.after(() => {
      publish.account()
    })
  }

  caughtUp(): void {
    this.#caughtUp = true
  }

  /** One pass over what there is to do with the node. Throws `Unanswered`. */
  async #run(): Promise<number | null> {
    const { db } = this.#ctx
    const account = await db.get(accountRecord, SELF)
    const latest = this.#latest
    if (account === null || latest === null || account.phase === 'signed_out') return null
    if (account.phase === 'pending') {
      if (latest.scope === 'full') await this.#becomeActive()
      else {
        const { me } = this.#ctx
        const relayed = latest.pairings.find(({ device }) => device === me.device)
        await this.#parts.newDevice.tend(relayed)
        return null
      }
    }
    await this.#checkOwnLog()
    await this.#parts.prekeys.tend(latest.one_time_prekeys, this.#caughtUp)
    await this.#parts.approver.tend(latest.pairings)
    await this.#tellNewRecovery()
    return DAY
  }

  /** The node says so; the verified manifest decides. */
  async #becomeActive(): Promise<void> {
    const { db, me, publish } = this.#ctx
    await this.#parts.contacts.refresh(me.userId, me.member)
    const manifest = await this.#parts.contacts.manifest(db, me.member)
    if (manifest?.devices.get(me.device)?.status !== 'active') return
    await db.step('account.approved', async (step) => {
      const account = await step.get(accountRecord, SELF)
      if (account === null) return
      step.put(accountRecord, SELF, { ...account, phase: 'active' })
      step.delete(pendingRecord, PENDING)
      // What a pending device was shown is not where an approved one begins.
      step.put(positionRecord, POSITION, { v: 1, since: null })
      await this.#tellOwnDevices(step, account.deviceName)
      step.after(() => {
        publish.account()
        publish.pairings()
      })
    })
  }

  /** What this device is called is nobody's business but the user's. */
  async #tellOwnDevices(step: Step, name: string): Promise<void> {
    const { me } = this.#ctx
    const content = { kind: 'device_name', device: me.device, name } as const
    const own = await this.#parts.contacts.trustedDevices(step, me.member)
    await this.#parts.toDevice.push(
      step,
      own
        .filter(({ device }) => device !== me.device)
        .map(({ member, device }) => ({ userId: me.userId, member, device, content })),
    )
  }

  async #checkOwnLog(): Promise<void> {
    const { db, me } = this.#ctx
    const manifest = await this.#parts.contacts.manifest(db, me.member)
    if (manifest?.devices.get(me.device)?.status === 'removed') {
      await this.end('device_removed')
      return
    }
    const height = this.#nodeHeight
    this.#nodeHeight = null
    if (manifest !== null && height !== null && height < manifest.height)
      await this.#parts.own.restore(height)
  }

  async #tellNewRecovery(): Promise<void> {
    const { db, crypto, me } = this.#ctx
    const words = (await db.get(accountRecord, SELF))?.newRecovery ?? null
    if (words === null) return
    const author = { id: me.device, ed25519: me.secrets.ed25519 }
    try {
      await this.#parts.own.append((state) =>
        replaceRecovery(crypto, state, author, secretsOf(words.next), secretsOf(words.old)),
      )
    } catch (error) {
      if (!(error instanceof EngineError) || error.code !== 'not_allowed') throw error
    }
    await db.step('account.recovery', async (step) => {
      const account = await step.get(accountRecord, SELF)
      if (account !== null) step.put(accountRecord, SELF, { ...account, newRecovery: null })
    })
  }

  /** The node no longer knows the token. */
  refusedToken(errcode: Errcode): void {
    const reason = errcode === 'E_DEVICE_REMOVED' ? 'device_removed' : 'token_expired'
    void this.end(reason).catch(() => undefined)
  }

  /**
   * The user signs out here. Where another device is left, this one is taken off the manifest, so that
   * nobody goes on sealing for it. Offline, this computer forgets the token all the same.
   */
  async takeLeave(): Promise<void> {
    const { api, db, life, me } = this.#ctx
    try {
      const own = await this.#parts.contacts.trustedDevices(db, me.member)
      if (own.length > 1) await this.#parts.own.remove(me.device)
      await api.call('logout', { body: {}, cancel: life })
    } catch (error) {
      if (!(error instanceof Unanswered) && !(error instanceof EngineError)) throw error
    }
    await this.end('signed_out_elsewhere')
  }

  /** Nothing more is sent or asked for; what is stored stays until the host wipes it. */
  async end(reason: SignedOutReason): Promise<void> {
    const { db, publish } = this.#ctx
    const first = await db.step('account.end', async (step) => {
      const account = await step.get(accountRecord, SELF)
      // One whose token ran out may still learn that it was removed; nothing else follows on the end.
      const isKnown = account?.phase === 'signed_out'
      if (account === null || (isKnown && !learnsOfRemoval(account.signedOut, reason))) return false
      step.put(accountRecord, SELF, {
        ...account,
        phase: 'signed_out',
        signedOut: reason,
        token: null,
      })
      await this.#parts.newDevice.turnedAway(step)
      return true
    })
    if (!first) return
    this.#parts.connection.signedOut(reason)
    publish.signedOut(reason)
  }
}

function learnsOfRemoval(before: SignedOutReason | null, now: SignedOutReason): boolean {
  return before === 'token_expired' && now === 'device_removed'
}

function secretsOf(text: { readonly ed25519: string; readonly x25519: string }): RecoverySecrets {
  return { ed25519: fromBase64Url(text.ed25519), x25519: fromBase64Url(text.x25519) }
}
