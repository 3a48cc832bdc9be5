import { describe, expect, it } from 'vitest'
import { CryptoError } from '../crypto.ts'
import { fromBase64Url, toBase64Url, toUtf8 } from '../encoding/index.ts'
import { crypto, seededRandom } from '../prekeys/testing/devices.ts'
import type { RatchetHeader, RatchetMessage } from './header.ts'
import {
  decrypt,
  encrypt,
  MAX_FORWARD_STEPS,
  sessionSchema,
  startInitiatorSession,
  startResponderSession,
} from './session.ts'
import type { Session } from './session.ts'
import { MAX_SKIPPED_PER_CHAIN, MAX_SKIPPED_PER_SESSION } from './skipped-keys.ts'

const random = seededRandom('session')
const context = toUtf8('context')

function pair(): { alice: Session; bob: Session } {
  const secret = random(32)
  const agreement = {
    session: toBase64Url(random(32)),
    ad: random(32),
    root: random(32),
  }
  const handshake = {
    suite: 1,
    initiator_head: toBase64Url(random(32)),
    responder_head: toBase64Url(random(32)),
    ephemeral: toBase64Url(random(32)),
    signed: toBase64Url(random(12)),
    one_time: null,
    kem: null,
    kem_ciphertext: null,
  }
  const key = crypto.x25519PublicKey(secret)
  const alice = startInitiatorSession(crypto, random, agreement, key, handshake)
  const first = say(alice, 'first')
  const bob = startResponderSession(
    crypto,
    agreement,
    toBase64Url(secret),
    first.message.header.key,
  )
  if (bob === null) throw new Error('low order')
  return { alice: first.session, bob: hear(bob, first.message).session }
}

function say(session: Session, text: string): { session: Session; message: RatchetMessage } {
  const encrypted = encrypt(session, { crypto, random, plaintext: toUtf8(text), context })
  if (!encrypted.ok) throw new Error(encrypted.code)
  return encrypted
}

function hear(session: Session, message: RatchetMessage): { session: Session; text: string } {
  const decrypted = decrypt(session, { crypto, message, context })
  if (!decrypted.ok) throw new Error(decrypted.code)
  return { session: decrypted.session, text: new TextDecoder().decode(decrypted.plaintext) }
}

function codeOf(session: Session, message: RatchetMessage): string {
  const decrypted = decrypt(session, { crypto, message, context })
  return decrypted.ok ? 'ok' : decrypted.code
}

/** The nth message from here, the ones before it lost. */
function sayNth(session: Session, nth: number): { session: Session; message: RatchetMessage } {
  let said = say(session, 'message 0')
  for (let n = 1; n <= nth; n++) said = say(said.session, `message ${n}`)
  return said
}

function skippedKeys(session: Session): number {
  return session.skipped.reduce((sum, chain) => sum + chain.messages.length, 0)
}

function withHeader(message: RatchetMessage, change: Partial<RatchetHeader>): RatchetMessage {
  return { ...message, header: { ...message.header, ...change } }
}

describe('turns', () => {
  it('draws a new ratchet key for every turn, and none within one', () => {
    let { alice, bob } = pair()
    const keys: string[] = []
    for (let turn = 0; turn < 4; turn++) {
      const one = say(bob, 'one')
      const two = say(one.session, 'two')
      expect(two.message.header.key).toBe(one.message.header.key)
      keys.push(one.message.header.key)
      alice = hear(hear(alice, one.message).session, two.message).session
      ;[alice, bob] = [two.session, alice]
    }
    expect(new Set(keys).size).toBe(4)
  })

  it('sends the handshake along until the peer has answered', () => {
    let { alice } = pair()
    const { bob } = pair()
    expect(say(bob, 'never').message.header.handshake).toBeNull()
    const { alice: initiator, bob: responder } = pair()
    const again = say(initiator, 'again')
    expect(again.message.header.handshake).not.toBeNull()
    const answer = say(responder, 'answer')
    alice = hear(again.session, answer.message).session
    expect(say(alice, 'thanks').message.header.handshake).toBeNull()
  })

  it('never gives two messages the same key, whichever turn it is', () => {
    const { alice, bob } = pair()
    const one = say(bob, 'same')
    const two = say(one.session, 'same')
    expect(one.message.ciphertext).not.toBe(two.message.ciphertext)
    expect(hear(hear(alice, two.message).session, one.message).text).toBe('same')
  })
})

