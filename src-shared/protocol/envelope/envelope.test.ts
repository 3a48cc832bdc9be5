import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  canonicalBytes,
  fromBase64Url,
  labelled,
  labelledHash,
  LABELS,
  signLabelled,
  toBase64Url,
  toUtf8,
} from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { crypto, makeDevice, seededRandom } from '../prekeys/testing/devices.ts'
import {
  bindingOf,
  checkContentKey,
  contentKeyRecordSchema,
  decodeContent,
  deriveContentKeys,
  encodeContent,
  envelopeHeaderSchema,
  envelopeId,
  headerBytes,
  MAX_ENVELOPE_SIZE,
  MIN_PADDED_SIZE,
  openClearEnvelope,
  openEnvelope,
  paddedSize,
  rosterHash,
  sealClearEnvelope,
  sealEnvelope,
  sealNodeEnvelope,
  verifyEnvelope,
} from './index.ts'
import type { EnvelopeDraft, SealResult } from './index.ts'

const random = seededRandom('envelope')
const local = makeDevice('alice')
const room = `!${toBase64Url(random(32))}:example.org`
const draft: EnvelopeDraft = {
  room,
  seq: 3,
  prev_own: toBase64Url(random(32)),
  type: 'e.message',
  ts: 1_700_000_000_000,
  roster: rosterHash(crypto, [{ member: local.member, head: local.head }]),
}
const content = { v: 1, kind: 'text', text: 'hello' } as const
const state = { state_key: '', replaces: null, basis: [toBase64Url(random(32))] }

function must<T>(result: SealResult<T>): T {
  if (!result.ok) throw new Error(result.code)
  return result.sealed
}

function seal(changes: Partial<EnvelopeDraft> = {}, said: JsonObject = content) {
  return must(
    sealEnvelope({ crypto, random, local, draft: { ...draft, ...changes }, content: said }),
  )
}

const sealed = seal()

function open(changes: { header?: JsonObject | Uint8Array; body?: Uint8Array; key?: Uint8Array }) {
  const { header = sealed.bytes, body = sealed.body, key = sealed.contentKey } = changes
  const opened = openEnvelope({ crypto, header, body, contentKey: key })
  return opened.ok ? 'ok' : opened.code
}

function flip(bytes: Uint8Array, bit: number): Uint8Array {
  const out = bytes.slice()
  out[bit >> 3] = (out[bit >> 3] ?? 0) ^ (1 << (bit & 7))
  return out
}

describe('a sealed message', () => {
  it('verifies and opens from its bytes and from its parsed header', () => {
    expect(envelopeId(crypto, sealed.header)).toBe(sealed.id)
    for (const header of [sealed.bytes, sealed.header]) {
      expect(verifyEnvelope(crypto, header, sealed.sig, local.ed25519)).toMatchObject({
        ok: true,
        id: sealed.id,
      })
      const opened = openEnvelope({
        crypto,
        header,
        body: sealed.body,
        contentKey: sealed.contentKey,
      })
      expect(opened).toMatchObject({ ok: true, id: sealed.id, content })
    }
  })

  it('shows nothing of its content, and its size only roughly', () => {
    expect(new TextDecoder('latin1').decode(sealed.body)).not.toContain('hello')
    const longer = seal({}, { ...content, text: 'hello '.repeat(20) })
    expect(longer.body.length).toBe(sealed.body.length)
  })

  it('binds everything to the header without commitment and body hash', () => {
    const { commit, body_hash: _, ...bare } = sealed.header
    const bytes = canonicalBytes(bare)
    const keys = deriveContentKeys(crypto, bindingOf(crypto, sealed.header), sealed.contentKey)
    const hash = labelledHash(crypto, LABELS.envelopeHeader, bytes)
    const info = labelled(LABELS.commit, hash)
    const expected = crypto.hkdfSha256(sealed.contentKey, new Uint8Array(0), info, 32)
    expect(keys.ad).toEqual(labelled(LABELS.envelopeHeader, bytes))
    expect(toBase64Url(expected)).toBe(commit)
  })

  it('is never the same twice', () => {
    const again = seal()
    expect(again.id).not.toBe(sealed.id)
    expect(again.contentKey).not.toEqual(sealed.contentKey)
  })

  it('keeps fields and kinds that this version does not know', () => {
    const future = { v: 1, kind: 'e.poll', options: ['a', { b: 1 }], text: 'A poll' }
    const { bytes, body, contentKey } = seal({}, future)
    const opened = openEnvelope({ crypto, header: bytes, body, contentKey })
    expect(opened).toMatchObject({ ok: true, content: future })
    if (opened.ok) expect(opened.content).not.toHaveProperty('pad')
  })

  it('covers header fields that this version does not know', () => {
    const header = { ...sealed.header, new_field: 1 } as JsonObject
    expect(envelopeHeaderSchema.safeParse(header).success).toBe(true)
    expect(envelopeId(crypto, header)).not.toBe(sealed.id)
    expect(open({ header })).toBe('wrong_commitment')
  })
})

