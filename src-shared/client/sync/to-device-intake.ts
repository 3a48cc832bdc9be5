/** A message from another device (§6): opened through its session, then acted upon in the same step. */
import type { SyncResponse } from '../../api/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { DeviceNames } from '../devices/device-names.ts'
import type { KeyRequests } from '../sessions/key-requests.ts'
import type { SessionRepair } from '../sessions/session-repair.ts'
import type { Sessions } from '../sessions/sessions.ts'
import type { Step } from '../store/database.ts'

export class ToDeviceIntake {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #sessions: Sessions
  readonly #repair: SessionRepair
  readonly #keyRequests: KeyRequests
  readonly #names: DeviceNames

  constructor(
    ctx: Context,
    parts: {
      readonly contacts: Contacts
      readonly sessions: Sessions
      readonly repair: SessionRepair
      readonly keyRequests: KeyRequests
      readonly names: DeviceNames
    },
  ) {
    this.#ctx = ctx
    this.#contacts = parts.contacts
    this.#sessions = parts.sessions
    this.#repair = parts.repair
    this.#keyRequests = parts.keyRequests
    this.#names = parts.names
  }

  /** What does not open or comes from a device that is not trusted has no effect. */
  async take(step: Step, arrived: SyncResponse['to_device'][number]): Promise<void> {
    const { me, log } = this.#ctx
    const { message } = arrived
    const { member, device } = message.sender
    const trusted = await this.#contacts.trustedDevices(step, member)
    const peer = trusted.find((listed) => listed.device === device)
    const manifest = await this.#contacts.manifest(step, member)
    if (peer === undefined || manifest === null) return
    const { userId } = manifest
    const local = await this.#contacts.local(step)
    const opened = await this.#sessions.openToDevice(step, local, peer, message)
    if (!opened.ok) {
      log('to-device.refused', { code: opened.code })
      await this.#repair.lost(step, { peer, userId }, message.session, opened.code)
      return
    }
    const { content } = opened
    const from = { member, device, userId }
    switch (content.kind) {
      case 'key_request':
        await this.#keyRequests.answer(step, from, content.room, content.envelope)
        break
      case 'key_answer':
        await this.#keyRequests.take(step, content.room, content.envelope, content.K)
        break
      case 'session_reset':
        await this.#sessions.drop(step, peer, content.lost)
        break
      case 'device_name':
        if (member === me.member) await this.#names.take(step, content.device, content.name)
        break
      // Rooms large enough for sender chains are not sent to yet.
      case 'chain':
      // The app has no recovery yet, and so nobody to interrupt with a notice.
      case 'recovery_notice':
      case 'empty':
      case 'unknown':
        break
    }
  }
}