describe('late messages', () => {
  it('are read after their chain has been replaced, once', () => {
    const { alice, bob } = pair()
    const one = say(bob, 'one')
    const two = say(one.session, 'two')
    const heard = hear(alice, one.message).session
    const answer = say(heard, 'answer')
    const next = say(hear(two.session, answer.message).session, 'next')
    expect(next.message.header.pn).toBe(2)
    const moved = hear(answer.session, next.message).session
    const late = hear(moved, two.message)
    expect(late.text).toBe('two')
    expect(codeOf(late.session, two.message)).toBe('undecipherable')
    expect(codeOf(late.session, next.message)).toBe('already_used')
  })

  it('that were changed use up no kept key', () => {
    const { alice, bob } = pair()
    const one = say(bob, 'one')
    const two = say(one.session, 'two')
    const heard = hear(alice, two.message).session
    const bytes = fromBase64Url(one.message.ciphertext)
    const ciphertext = toBase64Url(bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte)))
    expect(codeOf(heard, { ...one.message, ciphertext })).toBe('undecipherable')
    expect(hear(heard, one.message).text).toBe('one')
  })

  it('are told from those that come in their turn', () => {
    const { alice, bob } = pair()
    const one = say(bob, 'one')
    const two = say(one.session, 'two')
    const later = decrypt(alice, { crypto, message: two.message, context })
    if (!later.ok) throw new Error(later.code)
    expect(later.late).toBe(false)
    const late = decrypt(later.session, { crypto, message: one.message, context })
    expect(late.ok && late.late).toBe(true)
  })

  it('are read out of order within their chain', () => {
    const { alice, bob } = pair()
    const one = say(bob, 'one')
    const two = say(one.session, 'two')
    const three = say(two.session, 'three')
    let session = hear(alice, three.message).session
    for (const { message } of [one, two]) session = hear(session, message).session
    expect(skippedKeys(session)).toBe(0)
    expect(codeOf(session, two.message)).toBe('already_used')
  })
})

describe('what arrives changed', () => {
  const { alice, bob } = pair()
  const { message } = say(bob, 'hello')
  const { header } = message
  const initial = say(alice, 'unanswered')

  it.each([
    ['number', withHeader(message, { n: header.n + 1 })],
    ['length of the previous chain', withHeader(message, { pn: header.pn + 1 })],
    ['ratchet key', withHeader(message, { key: toBase64Url(random(32)) })],
    ['ratchet key of low order', withHeader(message, { key: toBase64Url(new Uint8Array(32)) })],
    ['handshake', withHeader(message, { handshake: initial.message.header.handshake })],
  ])('is refused: another %s', (_, changed) => {
    expect(codeOf(alice, changed)).toBe('undecipherable')
    expect(codeOf(alice, message)).toBe('ok')
  })

  it('is refused: the handshake taken away', () => {
    expect(codeOf(bob, withHeader(initial.message, { handshake: null }))).toBe('undecipherable')
    expect(codeOf(bob, initial.message)).toBe('ok')
  })

  it('is refused: any bit of the ciphertext', () => {
    const bytes = fromBase64Url(message.ciphertext)
    for (let bit = 0; bit < bytes.length * 8; bit++) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const changed = { ...message, ciphertext: toBase64Url(flipped) }
      expect(codeOf(alice, changed)).toBe('undecipherable')
    }
  })

  it('is refused: truncated, even to nothing', () => {
    for (const length of [0, 1, 15, 16, 20])
      expect(
        codeOf(alice, {
          ...message,
          ciphertext: toBase64Url(fromBase64Url(message.ciphertext).subarray(0, length)),
        }),
      ).toBe('undecipherable')
  })

  it('is refused: another context', () => {
    const other = decrypt(alice, { crypto, message, context: toUtf8('other') })
    expect(other).toEqual({ ok: false, code: 'undecipherable' })
  })

  it('is refused: from another session', () => {
    expect(codeOf(pair().alice, message)).toBe('undecipherable')
  })

  it('is refused: under other associated data of the session', () => {
    expect(codeOf({ ...alice, ad: toBase64Url(random(32)) }, message)).toBe('undecipherable')
  })

  it('is refused: one of our own, reflected', () => {
    expect(codeOf(bob, message)).toBe('undecipherable')
  })
})