describe('what is refused', () => {
  it('any bit flipped anywhere in the header, by signature or form', () => {
    fc.assert(
      fc.property(fc.nat(sealed.bytes.length * 8 - 1), (bit) => {
        const header = flip(sealed.bytes, bit)
        const verified = verifyEnvelope(crypto, header, sealed.sig, local.ed25519)
        expect(verified.ok).toBe(false)
        expect(open({ header })).not.toBe('ok')
      }),
      { numRuns: 300 },
    )
  })

  it('any bit flipped in the body', () => {
    for (let bit = 0; bit < sealed.body.length * 8; bit++)
      expect(open({ body: flip(sealed.body, bit) })).toBe('wrong_body')
  })

  it('any bit flipped in the content key', () => {
    for (let bit = 0; bit < 256; bit++) {
      const key = flip(sealed.contentKey, bit)
      expect(open({ key })).toBe('wrong_commitment')
      expect(checkContentKey(crypto, sealed.header, key)).toBe(false)
    }
    expect(checkContentKey(crypto, sealed.header, sealed.contentKey)).toBe(true)
    expect(open({ key: sealed.contentKey.subarray(1) })).toBe('wrong_commitment')
  })

  it('a content key of another length, also one that the header commits to', () => {
    const key = random(31)
    const { commit } = deriveContentKeys(crypto, bindingOf(crypto, sealed.header), key)
    const header = { ...sealed.header, commit: toBase64Url(commit) } as JsonObject
    expect(checkContentKey(crypto, header, key)).toBe(false)
    expect(open({ header, key })).toBe('wrong_commitment')
  })

  it('a header that JSON can’t say, without a word of it', () => {
    const header = { ...sealed.header, more: 0.5 } as JsonObject
    expect(checkContentKey(crypto, header, sealed.contentKey)).toBe(false)
    expect(open({ header })).toBe('bad_header')
  })

  it('any bit flipped in the signature, another signer, no signature', () => {
    const bytes = fromBase64Url(sealed.sig)
    const bad = { ok: false, code: 'bad_signature' }
    for (let bit = 0; bit < 512; bit += 7) {
      const sig = toBase64Url(flip(bytes, bit))
      expect(verifyEnvelope(crypto, sealed.header, sig, local.ed25519)).toEqual(bad)
    }
    const other = makeDevice('mallory')
    expect(verifyEnvelope(crypto, sealed.header, sealed.sig, other.ed25519)).toEqual(bad)
    expect(verifyEnvelope(crypto, sealed.header, '', local.ed25519)).toEqual(bad)
    expect(verifyEnvelope(crypto, sealed.header, '=', local.ed25519)).toEqual(bad)
  })

  it('the body, commitment or key of another message', () => {
    const other = seal({}, { ...content, text: 'other' })
    expect(open({ body: other.body })).toBe('wrong_body')
    expect(open({ key: other.contentKey })).toBe('wrong_commitment')
    expect(open({ header: { ...sealed.header, commit: other.header.commit } })).toBe(
      'wrong_commitment',
    )
  })

  it('the commitment is checked before anything is decrypted', () => {
    const watched = {
      ...crypto,
      chacha20Poly1305Open: () => {
        throw new Error('decrypted')
      },
    }
    const { bytes: header, body } = sealed
    const contentKey = random(32)
    expect(openEnvelope({ crypto: watched, header, body, contentKey })).toEqual({
      ok: false,
      code: 'wrong_commitment',
    })
  })

  it('a body that opens under the right key but was made for another header', () => {
    // A sender that lies about its own message: everything is signed and committed, but the ciphertext
    // was made with other associated data.
    const { commit: _, body_hash: __, ...bare } = sealed.header
    const keys = deriveContentKeys(crypto, bindingOf(crypto, bare), sealed.contentKey)
    const plaintext = encodeContent(content) ?? new Uint8Array()
    const body = crypto.chacha20Poly1305Seal(keys.key, keys.nonce, plaintext, toUtf8('other'))
    const body_hash = toBase64Url(crypto.sha256(new Uint8Array()))
    expect(open({ header: { ...sealed.header, body_hash }, body })).toBe('wrong_body')
    const lying = must(
      sealEnvelope({
        crypto: { ...crypto, chacha20Poly1305Seal: () => body },
        random,
        local,
        draft,
        content,
      }),
    )
    expect(open({ header: lying.bytes, body: lying.body, key: lying.contentKey })).toBe(
      'undecipherable',
    )
  })

  it('content that is not what content must be', () => {
    const lying = must(
      sealEnvelope({
        crypto: {
          ...crypto,
          chacha20Poly1305Seal: (key, nonce, _, ad) =>
            crypto.chacha20Poly1305Seal(key, nonce, toUtf8('{"v":1,"v":1}'), ad),
        },
        random,
        local,
        draft,
        content,
      }),
    )
    expect(open({ header: lying.bytes, body: lying.body, key: lying.contentKey })).toBe(
      'bad_content',
    )
  })

  it('a header that is not canonical, too large or of an unknown suite', () => {
    const spaced = toUtf8(new TextDecoder().decode(sealed.bytes).replace('{', '{ '))
    expect(open({ header: spaced })).toBe('bad_header')
    expect(open({ header: toUtf8('{}') })).toBe('bad_header')
    expect(open({ header: new Uint8Array(MAX_ENVELOPE_SIZE + 1) })).toBe('too_large')
    expect(open({ body: new Uint8Array(MAX_ENVELOPE_SIZE) })).toBe('too_large')
    expect(open({ header: { ...sealed.header, suite: 2 } })).toBe('unsupported_suite')
  })

  it.each([
    ['neither device nor node', { device: null }],
    ['device and node', { node: 'example.org' }],
    ['no commitment', { commit: null }],
    ['a commitment in the clear', { transport: 'clear' }],
    ['half of the state fields', { state_key: '' }],
    ['encrypted state', { ...state }],
    ['a negative number', { seq: -1 }],
    ['a room that is none', { room: 'room' }],
  ])('a header with %s', (_, change) => {
    const header = { ...sealed.header, ...change } as JsonObject
    expect(envelopeHeaderSchema.safeParse(header).success).toBe(false)
    expect(open({ header })).toBe('bad_header')
  })
})

