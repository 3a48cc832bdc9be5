import { describe, expect, it } from 'vitest'
import { canonicalBytes, fromBase64Url, labelled, LABELS, toBase64Url } from '../encoding/index.ts'
import { openEnvelope, rosterHash, sealEnvelope } from '../envelope/index.ts'
import { asPeer, crypto, seededRandom } from '../prekeys/testing/devices.ts'
import { End } from '../ratchet/testing/two-devices.ts'
import {
  openToDevice,
  sealToDevice,
  toDeviceEnvelopeSchema,
  unwrapKey,
  wrapKey,
  wrapSchema,
} from './index.ts'
import type { KnownToDeviceContent, ToDeviceEnvelope, Wrap } from './index.ts'

const random = seededRandom('transport')
const envelope = toBase64Url(random(32))
const contentKey = random(32)
const room = `!${toBase64Url(random(32))}:example.org`

function ends(): { alice: End; bob: End } {
  const alice = new End('alice', 4)
  const bob = new End('bob', 4)
  alice.initiate(bob)
  return { alice, bob }
}

function wrapFor(from: End, to: End, id = envelope, key = contentKey): Wrap {
  const { random, set } = from
  const peer = asPeer(to.local)
  const wrapped = wrapKey({ crypto, random, set, peer, envelope: id, contentKey: key })
  if (!wrapped.ok) throw new Error(wrapped.code)
  from.set = wrapped.set
  return wrapped.wrap
}

function unwrap(from: End, to: End, wrap: Wrap, id = envelope) {
  const { set, prekeys, local } = to
  return unwrapKey({ crypto, set, prekeys, local, peer: asPeer(from.local), envelope: id, wrap })
}

describe('a wrap', () => {
  it('brings the content key and the manifest head that the sender goes by', () => {
    const { alice, bob } = ends()
    const wrap = wrapFor(alice, bob)
    expect(wrapSchema.parse(wrap)).toEqual(wrap)
    expect(unwrap(alice, bob, wrap)).toMatchObject({ ok: true, contentKey, head: bob.local.head })
  })

  it('has envelope, recipient member and device as associated data', () => {
    const { alice, bob } = ends()
    const { member, device } = bob.local
    const context = labelled(LABELS.wrap, canonicalBytes({ envelope, member, device }))
    expect(bob.try(alice, { ...wrapFor(alice, bob), text: '' }, context).ok).toBe(true)
  })

  it('is refused beside another envelope', () => {
    const { alice, bob } = ends()
    const other = toBase64Url(random(32))
    expect(unwrap(alice, bob, wrapFor(alice, bob), other)).toEqual({
      ok: false,
      code: 'undecipherable',
    })
  })

  it('is refused where two envelopes have theirs swapped', () => {
    const { alice, bob } = ends()
    const other = toBase64Url(random(32))
    const [one, two] = [wrapFor(alice, bob), wrapFor(alice, bob, other)]
    expect(unwrap(alice, bob, one, other).ok).toBe(false)
    expect(unwrap(alice, bob, two, envelope).ok).toBe(false)
    expect(unwrap(alice, bob, one, envelope).ok).toBe(true)
    expect(unwrap(alice, bob, two, other).ok).toBe(true)
  })

  it('is refused by every device but its own', () => {
    const { alice, bob } = ends()
    const carol = new End('carol', 4)
    const wrap = wrapFor(alice, bob)
    expect(unwrap(alice, carol, wrap)).toEqual({ ok: false, code: 'wrong_recipient' })
    const { member, device } = carol.local
    expect(unwrap(alice, carol, { ...wrap, member, device }).ok).toBe(false)
    for (const change of [{ member }, { device }])
      expect(unwrap(alice, bob, { ...wrap, ...change })).toEqual({
        ok: false,
        code: 'wrong_recipient',
      })
  })

  it('is refused as from another sender', () => {
    const { alice, bob } = ends()
    const wrap = wrapFor(alice, bob)
    expect(unwrap(new End('mallory', 0), bob, wrap).ok).toBe(false)
  })

  it('is refused a second time', () => {
    const { alice, bob } = ends()
    const wrap = wrapFor(alice, bob)
    const first = unwrap(alice, bob, wrap)
    if (!first.ok) throw new Error(first.code)
    bob.set = first.set
    bob.prekeys = first.prekeys
    expect(unwrap(alice, bob, wrap)).toEqual({ ok: false, code: 'already_used' })
  })

  it('is refused with any bit of its message flipped', () => {
    const { alice, bob } = ends()
    const wrap = wrapFor(alice, bob)
    const bytes = fromBase64Url(wrap.message.ciphertext)
    for (let bit = 0; bit < bytes.length * 8; bit += 11) {
      const flipped = bytes.slice()
      flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      const message = { ...wrap.message, ciphertext: toBase64Url(flipped) }
      expect(unwrap(alice, bob, { ...wrap, message }).ok).toBe(false)
    }
    expect(unwrap(alice, bob, wrap).ok).toBe(true)
  })

  it('does not pass as a to-device message', () => {
    const { alice, bob } = ends()
    const { session, message } = wrapFor(alice, bob)
    const { member, device } = alice.local
    const recipient = { member: bob.local.member, device: bob.local.device }
    const posed = { v: 1, sender: { member, device }, recipient, session, message } as const
    expect(hear(alice, bob, posed)).toBe('undecipherable')
  })

  it('needs a session', () => {
    const { bob } = ends()
    const alone = new End('alone', 0)
    expect(() => wrapFor(alone, bob)).toThrow('no_session')
  })

  it('with the key of another message cannot make anyone read something else', () => {
    const { alice, bob } = ends()
    const { member, head } = alice.local
    const sealed = sealEnvelope({
      crypto,
      random,
      local: alice.local,
      draft: {
        room,
        seq: 0,
        prev_own: null,
        type: 'e.message',
        ts: 1,
        roster: rosterHash(crypto, [{ member, head }]),
      },
      content: { v: 1, kind: 'text', text: 'hello' },
    })
    if (!sealed.ok) throw new Error(sealed.code)
    const { id, bytes, body } = sealed.sealed
    const unwrapped = unwrap(alice, bob, wrapFor(alice, bob, id), id)
    if (!unwrapped.ok) throw new Error(unwrapped.code)
    expect(openEnvelope({ crypto, header: bytes, body, contentKey: unwrapped.contentKey })).toEqual(
      { ok: false, code: 'wrong_commitment' },
    )
  })
})

