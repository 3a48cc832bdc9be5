import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  fromBase64Url,
  labelled,
  LABELS,
  toBase64Url,
  toHex,
  toUtf8,
  verifyLabelled,
} from '../encoding/index.ts'
import type { Json, JsonObject } from '../encoding/index.ts'
import { envelopeHeaderSchema, paddedSize } from '../envelope/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import { asPeer, crypto, makeDevice, seededRandom } from '../prekeys/testing/devices.ts'
import {
  drawMetadataKey,
  drawShadowIdentity,
  makeShadowCertificate,
  metadataKeySchema,
  opaquePlace,
  openMetadata,
  sealedMetadataSchema,
  sealMetadata,
  shadowCertificateSchema,
  shadowDeviceSchema,
  shadowInvitationSchema,
  verifyShadowCertificate,
} from './index.ts'
import type { MetadataKey, MetadataPlace } from './index.ts'

const random = seededRandom('shadow')
const room = `!${toBase64Url(random(32))}:example.org`
const otherRoom = `!${toBase64Url(random(32))}:example.org`
const key = drawMetadataKey(random, null)
const place: MetadataPlace = { type: 'e.room.name', state_key: '' }
const content = { name: 'Night shift' }

function seal(of: JsonObject = content) {
  const sealed = sealMetadata({ crypto, random, room, key, place, content: of })
  if (sealed === null) throw new Error('not sealed')
  return sealed
}

function open(changes: {
  room?: string
  key?: MetadataKey
  place?: MetadataPlace
  sealed?: JsonObject
}) {
  const opened = openMetadata({ crypto, room, key, place, sealed: seal(), ...changes })
  return opened.ok ? opened.content : opened.code
}

const flipped = (text: string): string =>
  toBase64Url(fromBase64Url(text).map((byte, at) => (at === 0 ? byte ^ 1 : byte)))