describe('sealing', () => {
  it('refuses what would not be read', () => {
    const attempt = (said: JsonObject, changes: Partial<EnvelopeDraft> = {}) => {
      const result = sealEnvelope({
        crypto,
        random,
        local,
        draft: { ...draft, ...changes },
        content: said,
      })
      return result.ok ? 'ok' : result.code
    }
    const target = toBase64Url(random(32))
    expect(attempt({ v: 1, kind: 'text' })).toBe('bad_content')
    expect(attempt({ v: 1, kind: 'edit', text: 'x' })).toBe('bad_content')
    expect(attempt({ v: 1, kind: 'edit', text: 'x', relates: { kind: 'edit', target } })).toBe('ok')
    expect(attempt({ v: 1, kind: 'delete', relates: { kind: 'delete', target } })).toBe('ok')
    expect(attempt({ v: 1, kind: 'text', text: '\ud800' })).toBe('bad_content')
    expect(attempt({ ...content, text: 'x'.repeat(MAX_ENVELOPE_SIZE) })).toBe('too_large')
    expect(attempt(content, { room: 'room' })).toBe('bad_header')
  })

  it('makes the same bytes from the same randomness', () => {
    const twice = [1, 2].map(() =>
      must(sealEnvelope({ crypto, random: seededRandom('same'), local, draft, content })),
    )
    expect(twice[0]).toEqual(twice[1])
  })
})

