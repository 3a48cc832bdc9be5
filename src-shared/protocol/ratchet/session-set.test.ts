import { describe, expect, it } from 'vitest'
import { toBase64Url, toUtf8 } from '../encoding/index.ts'
import { asPeer, crypto, makeDevice } from '../prekeys/testing/devices.ts'
import {
  canEncrypt,
  decryptPairwise,
  dropSession,
  encryptPairwise,
  initiateSession,
  MAX_SESSIONS,
  parseSessionSet,
} from './index.ts'
import { End, twoEnds } from './testing/two-devices.ts'

describe('the first message', () => {
  it('starts the session and says which manifest heads its sender goes by', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    const decrypted = bob.try(alice, alice.say('hello'))
    if (!decrypted.ok) throw new Error(decrypted.code)
    expect(decrypted.started?.initiator_head).toBe(alice.local.head)
    expect(decrypted.started?.responder_head).toBe(bob.local.head)
    expect(decrypted.prekeys.one_time).toHaveLength(bob.prekeys.one_time.length - 1)
  })

  it('may be overtaken: any unanswered message can start the session', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    const [one, two, three] = [alice.say(), alice.say(), alice.say()]
    for (const said of [three, one, two]) expect(bob.hear(alice, said)).toBe(said.text)
    expect(bob.set.sessions).toHaveLength(1)
  })

  it.each([
    ['its one-time prekey is gone', 1, 'unknown_prekey'],
    ['its ephemeral key is remembered', 0, 'replayed'],
  ] as const)('starts no second session when replayed: %s', (_, oneTime, code) => {
    const { alice, bob } = twoEnds(oneTime)
    const session = alice.initiate(bob)
    const first = alice.say()
    expect(bob.hear(alice, first)).toBe(first.text)
    expect(bob.hear(alice, first)).toBe('already_used')
    bob.set = dropSession(bob.set, session)
    expect(bob.hear(alice, first)).toBe(code)
  })

  it('spends no prekey when it does not open', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    const first = alice.say()
    expect(bob.try(alice, first, toUtf8('elsewhere'))).toEqual({
      ok: false,
      code: 'undecipherable',
    })
    expect(bob.hear(alice, first)).toBe(first.text)
  })

  it('is refused for another session than its handshake makes', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    const first = alice.say()
    const session = toBase64Url(new Uint8Array(32))
    expect(bob.hear(alice, { ...first, session })).toBe('wrong_session')
  })

  it('is refused from anyone else than the device whose keys made it', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    expect(bob.hear(new End('mallory', 0), alice.say())).toBe('wrong_session')
  })

  it('is refused in a suite below what its receiver accepts', () => {
    const { alice, bob } = twoEnds()
    const initiated = initiateSession({
      crypto,
      random: alice.random,
      set: alice.set,
      local: alice.local,
      peer: asPeer(bob.local),
      bundle: bob.claim(),
      preferredSuite: 1,
    })
    if (!initiated.ok) throw new Error(initiated.code)
    alice.set = initiated.set
    const { session, message } = alice.say()
    const { set, prekeys } = bob
    const local = { ...bob.local, minSuite: 2 }
    const peer = asPeer(alice.local)
    const context = toUtf8('test')
    expect(
      decryptPairwise({ crypto, set, prekeys, local, peer, session, message, context }),
    ).toEqual({ ok: false, code: 'suite_too_weak' })
  })

  it('is not sent where the claimed bundle is refused', () => {
    const { alice, bob } = twoEnds()
    const initiated = initiateSession({
      crypto,
      random: alice.random,
      set: alice.set,
      local: alice.local,
      peer: asPeer(makeDevice('mallory')),
      bundle: bob.claim(),
    })
    expect(initiated).toEqual({ ok: false, code: 'wrong_device' })
  })

  it('is refused with a ratchet key of low order', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    const first = alice.say()
    const header = { ...first.message.header, key: toBase64Url(new Uint8Array(32)) }
    expect(bob.hear(alice, { ...first, message: { ...first.message, header } })).toBe('low_order')
  })
})

describe('two sessions that crossed', () => {
  it('both decrypt, and both sides choose the one with the smaller id', () => {
    const { alice, bob } = twoEnds()
    const ids = [alice.initiate(bob), bob.initiate(alice)].sort()
    const fromAlice = [alice.say(), alice.say()]
    const fromBob = [bob.say(), bob.say()]
    for (const said of fromAlice) expect(bob.hear(alice, said)).toBe(said.text)
    for (const said of fromBob) expect(alice.hear(bob, said)).toBe(said.text)
    expect([alice.set.sending, bob.set.sending]).toEqual([ids[0], ids[0]])
    const answer = alice.say()
    expect(bob.hear(alice, answer)).toBe(answer.text)
    expect(alice.hear(bob, bob.say())).toBeTruthy()
    expect(alice.say().message.header.handshake).toBeNull()
    expect(bob.say().message.header.handshake).toBeNull()
  })

  it('stay usable where one first message comes late', () => {
    const { alice, bob } = twoEnds()
    alice.initiate(bob)
    bob.initiate(alice)
    const late = alice.say()
    alice.hear(bob, bob.say())
    const next = alice.say()
    expect(bob.hear(alice, next)).toBe(next.text)
    expect(bob.hear(alice, late)).toBe(late.text)
    for (let turn = 0; turn < 2; turn++) {
      const [a, b] = [alice.say(), bob.say()]
      expect(bob.hear(alice, a)).toBe(a.text)
      expect(alice.hear(bob, b)).toBe(b.text)
    }
    const last = bob.say()
    expect(alice.hear(bob, last)).toBe(last.text)
    expect(alice.set.sending).toBe(bob.set.sending)
  })
})

