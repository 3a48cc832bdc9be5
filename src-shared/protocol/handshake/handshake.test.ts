import { describe, expect, it } from 'vitest'
import { CryptoError } from '../crypto.ts'
import {
  canonicalBytes,
  concatBytes,
  fromBase64Url,
  labelled,
  labelledHash,
  LABELS,
  toBase64Url,
} from '../encoding/index.ts'
import { findPrekeys } from '../prekeys/index.ts'
import type { LocalDevice, PeerDevice, PrekeyBundle, PrekeyState } from '../prekeys/index.ts'
import { signPrekey } from '../prekeys/index.ts'
import {
  asPeer,
  bundleOf,
  crypto,
  makeDevice,
  makePrekeys,
  seededRandom,
} from '../prekeys/testing/devices.ts'
import {
  acceptHandshake,
  checkSuite,
  chooseSuite,
  handshakeHeaderSchema,
  initiateHandshake,
  DEFAULT_SUITE,
  SUITE_HYBRID,
  SUITE_X25519,
} from './index.ts'
import type { HandshakeHeader, Suite } from './index.ts'

const alice = makeDevice('alice')
const bob = makeDevice('bob')
const prekeys = makePrekeys(bob, 2)

function initiate(
  bundle: PrekeyBundle,
  options: { local?: LocalDevice; peer?: PeerDevice; suite?: Suite } = {},
) {
  const { local = alice, peer = asPeer(bob), suite } = options
  const random = seededRandom('handshake')
  const preferred = suite === undefined ? {} : { preferredSuite: suite }
  return initiateHandshake({ crypto, random, local, peer, bundle, ...preferred })
}

function mustInitiate(...args: Parameters<typeof initiate>) {
  const initiated = initiate(...args)
  if (!initiated.ok) throw new Error(initiated.code)
  return initiated
}

function accept(
  header: HandshakeHeader,
  options: { local?: LocalDevice; peer?: PeerDevice; state?: PrekeyState } = {},
) {
  const { local = bob, peer = asPeer(alice), state = prekeys } = options
  const looked = findPrekeys(state, header)
  if (!looked.ok) throw new Error(looked.code)
  return acceptHandshake({ crypto, local, peer, header, prekeys: looked.found })
}