function tell(from: End, to: End, content: KnownToDeviceContent): ToDeviceEnvelope {
  const { random, set, local } = from
  const sealed = sealToDevice({ crypto, random, set, local, peer: asPeer(to.local), content })
  if (!sealed.ok) throw new Error(sealed.code)
  from.set = sealed.set
  return sealed.message
}

/** The content, or the code. */
function hear(from: End, to: End, message: ToDeviceEnvelope): unknown {
  const { set, prekeys, local } = to
  const opened = openToDevice({ crypto, set, prekeys, local, peer: asPeer(from.local), message })
  if (!opened.ok) return opened.code
  to.set = opened.set
  to.prekeys = opened.prekeys
  return opened.content
}

describe('a to-device message', () => {
  const K = toBase64Url(contentKey)
  it.each<KnownToDeviceContent>([
    { kind: 'key_request', room, envelope },
    { kind: 'key_answer', room, envelope, K },
    { kind: 'session_reset', lost: [envelope] },
    { kind: 'empty' },
    { kind: 'device_name', device: toBase64Url(new Uint8Array(12)), name: 'Desk' },
  ])('brings its content: $kind', (content) => {
    const { alice, bob } = ends()
    const message = tell(alice, bob, content)
    expect(toDeviceEnvelopeSchema.parse(message)).toEqual(message)
    expect(hear(alice, bob, message)).toEqual(content)
  })

  it('has sender and recipient as associated data', () => {
    const { alice, bob } = ends()
    const message = tell(alice, bob, { kind: 'empty' })
    const { sender, recipient } = message
    const context = labelled(LABELS.toDevice, canonicalBytes({ sender, recipient }))
    expect(bob.try(alice, { ...message, text: '' }, context).ok).toBe(true)
  })

  it('is refused from or for anyone else', () => {
    const { alice, bob } = ends()
    const carol = new End('carol', 0)
    const message = tell(alice, bob, { kind: 'empty' })
    expect(hear(alice, carol, message)).toBe('wrong_recipient')
    expect(hear(carol, bob, message)).toBe('wrong_sender')
    const { member, device } = carol.local
    expect(hear(carol, bob, { ...message, sender: { member, device } })).not.toEqual({
      kind: 'empty',
    })
    expect(hear(alice, bob, message)).toEqual({ kind: 'empty' })
    expect(hear(alice, bob, message)).toBe('already_used')
  })

  it('of a kind that this version does not know is kept', () => {
    const { alice, bob } = ends()
    const content = { kind: 'poke', strength: 3 }
    // What a later version would seal: the same path, but for the check of the kind.
    const plain = tell(alice, bob, { kind: 'empty' })
    expect(hear(alice, bob, plain)).toEqual({ kind: 'empty' })
    const watched = {
      ...crypto,
      chacha20Poly1305Seal: (key: Uint8Array, nonce: Uint8Array, _: Uint8Array, ad: Uint8Array) =>
        crypto.chacha20Poly1305Seal(key, nonce, canonicalBytes(content), ad),
    }
    const { random, set, local } = alice
    const peer = asPeer(bob.local)
    const sealed = sealToDevice({
      crypto: watched,
      random,
      set,
      local,
      peer,
      content: { kind: 'empty' },
    })
    if (!sealed.ok) throw new Error(sealed.code)
    expect(hear(alice, bob, sealed.message)).toEqual({ kind: 'unknown', content })
  })

  it('is not sealed with content that would not be read', () => {
    const { alice, bob } = ends()
    expect(() => tell(alice, bob, { kind: 'key_request', room: 'room', envelope })).toThrow(
      'bad_content',
    )
  })
})
