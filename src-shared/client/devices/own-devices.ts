/** The account's own devices: entries onto the own log (compare-and-swap), names, removal. */
import { activeDevices, appendEntry, removeDevices } from '../../protocol/index.ts'
import type { ManifestState, SignedEntry } from '../../protocol/index.ts'
import type { OwnDevice } from '../../view-model/index.ts'
import type { Context } from '../context.ts'
import { EngineError } from '../errors.ts'
import { expectAnswer } from '../http/errors.ts'
import { Unanswered } from '../http/api-client.ts'
import { devicesView } from '../views/room-view.ts'
import type { Contacts } from './contacts.ts'
import type { DeviceNames } from './device-names.ts'

const MAX_ROUNDS = 5

export class OwnDevices {
  readonly #ctx: Context
  readonly #contacts: Contacts
  readonly #names: DeviceNames

  constructor(ctx: Context, contacts: Contacts, names: DeviceNames) {
    this.#ctx = ctx
    this.#contacts = contacts
    this.#names = names
  }

  /** From the verified manifest; the node only adds names and when a device was last seen. */
  async list(): Promise<OwnDevice[]> {
    const { api, db, me, life } = this.#ctx
    const manifest = await this.#manifest()
    const names: Record<string, string> = { ...(await this.#names.all(db)) }
    const lastSeen = new Map<string, number | null>()
    try {
      const answer = await api.call('devices', { cancel: life })
      for (const { device, name, last_seen } of answer.ok ? answer.value.devices : []) {
        lastSeen.set(device.id, last_seen)
        if (name !== null) names[device.id] ??= name
      }
    } catch (error) {
      if (!(error instanceof Unanswered)) throw error
    }
    const all = activeDevices(manifest).map(({ id }) => id)
    return devicesView(manifest, all, names).map((device) => ({
      ...device,
      current: device.id === me.device,
      lastSeen: lastSeen.get(device.id) ?? null,
    }))
  }

  /** Throws `EngineError`. */
  async remove(device: string): Promise<void> {
    const { crypto, me } = this.#ctx
    const author = { id: me.device, ed25519: me.secrets.ed25519 }
    await this.append((state) => {
      if (state.devices.get(device)?.status !== 'active') throw new EngineError('bad_input')
      return removeDevices(crypto, state, author, [device])
    })
  }

  /** Signs on the current head; when the head has moved, catches up and signs again. */
  async append(sign: (state: ManifestState) => SignedEntry): Promise<void> {
    const { api, life, crypto, me } = this.#ctx
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const state = await this.#manifest()
      const entry = sign(state)
      if (!appendEntry(crypto, state, entry).ok) throw new EngineError('not_allowed')
      const call = api.call('appendManifest', { body: { entry }, cancel: life })
      try {
        await expectAnswer(call, { E_HEAD_CONFLICT: 'already_exists', E_BAD_ENTRY: 'not_allowed' })
        await this.#contacts.refresh(me.userId, me.member)
        return
      } catch (error) {
        if (!(error instanceof EngineError) || error.code !== 'already_exists') throw error
        await this.#contacts.refresh(me.userId, me.member)
      }
    }
    throw new EngineError('server_error')
  }

  /** The node's copy of the own log went back: what it lost is handed in again. Throws `Unanswered`. */
  async restore(height: number): Promise<void> {
    const { api, db, me, life } = this.#ctx
    for (const entry of await this.#contacts.missingAtNode(db, me.member, height)) {
      const answer = await api.call('appendManifest', { body: { entry }, cancel: life })
      if (!answer.ok) return
    }
  }

  async #manifest(): Promise<ManifestState> {
    const { db, me } = this.#ctx
    const manifest = await this.#contacts.manifest(db, me.member)
    if (manifest === null) throw new EngineError('internal')
    return manifest
  }
}