describe.each([
  ['the plain suite', SUITE_X25519],
  ['the hybrid suite', SUITE_HYBRID],
] as const)('%s', (_, suite) => {
  it.each([
    ['with a one-time prekey', 0],
    ['with an empty pool', null],
  ] as const)('makes both sides agree %s', (_name, oneTime) => {
    const { header, agreement } = mustInitiate(bundleOf(bob, prekeys, oneTime), { suite })
    expect(handshakeHeaderSchema.safeParse(header).success).toBe(true)
    expect(header.suite).toBe(suite)
    expect(header.one_time === null).toBe(oneTime === null)
    expect(header.kem === null).toBe(suite === SUITE_X25519)
    expect(accept(header)).toEqual({ ok: true, agreement })
  })

  it.each([
    ['with a one-time prekey', 0],
    ['with an empty pool', null],
  ] as const)('derives session and root key from what the draft lists, %s', (_name, oneTime) => {
    const bundle = bundleOf(bob, prekeys, oneTime)
    const { header, agreement } = mustInitiate(bundle, { suite })
    const looked = findPrekeys(prekeys, header)
    if (!looked.ok) throw new Error(looked.code)
    const { found } = looked
    const end = ({ member, head, device, ed25519, x25519 }: PeerDevice) => ({
      member,
      head,
      device,
      ed25519: toBase64Url(ed25519),
      x25519: toBase64Url(x25519),
    })
    const named = (prekey: { id: string; key: string } | null) =>
      prekey && { id: prekey.id, key: prekey.key }
    const bound = canonicalBytes({
      suite,
      initiator: end(alice),
      responder: end(bob),
      ephemeral: header.ephemeral,
      signed: named(bundle.signed),
      one_time: named(bundle.one_time ?? null),
      kem: suite === SUITE_HYBRID ? named(bundle.kem ?? null) : null,
      kem_ciphertext: header.kem_ciphertext,
    })
    const ad = labelledHash(crypto, LABELS.handshakeAd, bound)
    const ephemeral = fromBase64Url(header.ephemeral)
    const signedSecret = fromBase64Url(found.signed.secret)
    const material = [
      new Uint8Array(32).fill(0xff),
      crypto.x25519(signedSecret, alice.x25519),
      crypto.x25519(bob.x25519Secret, ephemeral),
      crypto.x25519(signedSecret, ephemeral),
    ]
    if (found.oneTime !== null)
      material.push(crypto.x25519(fromBase64Url(found.oneTime.secret), ephemeral))
    if (found.kem !== null && header.kem_ciphertext !== null) {
      const { secretKey } = crypto.mlKem768KeyPair(fromBase64Url(found.kem.secret))
      material.push(crypto.mlKem768Decapsulate(secretKey, fromBase64Url(header.kem_ciphertext)))
    }
    expect(material).toHaveLength(4 + (oneTime === null ? 0 : 1) + (suite === SUITE_HYBRID ? 1 : 0))
    const info = labelled(LABELS.handshakeRoot, ad)
    expect(agreement).toEqual({
      ad,
      session: toBase64Url(labelledHash(crypto, LABELS.session, ad)),
      root: crypto.hkdfSha256(concatBytes(...material), new Uint8Array(32), info, 32),
    })
  })

  it('ends in different sessions where anything in the header differs', () => {
    const { header, agreement } = mustInitiate(bundleOf(bob, prekeys, 0), { suite })
    const flipped = (text: string): string => {
      const bytes = fromBase64Url(text)
      bytes[0] = (bytes[0] ?? 0) ^ 1
      return toBase64Url(bytes)
    }
    const changes: Partial<HandshakeHeader>[] = [
      { initiator_head: flipped(header.initiator_head) },
      { responder_head: flipped(header.responder_head) },
      { ephemeral: flipped(header.ephemeral) },
      { one_time: prekeys.one_time[1]?.id ?? '' },
      { one_time: null },
      ...(header.kem_ciphertext === null
        ? []
        : [{ kem_ciphertext: flipped(header.kem_ciphertext) }]),
    ]
    for (const change of changes) {
      const accepted = accept({ ...header, ...change })
      if (!accepted.ok) throw new Error(accepted.code)
      expect(accepted.agreement.session).not.toBe(agreement.session)
      expect(accepted.agreement.root).not.toEqual(agreement.root)
    }
  })

  it('ends in different sessions where the two sides disagree about each other', () => {
    const { header, agreement } = mustInitiate(bundleOf(bob, prekeys, 0), { suite })
    const mallory = makeDevice('mallory')
    const peer = asPeer(alice)
    for (const wrong of [
      { ...peer, member: mallory.member },
      { ...peer, device: mallory.device },
      { ...peer, ed25519: mallory.ed25519 },
      { ...peer, x25519: mallory.x25519 },
    ]) {
      const accepted = accept(header, { peer: wrong })
      if (!accepted.ok) throw new Error(accepted.code)
      expect(accepted.agreement.session).not.toBe(agreement.session)
      expect(accepted.agreement.root).not.toEqual(agreement.root)
    }
  })
})

