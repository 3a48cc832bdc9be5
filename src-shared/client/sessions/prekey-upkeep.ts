/**
 * Keeping own prekeys in stock at the node (Handshake §3): made, committed, then published; rotated
 * weekly, topped up when fewer than 50 are left.
 */
import {
  generatePrekeys,
  markPublished,
  pendingUpload,
  republishPrekeys,
  rotatePrekeys,
  topUpPrekeys,
} from '../../protocol/index.ts'
import type { PrekeyState } from '../../protocol/index.ts'
import type { Context } from '../context.ts'
import type { Contacts } from '../devices/contacts.ts'
import type { Step } from '../store/database.ts'
import { OWN_PREKEYS, prekeyRecord } from './session-records.ts'

const LOW_STOCK = 50

export class PrekeyUpkeep {
  readonly #ctx: Context
  readonly #contacts: Contacts
  #running: Promise<void> | null = null

  constructor(ctx: Context, contacts: Contacts) {
    this.#ctx = ctx
    this.#contacts = contacts
  }

  /** Makes what is missing, without the network. After a rollback the store holds none. */
  async prepare(): Promise<void> {
    const { db, crypto, random, clock } = this.#ctx
    await db.step('prekeys', async (step) => {
      if ((await step.get(prekeyRecord, OWN_PREKEYS)) !== null) return
      const local = await this.#contacts.local(step)
      const now = clock.now()
      step.put(prekeyRecord, OWN_PREKEYS, generatePrekeys({ crypto, random, now, local }))
    })
  }

  /** The node was set back, or this device's place at it is unknown: what it had may be gone. */
  async forgotten(step: Step): Promise<void> {
    const state = await step.get(prekeyRecord, OWN_PREKEYS)
    if (state !== null) step.put(prekeyRecord, OWN_PREKEYS, republishPrekeys(state))
  }

  /**
   * `inStock` as the node last counted. `caughtUp`: everything that reached the node for this device has
   * been read. Throws `Unanswered`; calls while one runs wait for it.
   */
  tend(inStock: number | null, caughtUp: boolean): Promise<void> {
    this.#running ??= this.#tend(inStock, caughtUp).finally(() => (this.#running = null))
    return this.#running
  }

  async #tend(inStock: number | null, caughtUp: boolean): Promise<void> {
    const { db, api, life, crypto, random, clock } = this.#ctx
    await this.prepare()
    await db.step('prekeys', async (step) => {
      const state = await step.get(prekeyRecord, OWN_PREKEYS)
      if (state === null) return
      const local = await this.#contacts.local(step)
      let next: PrekeyState = rotatePrekeys(state, {
        crypto,
        random,
        local,
        caughtUp,
        now: clock.now(),
      })
      if (inStock !== null && inStock < LOW_STOCK)
        next = topUpPrekeys(next, { crypto, random, local, inStock })
      if (next !== state) step.put(prekeyRecord, OWN_PREKEYS, next)
    })
    for (;;) {
      const state = await db.get(prekeyRecord, OWN_PREKEYS)
      const upload = state === null ? null : pendingUpload(state)
      if (upload === null) return
      const answer = await api.call('uploadKeys', { body: upload, cancel: life })
      // Refused: nothing to gain from repeating it now; the next upkeep tries again.
      if (!answer.ok) return
      await db.step('prekeys', async (step) => {
        const current = await step.get(prekeyRecord, OWN_PREKEYS)
        if (current !== null) step.put(prekeyRecord, OWN_PREKEYS, markPublished(current, upload))
      })
    }
  }
}
