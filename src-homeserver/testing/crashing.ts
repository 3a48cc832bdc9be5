/**
 * Crashes placed on a test user: at any commit and any request, before or after it took effect; and a
 * ledger of what left the machine, which tells whether a key or a place was ever used twice.
 */
import type { Transport } from '../../src-shared/client/index.ts'
import type { MemoryStore } from '../../src-shared/client/testing/memory-store.ts'
import { fromUtf8 } from '../../src-shared/protocol/index.ts'

export interface Boundary {
  readonly at: 'commit' | 'request'
  /** The n-th from now on, from 0. */
  readonly count: number
  readonly when: 'before' | 'after'
}

/** One life of a process: from start to crash. */
export class Life {
  readonly #ledger: Ledger
  #store: MemoryStore | null = null
  #requests = 0
  #plan: Boundary | null = null
  dead = false

  constructor(ledger: Ledger) {
    this.#ledger = ledger
  }

  /** Hands over the store that dies with this life. */
  bear(store: MemoryStore): void {
    this.#store = store
    store.onCrash = () => {
      this.dead = true
    }
  }

  plan(boundary: Boundary): void {
    this.#plan = boundary
    this.#requests = 0
    if (this.#store === null || boundary.at !== 'commit') return
    this.#store.crashAt = { commit: this.#store.writes + boundary.count, when: boundary.when }
  }

  unplan(): void {
    this.#plan = null
    if (this.#store !== null) this.#store.crashAt = null
  }

  readonly wrap = (real: Transport): Transport => ({
    request: async (request, cancel) => {
      if (this.dead) return never()
      const plan = this.#plan
      const planned = plan?.at === 'request' && plan.count === this.#requests++ ? plan : null
      if (planned?.when === 'before') return this.#die()
      this.#ledger.note(request.path, request.body)
      const response = await real.request(request, cancel)
      if (planned !== null && planned === this.#plan) return this.#die()
      return this.dead ? never() : response
    },
    ...(real.link === undefined ? {} : { link: this.#linkThrough(real.link.bind(real)) }),
  })

  /** Every frame that is sent is a boundary, as a request is. */
  #linkThrough(open: NonNullable<Transport['link']>): NonNullable<Transport['link']> {
    return async (request, listener, cancel) => {
      if (this.dead) return never()
      const alive =
        <A>(hear: (arg: A) => void) =>
        (arg: A): void => {
          if (!this.dead) hear(arg)
        }
      const heard = { onFrame: alive(listener.onFrame), onEnd: alive(listener.onEnd) }
      const link = await open(request, heard, cancel)
      if (link === null) return null
      return {
        send: (text) => {
          if (this.dead) return
          const plan = this.#plan
          const planned = plan?.at === 'request' && plan.count === this.#requests++ ? plan : null
          if (planned?.when !== 'before') link.send(text)
          if (planned === null) return
          void this.#die()
          // What was sent arrives, and nobody is there any more.
          setTimeout(() => {
            link.close()
          }, 50)
        },
        close: () => {
          link.close()
        },
      }
    }
  }

  #die(): Promise<never> {
    this.dead = true
    this.#store?.crash()
    return never()
  }
}

interface WrapJson {
  readonly session: string
  readonly message: { readonly header: Record<string, unknown>; readonly ciphertext: string }
}

/** Every wrap and envelope that left, whatever became of it. */
export class Ledger {
  readonly #keys = new Map<string, string>()
  readonly #places = new Map<string, string>()
  readonly violations: string[] = []
  wraps = 0

  note(path: string, body: Uint8Array | null): void {
    if (body === null) return
    const json = JSON.parse(fromUtf8(body)) as Record<string, unknown>
    if (path.includes('/send/')) this.#submission(json)
    if (path.includes('/to-device/'))
      for (const { message } of json['messages'] as { message: WrapJson }[]) this.#wrap(message)
  }

  #submission(json: Record<string, unknown>): void {
    const envelope = json['envelope'] as Record<string, unknown>
    const place = `${String(envelope['room'])} ${String(envelope['device'])} ${String(envelope['seq'])}`
    this.#once(this.#places, place, JSON.stringify(envelope), 'place')
    for (const wrap of (json['wraps'] ?? []) as WrapJson[]) this.#wrap(wrap)
  }

  #wrap({ session, message }: WrapJson): void {
    this.wraps++
    const { header } = message
    // Session, ratchet key and number name one message key.
    const key = JSON.stringify([session, header['key'], header['n']])
    this.#once(this.#keys, key, JSON.stringify(message), 'message key')
  }

  #once(seen: Map<string, string>, key: string, value: string, what: string): void {
    const before = seen.get(key)
    if (before !== undefined && before !== value) this.violations.push(what)
    seen.set(key, value)
  }
}

function never(): Promise<never> {
  return new Promise<never>(() => undefined)
}