describe('suites', () => {
  it('are hybrid unless asked otherwise', () => {
    expect(chooseSuite(1, 1)).toEqual({ ok: true, suite: DEFAULT_SUITE })
    expect(DEFAULT_SUITE).toBe(SUITE_HYBRID)
  })

  it('are the strongest that either side asks for', () => {
    expect(chooseSuite(1, 1, 1)).toEqual({ ok: true, suite: 1 })
    expect(chooseSuite(1, 2, 1)).toEqual({ ok: true, suite: 2 })
    expect(chooseSuite(2, 1, 1)).toEqual({ ok: true, suite: 2 })
    expect(chooseSuite(1, 1, 2)).toEqual({ ok: true, suite: 2 })
  })

  it('are refused below the least of either side, and beyond what is known', () => {
    expect(checkSuite(1, 2, 1)).toEqual({ ok: false, code: 'suite_too_weak' })
    expect(checkSuite(1, 1, 2)).toEqual({ ok: false, code: 'suite_too_weak' })
    expect(chooseSuite(1, 3)).toEqual({ ok: false, code: 'suite_unknown' })
    expect(checkSuite(0, 1, 1)).toEqual({ ok: false, code: 'suite_unknown' })
  })

  it('are refused by an initiator whose peer asks for one that it does not know', () => {
    const beyond = { ...bob, minSuite: 3 }
    const bundle = bundleOf(beyond, makePrekeys(beyond, 2), 0)
    expect(initiate(bundle, { peer: asPeer(beyond) })).toEqual({ ok: false, code: 'suite_unknown' })
  })

  it('are not weakened by an initiator: its manifest binds it too', () => {
    const { header } = mustInitiate(bundleOf(bob, prekeys, 0), { suite: SUITE_X25519 })
    const weak = { ok: false, code: 'suite_too_weak' }
    expect(accept(header, { peer: { ...asPeer(alice), minSuite: 2 } })).toEqual(weak)
    expect(accept(header, { local: { ...bob, minSuite: 2 } })).toEqual(weak)
  })

  it('are not weakened by a node that withholds the KEM prekey', () => {
    const { kem: _, ...bundle } = bundleOf(bob, prekeys, 0)
    expect(initiate(bundle, { suite: SUITE_HYBRID })).toEqual({ ok: false, code: 'kem_missing' })
  })

  it('are not given up by a KEM prekey that is no key, whoever signed it', () => {
    const bundle = bundleOf(bob, prekeys, 0)
    const noKey = toBase64Url(new Uint8Array(1184).fill(0xff))
    const kem = signPrekey(crypto, bob, 'kem', bundle.signed.id, noKey)
    expect(initiate({ ...bundle, kem }, { suite: SUITE_HYBRID })).toEqual({
      ok: false,
      code: 'bad_kem_prekey',
    })
  })

  it('are refused where the header does not fit them', () => {
    const { header } = mustInitiate(bundleOf(bob, prekeys, 0), { suite: SUITE_HYBRID })
    const bad = { ok: false, code: 'bad_handshake' }
    expect(accept({ ...header, suite: SUITE_X25519 })).toEqual(bad)
    expect(accept({ ...header, kem: null })).toEqual(bad)
    expect(accept({ ...header, kem_ciphertext: null })).toEqual(bad)
  })
})

describe('points of low order', () => {
  const zero = new Uint8Array(32)

  it('are refused as prekeys, whoever signed them', () => {
    const bundle = bundleOf(bob, prekeys, 0)
    const signed = signPrekey(crypto, bob, 'signed', bundle.signed.id, toBase64Url(zero))
    const one_time = signPrekey(crypto, bob, 'one_time', bundle.signed.id, toBase64Url(zero))
    const refused = { ok: false, code: 'low_order' }
    expect(initiate({ ...bundle, signed })).toEqual(refused)
    expect(initiate({ ...bundle, one_time })).toEqual(refused)
  })

  it('are refused as identity and as ephemeral key', () => {
    const { header } = mustInitiate(bundleOf(bob, prekeys, 0))
    const refused = { ok: false, code: 'low_order' }
    expect(accept(header, { peer: { ...asPeer(alice), x25519: zero } })).toEqual(refused)
    expect(accept({ ...header, ephemeral: toBase64Url(zero) })).toEqual(refused)
  })
})

describe('a fault of the crypto adapter', () => {
  const broken = new CryptoError('bad_length')
  const failing = new TypeError('not at all')
  const throwing = (error: Error) => (): never => {
    throw error
  }

  it.each([
    ['known', broken],
    ['unknown', failing],
  ])('is not taken for a key of low order: %s', (_, error) => {
    const bundle = bundleOf(bob, prekeys, 0)
    const faulty = { ...crypto, x25519: throwing(error) }
    const random = seededRandom('handshake')
    expect(() =>
      initiateHandshake({ crypto: faulty, random, local: alice, peer: asPeer(bob), bundle }),
    ).toThrow(error)
  })

  it.each([
    ['known', broken],
    ['unknown', failing],
  ])("is not taken for the peer's bad KEM key: %s", (_, error) => {
    const bundle = bundleOf(bob, prekeys, 0)
    const faulty = { ...crypto, mlKem768Encapsulate: throwing(error) }
    const random = seededRandom('handshake')
    expect(() =>
      initiateHandshake({ crypto: faulty, random, local: alice, peer: asPeer(bob), bundle }),
    ).toThrow(error)
  })
})

it('takes no bundle that does not verify', () => {
  const bundle = bundleOf(bob, prekeys, 0)
  expect(initiate(bundle, { peer: asPeer(makeDevice('carol')) })).toEqual({
    ok: false,
    code: 'wrong_device',
  })
})