describe('bounds', () => {
  it('keeps a thousand skipped keys of a chain and drops the oldest', () => {
    const { alice, bob } = pair()
    const first = say(bob, 'message 0')
    const second = say(first.session, 'message 1')
    const last = sayNth(second.session, MAX_SKIPPED_PER_CHAIN - 1)
    const heard = hear(alice, last.message)
    expect(heard.text).toBe(`message ${MAX_SKIPPED_PER_CHAIN - 1}`)
    expect(skippedKeys(heard.session)).toBe(MAX_SKIPPED_PER_CHAIN)
    expect(codeOf(heard.session, first.message)).toBe('already_used')
    expect(hear(heard.session, second.message).text).toBe('message 1')
  })

  it('counts the skipped keys of a chain over several gaps', () => {
    const { alice, bob } = pair()
    const half = sayNth(bob, 700)
    const whole = sayNth(half.session, 700)
    const heard = hear(hear(alice, half.message).session, whole.message)
    expect(skippedKeys(heard.session)).toBe(MAX_SKIPPED_PER_CHAIN)
    expect(sessionSchema.safeParse(heard.session).success).toBe(true)
  })

  it('keeps two thousand skipped keys of a session and drops the oldest', () => {
    let { alice, bob } = pair()
    const olds: RatchetMessage[] = []
    for (let turn = 0; turn < 3; turn++) {
      const old = say(bob, `old ${turn}`)
      olds.push(old.message)
      const last = sayNth(old.session, 899)
      alice = hear(alice, last.message).session
      expect(skippedKeys(alice)).toBe([900, 1800, 2000][turn])
      const answer = say(alice, 'answer')
      alice = answer.session
      bob = hear(last.session, answer.message).session
    }
    expect(skippedKeys(alice)).toBe(MAX_SKIPPED_PER_SESSION)
    expect(olds.map((message) => codeOf(alice, message))).toEqual(['already_used', 'ok', 'ok'])
    expect(sessionSchema.safeParse(alice).success).toBe(true)
  })

  it('forgets a chain all of whose skipped keys were dropped', () => {
    let { alice, bob } = pair()
    const before: number[] = []
    for (const skipped of [100, 1000, 1000]) {
      const last = sayNth(bob, skipped)
      alice = hear(alice, last.message).session
      before.push(alice.skipped.length)
      const answer = say(alice, 'answer')
      alice = answer.session
      bob = hear(last.session, answer.message).session
    }
    expect(before).toEqual([1, 2, 2])
    expect(alice.skipped.map(({ messages }) => messages.length)).toEqual([1000, 1000])
    expect(sessionSchema.safeParse(alice).success).toBe(true)
  })

  it('reads what is 5,000 ahead, in a chain and after its end, and nothing further', () => {
    const { alice, bob } = pair()
    const first = say(bob, 'first')
    const heard = hear(alice, first.message).session
    const ahead = sayNth(first.session, MAX_FORWARD_STEPS)
    expect(MAX_FORWARD_STEPS).toBe(5000)
    expect(ahead.message.header.n).toBe(5001)
    expect(codeOf(heard, ahead.message)).toBe('ok')
    expect(codeOf(heard, say(ahead.session, 'further').message)).toBe('too_far_ahead')

    const answer = say(heard, 'answer')
    const turned = (from: Session) => say(hear(from, answer.message).session, 'turned').message
    const almost = sayNth(first.session, MAX_FORWARD_STEPS - 1)
    expect(turned(almost.session).header.pn).toBe(5001)
    expect(codeOf(answer.session, turned(almost.session))).toBe('ok')
    expect(codeOf(answer.session, turned(ahead.session))).toBe('too_far_ahead')
  })

  it('refuses a number too far ahead without doing the work', () => {
    const { alice, bob } = pair()
    const { message, session } = say(bob, 'hello')
    const far = withHeader(message, { n: MAX_FORWARD_STEPS + 1 })
    expect(codeOf(alice, far)).toBe('too_far_ahead')
    const heard = hear(alice, message).session
    const answered = say(heard, 'answer')
    const next = say(hear(session, answered.message).session, 'next')
    const long = withHeader(next.message, { pn: MAX_FORWARD_STEPS + 2 })
    expect(codeOf(answered.session, long)).toBe('too_far_ahead')
  })

  it('ends a chain rather than counting past its bound', () => {
    const { bob } = pair()
    const { session } = say(bob, 'hello')
    const { sending } = session.chains
    if (sending === null) throw new Error('no sending chain')
    const chain = { ...sending.chain, index: 2 ** 31 }
    const full = { ...session, chains: { ...session.chains, sending: { ...sending, chain } } }
    expect(encrypt(full, { crypto, random, plaintext: new Uint8Array(), context })).toEqual({
      ok: false,
      code: 'chain_exhausted',
    })
  })
})

it.each([
  ['known', new CryptoError('bad_length')],
  ['unknown', new TypeError('not at all')],
])('does not take a fault of the crypto adapter for a bad message: %s', (_, error) => {
  const { alice, bob } = pair()
  const { message } = say(bob, 'hello')
  const faulty = {
    ...crypto,
    x25519: (): never => {
      throw error
    },
  }
  expect(() => decrypt(alice, { crypto: faulty, message, context })).toThrow(error)
})

it('is not read from a state without any chain', () => {
  const { alice } = pair()
  expect(sessionSchema.safeParse(alice).success).toBe(true)
  const broken = { ...alice, chains: { sending: null, receiving: null } }
  expect(sessionSchema.safeParse(broken).success).toBe(false)
})