describe('sealed metadata', () => {
  it('opens to what it was, and looks different each time', () => {
    const [one, two] = [seal(), seal()]
    expect(sealedMetadataSchema.parse(one)).toEqual(one)
    expect(open({ sealed: one })).toEqual(content)
    expect(open({ sealed: two })).toEqual(content)
    expect(one.sealed).not.toBe(two.sealed)
  })

  it('opens in no other room and at no other place', () => {
    expect(open({ room: otherRoom })).toBe('undecipherable')
    expect(open({ place: { ...place, type: 'e.room.topic' } })).toBe('undecipherable')
    expect(open({ place: { ...place, state_key: 'x' } })).toBe('undecipherable')
  })

  it('opens with no other key, whatever generation it claims', () => {
    const next = drawMetadataKey(random, key)
    expect(next.generation).toBe(1)
    expect(next.key).not.toBe(key.key)
    expect(open({ key: next })).toBe('other_generation')
    expect(open({ key: { ...next, generation: 0 } })).toBe('undecipherable')
    expect(open({ key: { ...key, generation: 1 }, sealed: { ...seal(), generation: 1 } })).toBe(
      'undecipherable',
    )
  })

  it('opens with no bit changed', () => {
    const sealed = seal()
    expect(open({ sealed: { ...sealed, sealed: flipped(sealed.sealed) } })).toBe('undecipherable')
    expect(open({ sealed: { ...sealed, nonce: flipped(sealed.nonce) } })).toBe('undecipherable')
    expect(open({ sealed: {} })).toBe('malformed')
    expect(open({ sealed: { ...sealed, nonce: '' } })).toBe('malformed')
    expect(open({ sealed: { ...sealed, sealed: 'A'.repeat(70_000) } })).toBe('malformed')
  })

  it('shows only its padded size', () => {
    const size = (name: string): number => fromBase64Url(seal({ name }).sealed).length - 16
    expect(size('a')).toBe(size('a'.repeat(200)))
    expect(size('a'.repeat(3000))).toBe(paddedSize(size('a'.repeat(3000))))
  })

  it('is sealed as the draft has it', () => {
    const { generation, nonce, sealed } = seal()
    const info = labelled(LABELS.shadowKeys, canonicalBytes({ room, generation: 0 }))
    const output = crypto.hkdfSha256(fromBase64Url(key.key), new Uint8Array(32), info, 64)
    const said = canonicalBytes({ room, generation: 0, type: place.type, state_key: '' })
    const ad = labelled(LABELS.shadowMetadata, said)
    const plaintext = crypto.xchacha20Poly1305Open(
      output.slice(0, 32),
      fromBase64Url(nonce),
      fromBase64Url(sealed),
      ad,
    )
    expect(generation).toBe(0)
    const text = new TextDecoder().decode(plaintext ?? undefined)
    expect(text).toMatch(/^\{"name":"Night shift","pad":"0+"\}$/)
    expect(text).toHaveLength(256)
    const names = output.slice(32)
    const hmac = (label: typeof LABELS.shadowType | typeof LABELS.shadowStateKey, of: Json) =>
      crypto.hmacSha256(names, labelled(label, canonicalBytes(of)))
    const { type, state_key } = place
    expect(opaquePlace(crypto, room, key, place)).toEqual({
      type: `x.${toHex(hmac(LABELS.shadowType, { type }).slice(0, 16))}`,
      state_key: toBase64Url(hmac(LABELS.shadowStateKey, { type, state_key })),
    })
  })

  it('has all its members in their form', () => {
    const sealed = seal()
    const reads = (value: unknown) => sealedMetadataSchema.safeParse(value).success
    // Base64url texts of any length: one character less or more may be one as well.
    expect(
      damageNotSeen(sealed, reads).filter((what) => !/^sealed (short|long)$/.test(what)),
    ).toEqual([])
    expect(reads({ ...sealed, more: 1 })).toBe(true)
    expect(reads({ ...sealed, sealed: 'A'.repeat(65_536) })).toBe(true)
    expect(reads({ ...sealed, sealed: 'A'.repeat(65_540) })).toBe(false)
    expect(reads({ ...sealed, sealed: '+' })).toBe(false)
    const keyReads = (value: unknown) => metadataKeySchema.safeParse(value).success
    expect(damageNotSeen(key, keyReads)).toEqual([])
    expect(keyReads(drawMetadataKey(random, key))).toBe(true)
  })

  it('takes no key of another length', () => {
    const short = { ...key, key: toBase64Url(random(31)) }
    expect(() => open({ key: short })).toThrow('bad_length')
  })

  it('holds what fills 32 KiB and nothing more', () => {
    const fill = (length: number) =>
      sealMetadata({ crypto, random, room, key, place, content: { x: 'x'.repeat(length) } })
    const frame = '{"pad":"","x":""}'.length
    expect(open({ sealed: fill(32_768 - frame) ?? {} })).toEqual({ x: 'x'.repeat(32_768 - frame) })
    expect(fill(32_769 - frame)).toBe(null)
  })

  it('is not made of what is too large or no JSON', () => {
    const attempt = (of: JsonObject) =>
      sealMetadata({ crypto, random, room, key, place, content: of })
    expect(attempt({ name: 'x'.repeat(40_000) })).toBe(null)
    expect(attempt({ name: '\ud800' })).toBe(null)
  })

  it('with something else inside is refused as such', () => {
    const lying = {
      ...crypto,
      xchacha20Poly1305Seal: (k: Uint8Array, n: Uint8Array, _: Uint8Array, ad: Uint8Array) =>
        crypto.xchacha20Poly1305Seal(k, n, toUtf8('{"a": 1}'), ad),
    }
    const sealed = sealMetadata({ crypto: lying, random, room, key, place, content })
    expect(open({ sealed: sealed ?? {} })).toBe('bad_content')
  })
})

describe('an opaque place', () => {
  it('fits an envelope and tells nothing of what it is', () => {
    const opaque = opaquePlace(crypto, room, key, place)
    expect(opaque.type).toMatch(/^x\.[0-9a-f]{32}$/)
    expect(opaque.state_key).toHaveLength(43)
    const type = envelopeHeaderSchema.safeParse({ type: opaque.type }).error?.issues
    expect(type?.some(({ path }) => path[0] === 'type')).toBe(false)
  })

  it('differs by type, state key, room and generation', () => {
    const at = (changes: { room?: string; key?: MetadataKey; place?: Partial<MetadataPlace> }) =>
      opaquePlace(crypto, changes.room ?? room, changes.key ?? key, { ...place, ...changes.place })
    const all = [
      at({}),
      at({ place: { type: 'e.room.topic' } }),
      at({ room: otherRoom }),
      at({ key: drawMetadataKey(random, key) }),
    ]
    expect(new Set(all.map(({ type }) => type)).size).toBe(4)
    expect(new Set(all.map(({ state_key }) => state_key)).size).toBe(4)
    const keyed = at({ place: { state_key: 'x' } })
    expect(keyed.type).toBe(all[0]?.type)
    expect(keyed.state_key).not.toBe(all[0]?.state_key)
    expect(at({})).toEqual(all[0])
  })
})

it('an invitation brings room and key', () => {
  const invitation = { v: 1, room, metadata: key }
  expect(shadowInvitationSchema.parse(invitation)).toEqual(invitation)
  const reads = (value: unknown) => shadowInvitationSchema.safeParse(value).success
  expect(damageNotSeen(invitation, reads)).toEqual([])
  expect(shadowInvitationSchema.parse({ ...invitation, secret: 1 })).toHaveProperty('secret')
  expect(shadowInvitationSchema.safeParse({ v: 1, room }).success).toBe(false)
  const short = { ...invitation, metadata: { ...key, key: 'AAAA' } }
  expect(shadowInvitationSchema.safeParse(short).success).toBe(false)
})

