/**
 * The judge of a kill test. It keeps its own record of what each side was told and shown, and of what
 * crossed the wire, and knows nothing of how the app stores or repeats things.
 */
import type { TimelineItem } from '../../src-shared/view-model/index.ts'
import type { Exchange } from '../driver/recording-proxy.ts'

export interface ShownMessage {
  readonly text: string
  readonly protection: string
  readonly warnings: readonly string[]
}

export interface Shown {
  readonly messages: readonly ShownMessage[]
  /** Kinds of notices in the timeline. */
  readonly notices: readonly string[]
}

export function shownOf(items: readonly TimelineItem[]): Shown {
  return {
    messages: items.flatMap((item) =>
      item.kind === 'message'
        ? [{ text: item.text, protection: item.protection.state, warnings: item.warnings }]
        : [],
    ),
    notices: items.flatMap((item) => (item.kind === 'notice' ? [item.notice.what] : [])),
  }
}

export class Ledger {
  /** Texts whose sending the app confirmed: from then on they must not be lost. */
  readonly accepted = new Set<string>()
  /** Texts handed to an app that died before it answered: there at most once, or nowhere. */
  readonly unconfirmed = new Set<string>()

  /** Everything that is wrong, in sentences; empty where nothing is. */
  judge(shown: Readonly<Record<string, Shown>>, exchanges: readonly Exchange[]): string[] {
    return [...this.#judgeShown(shown), ...judgeWire(exchanges)]
  }

  #judgeShown(shown: Readonly<Record<string, Shown>>): string[] {
    const wrong: string[] = []
    const counts = Object.entries(shown).map(([who, { messages, notices }]) => {
      const count = new Map<string, number>()
      for (const message of messages) {
        count.set(message.text, (count.get(message.text) ?? 0) + 1)
        if (message.protection !== 'protected')
          wrong.push(`${who} is shown a message as ${message.protection}`)
        for (const warning of message.warnings) wrong.push(`${who} is warned of ${warning}`)
      }
      for (const notice of notices)
        if (notice === 'refused' || notice === 'gap') wrong.push(`${who} sees the notice ${notice}`)
      return { who, count }
    })
    for (const { who, count } of counts) {
      for (const text of this.accepted) {
        const times = count.get(text) ?? 0
        if (times !== 1) wrong.push(`${who} has "${text}" ${String(times)} times`)
      }
      for (const [text, times] of count) {
        if (!this.accepted.has(text) && !this.unconfirmed.has(text))
          wrong.push(`${who} has a message nobody wrote`)
        if (times > 1 && !this.accepted.has(text))
          wrong.push(`${who} has the unconfirmed "${text}" ${String(times)} times`)
      }
    }
    for (const text of this.unconfirmed) {
      const times = new Set(counts.map(({ count }) => count.get(text) ?? 0))
      if (times.size > 1) wrong.push(`the unconfirmed "${text}" is with some but not with others`)
    }
    return wrong
  }
}

type Wire = Record<string, unknown>

function isObject(value: unknown): value is Wire {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Every ratchet message found anywhere in a body. */
function* ratchetMessages(
  value: unknown,
): Generator<{ session: string; key: string; n: number; ciphertext: string }> {
  if (Array.isArray(value)) {
    for (const item of value) yield* ratchetMessages(item)
    return
  }
  if (!isObject(value)) return
  const { session, message } = value
  if (typeof session === 'string' && isObject(message) && isObject(message['header'])) {
    const { key, n } = message['header']
    const { ciphertext } = message
    if (typeof key === 'string' && typeof n === 'number' && typeof ciphertext === 'string')
      yield { session, key, n, ciphertext }
  }
  for (const item of Object.values(value)) yield* ratchetMessages(item)
}

function judgeWire(exchanges: readonly Exchange[]): string[] {
  const wrong: string[] = []
  const underKey = new Map<string, string>()
  const atPlace = new Map<string, string>()
  let sealed = 0
  for (const exchange of exchanges) {
    if (exchange.method === 'GET' || exchange.requestBody.byteLength === 0) continue
    const body: unknown = JSON.parse(exchange.requestBody.toString('utf8'))
    for (const { session, key, n, ciphertext } of ratchetMessages(body)) {
      sealed += 1
      const messageKey = `${session} ${key} ${String(n)}`
      if ((underKey.get(messageKey) ?? ciphertext) !== ciphertext)
        wrong.push(`message key ${String(n)} of a ratchet was used for two messages`)
      underKey.set(messageKey, ciphertext)
    }
    if (!isObject(body) || !isObject(body['envelope'])) continue
    const { room, device, seq } = body['envelope']
    const place = `${String(room)} ${String(device)} ${String(seq)}`
    const envelope = JSON.stringify(body['envelope'])
    if ((atPlace.get(place) ?? envelope) !== envelope)
      wrong.push(`number ${String(seq)} of a device was used for two envelopes`)
    atPlace.set(place, envelope)
  }
  // A judge that saw nothing would acquit everyone.
  if (sealed === 0) wrong.push('nothing encrypted crossed the wire')
  return wrong
}