describe('clear envelopes', () => {
  const body = { membership: 'invite', user_id: '@bob:example.org' }
  const clear = must(sealClearEnvelope({ crypto, local, draft, state, content: body }))

  it('verify and can be read by everyone', () => {
    const { header, sig } = clear
    expect(verifyEnvelope(crypto, header, sig, local.ed25519).ok).toBe(true)
    expect(openClearEnvelope({ crypto, header, body: clear.body })).toMatchObject({
      ok: true,
      content: body,
    })
    expect(header).toMatchObject({ ...state, transport: 'clear', commit: null })
  })

  it('do not pass as encrypted ones, nor the other way round', () => {
    const wrong = { ok: false, code: 'wrong_transport' }
    const contentKey = random(32)
    const { bytes: header } = clear
    expect(openEnvelope({ crypto, header, body: clear.body, contentKey })).toEqual(wrong)
    expect(checkContentKey(crypto, clear.header, contentKey)).toBe(false)
    expect(openClearEnvelope({ crypto, header: sealed.bytes, body: sealed.body })).toEqual(wrong)
  })

  it('refuse another body', () => {
    const other = canonicalBytes({ ...body, membership: 'ban' })
    expect(openClearEnvelope({ crypto, header: clear.bytes, body: other })).toEqual({
      ok: false,
      code: 'wrong_body',
    })
  })

  it('make the create envelope without a room', () => {
    const create = { ...draft, room: '', type: 'e.room.create' }
    const made = must(sealClearEnvelope({ crypto, local, draft: create, state, content: {} }))
    expect(made.header.room).toBe('')
  })

  it('made by a node name it and carry no device signature', () => {
    const made = must(
      sealNodeEnvelope({
        crypto,
        node: 'example.org',
        member: local.member,
        draft,
        state: { ...state, state_key: local.member },
        content: { head: local.head },
      }),
    )
    expect(made.header).toMatchObject({ device: null, node: 'example.org' })
    expect(made.sig).toBeNull()
    expect(verifyEnvelope(crypto, made.header, sealed.sig, local.ed25519)).toEqual({
      ok: false,
      code: 'bad_signature',
    })
    // Not even a signature that verifies: what a node states is covered by its event.
    const { envelopeSignature } = LABELS
    const sig = signLabelled(crypto, local.ed25519Secret, envelopeSignature, made.bytes)
    expect(verifyEnvelope(crypto, made.header, toBase64Url(sig), local.ed25519)).toEqual({
      ok: false,
      code: 'bad_signature',
    })
  })
})

describe('the roster hash', () => {
  const pairs = ['a', 'b', 'c'].map((name) => {
    const { member, head } = makeDevice(name)
    return { member, head }
  })

  it('does not depend on order', () => {
    expect(rosterHash(crypto, pairs)).toBe(rosterHash(crypto, pairs.toReversed()))
  })

  it('covers the pairs in the order of their members', () => {
    const sorted = [...pairs].sort((a, b) => (a.member < b.member ? -1 : 1))
    const bytes = canonicalBytes(sorted.map(({ member, head }) => [member, head]))
    const expected = toBase64Url(labelledHash(crypto, LABELS.roster, bytes))
    expect(rosterHash(crypto, pairs)).toBe(expected)
    expect(rosterHash(crypto, [])).toBe('su1eiECZiDNf36gTwEaib9Euz4TYZncA5FHLdfqWQbM')
  })

  it('differs for other members or heads', () => {
    const [first] = pairs
    const hash = rosterHash(crypto, pairs)
    expect(rosterHash(crypto, pairs.slice(1))).not.toBe(hash)
    const head = local.head
    const moved = pairs.map((pair) => (pair === first ? { ...pair, head } : pair))
    expect(rosterHash(crypto, moved)).not.toBe(hash)
  })
})

describe('padding', () => {
  it('never shrinks, costs at most an eighth, and leaves few sizes', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: MAX_ENVELOPE_SIZE }), (size) => {
        const padded = paddedSize(size)
        expect(padded).toBeGreaterThanOrEqual(size)
        expect(padded).toBeLessThanOrEqual(Math.max(MIN_PADDED_SIZE, size * 1.125))
        expect(paddedSize(padded)).toBe(padded)
      }),
    )
    const sizes = new Set(Array.from({ length: MAX_ENVELOPE_SIZE }, (_, i) => paddedSize(i + 1)))
    expect(sizes.size).toBeLessThan(140)
  })

  it('is what every content comes to, and is left out on reading', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 3000 }), (text) => {
        const bytes = encodeContent({ v: 1, kind: 'text', text })
        expect(bytes).not.toBeNull()
        if (bytes === null) return
        expect(paddedSize(bytes.length)).toBe(bytes.length)
        expect(decodeContent(bytes)).toEqual({ v: 1, kind: 'text', text })
      }),
      { numRuns: 50 },
    )
  })
})

it('keeps a content key in the form that the archive will hold', () => {
  const record = { envelope: sealed.id, room, K: toBase64Url(sealed.contentKey) }
  expect(contentKeyRecordSchema.parse({ ...record, epoch: 2 })).toEqual({ ...record, epoch: 2 })
  expect(contentKeyRecordSchema.safeParse({ ...record, K: '' }).success).toBe(false)
  expect(headerBytes(sealed.header)).toEqual(sealed.bytes)
})