describe('a certificate', () => {
  const alice = makeDevice('alice')
  const bob = makeDevice('bob')
  const identity = drawShadowIdentity(crypto, random, null)
  const { secret: _, ...subject } = identity
  const certificate = makeShadowCertificate(crypto, alice, room, identity)

  function verify(changes: Partial<Parameters<typeof verifyShadowCertificate>[0]>) {
    const device = asPeer(alice)
    const result = verifyShadowCertificate({
      crypto,
      room,
      subject,
      device,
      certificate,
      ...changes,
    })
    return result.ok ? 'ok' : result.code
  }

  it('ties key and route to the device that the members know', () => {
    expect(verify({})).toBe('ok')
    expect(shadowDeviceSchema.parse(subject)).toEqual(subject)
    expect(shadowCertificateSchema.parse(certificate)).toEqual(certificate)
  })

  it('has all its members in their form', () => {
    expect(
      damageNotSeen(certificate, (value) => shadowCertificateSchema.safeParse(value).success),
    ).toEqual([])
    expect(damageNotSeen(subject, (value) => shadowDeviceSchema.safeParse(value).success)).toEqual(
      [],
    )
  })

  it('is signed by the device and by the room key, each under a label of its own', () => {
    const { said, sig, possession } = certificate
    const { member, device, head } = alice
    expect(said).toEqual({ v: 1, room, ...subject, member, device, head })
    const bytes = canonicalBytes(said)
    const roomKey = fromBase64Url(identity.key)
    expect(fromBase64Url(identity.route)).toHaveLength(16)
    for (const [by, label, signature] of [
      [alice.ed25519, LABELS.shadowCertificate, sig],
      [roomKey, LABELS.shadowPossession, possession],
    ] as const)
      expect(verifyLabelled(crypto, by, label, bytes, fromBase64Url(signature))).toBe(true)
  })

  it('travels sealed', () => {
    const sealed = seal({ ...certificate } as JsonObject)
    const opened = open({ sealed })
    expect(verify({ certificate: opened })).toBe('ok')
  })

  it('gives two devices of an account one pseudonym, and nothing else in common', () => {
    const second = drawShadowIdentity(crypto, random, identity.pseudonym)
    expect(second.pseudonym).toBe(identity.pseudonym)
    expect(second.key).not.toBe(identity.key)
    expect(second.route).not.toBe(identity.route)
  })

  it('counts for no other subject, room or device', () => {
    expect(verify({ room: otherRoom })).toBe('wrong_subject')
    for (const field of ['pseudonym', 'key', 'route'] as const)
      expect(verify({ subject: { ...subject, [field]: flipped(subject[field]) } })).toBe(
        'wrong_subject',
      )
    expect(verify({ device: asPeer(bob) })).toBe('wrong_device')
    expect(verify({ device: { ...asPeer(alice), device: bob.device } })).toBe('wrong_device')
    expect(verify({ device: { ...asPeer(alice), member: bob.member } })).toBe('wrong_device')
    expect(verify({ device: { ...asPeer(alice), ed25519: bob.ed25519 } })).toBe('bad_signature')
  })

  it('counts with no signature missing, changed or swapped', () => {
    const { sig, possession } = certificate
    const changed = (change: Json) =>
      verify({ certificate: { ...certificate, ...(change as JsonObject) } as JsonObject })
    expect(changed({ sig: flipped(sig) })).toBe('bad_signature')
    expect(changed({ possession: flipped(possession) })).toBe('bad_signature')
    expect(changed({ sig: possession, possession: sig })).toBe('bad_signature')
    expect(changed({ sig: '' })).toBe('malformed')
    expect(verify({ certificate: null })).toBe('malformed')
    const said = { ...certificate.said, head: flipped(certificate.said.head) }
    expect(changed({ said })).toBe('bad_signature')
  })

  it('is not made for a key that is taken from someone else', () => {
    const taken = { ...identity, key: toBase64Url(bob.ed25519) }
    const made = makeShadowCertificate(crypto, alice, room, taken)
    expect(verify({ certificate: made, subject: { ...subject, key: taken.key } })).toBe(
      'bad_signature',
    )
  })

  it('counts for no key of small order', () => {
    const small = toBase64Url(Uint8Array.of(1, ...new Uint8Array(31)))
    const made = makeShadowCertificate(crypto, alice, room, { ...identity, key: small })
    expect(verify({ certificate: made, subject: { ...subject, key: small } })).toBe('bad_key')
  })
})