describe('a peer that lost its state', () => {
  it('is followed to its new session at once', () => {
    const { alice, bob } = twoEnds(4, true)
    const before = alice.set.sending
    bob.set = { v: 1, sessions: [], sending: null }
    const session = bob.initiate(alice)
    alice.hear(bob, bob.say())
    expect(alice.set.sending).toBe(session)
    expect(session).not.toBe(before)
    const answer = alice.say()
    expect(bob.hear(alice, answer)).toBe(answer.text)
  })

  it('says so of a message in a session it does not know', () => {
    const { alice, bob } = twoEnds(4, true)
    bob.set = { v: 1, sessions: [], sending: null }
    expect(bob.hear(alice, alice.say())).toBe('unknown_session')
  })
})

describe('the set', () => {
  it('sends in the session that the peer used last, and is not moved by late messages', () => {
    const { alice, bob } = twoEnds(4, true)
    const old = alice.set.sending
    const [skipped, kept] = [bob.say(), bob.say()]
    alice.hear(bob, kept)
    const fresh = bob.initiate(alice)
    alice.hear(bob, bob.say())
    expect(alice.set.sending).toBe(fresh)
    expect(alice.hear(bob, skipped)).toBe(skipped.text)
    expect(alice.set.sending).toBe(fresh)
    expect(alice.set.sessions.map(({ id }) => id)).toContain(old)
  })

  it('falls back to the session used last when the sending one is dropped', () => {
    const { alice, bob } = twoEnds(4, true)
    const old = alice.set.sending
    const fresh = alice.initiate(bob)
    expect(dropSession(alice.set, fresh).sending).toBe(old)
    expect(dropSession(alice.set, old ?? '').sending).toBe(fresh)
    expect(dropSession(dropSession(alice.set, fresh), old ?? '').sending).toBeNull()
    expect(dropSession(alice.set, 'unknown')).toBe(alice.set)
  })

  it('forgets the session unused for longest, never the sending one', () => {
    const { alice, bob } = twoEnds(20)
    const ids = Array.from({ length: MAX_SESSIONS + 2 }, () => alice.initiate(bob))
    expect(alice.set.sessions.map(({ id }) => id)).toEqual(ids.slice(2).reverse())
    expect(alice.set.sending).toBe(ids.at(-1))
    expect(parseSessionSet(alice.set)).toEqual(alice.set)
  })

  it('keeps the sending session even where it is the one unused for longest', () => {
    const { alice, bob } = twoEnds(60)
    const own = alice.initiate(bob)
    const heard: string[] = []
    // While ours is unanswered, a session with a greater id does not take its place.
    for (let tries = 0; heard.length < MAX_SESSIONS && tries < 50; tries++) {
      const session = bob.initiate(alice)
      if (session < own) continue
      expect(alice.hear(bob, bob.say('crossed'))).toBe('crossed')
      heard.push(session)
    }
    expect(heard).toHaveLength(MAX_SESSIONS)
    expect(alice.set.sending).toBe(own)
    expect(alice.set.sessions.map(({ id }) => id)).toEqual([...heard.slice(1).reverse(), own])
  })

  it('says that a chain is used up, and changes nothing', () => {
    const { alice } = twoEnds(4, true)
    alice.say()
    const [first, ...others] = alice.set.sessions
    const { sending } = first?.chains ?? { sending: null }
    if (first === undefined || sending === null) throw new Error('no sending chain')
    const chain = { ...sending.chain, index: 2 ** 31 }
    const full = { ...first, chains: { ...first.chains, sending: { ...sending, chain } } }
    const set = { ...alice.set, sessions: [full, ...others] }
    const { random } = alice
    expect(
      encryptPairwise({
        crypto,
        random,
        set,
        plaintext: toUtf8('more'),
        context: toUtf8('test'),
      }),
    ).toEqual({ ok: false, code: 'chain_exhausted' })
  })

  it('has no session to begin with', () => {
    const { alice, bob } = twoEnds()
    expect(() => alice.say()).toThrow('no_session')
    expect(canEncrypt(alice.set)).toBe(false)
    alice.initiate(bob)
    expect(canEncrypt(alice.set)).toBe(true)
  })

  it('is not read from anything else', () => {
    const { alice } = twoEnds(4, true)
    expect(parseSessionSet({ ...alice.set, v: 2 })).toBeNull()
    expect(parseSessionSet('')).toBeNull()
  })
})
