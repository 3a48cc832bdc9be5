import { describe, expect, it } from 'vitest'
import { canonicalBytes, fromBase64Url, toBase64Url, toUtf8 } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { crypto, makeDevice, seededRandom } from '../prekeys/testing/devices.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import {
  attachmentSchema,
  contentKeyRecordSchema,
  decodeContent,
  encodeContent,
  envelopeHeaderSchema,
  MAX_ENVELOPE_SIZE,
  messageContentSchema,
  openClearEnvelope,
  openEnvelope,
  paddedSize,
  rosterHash,
  sealClearEnvelope,
  sealEnvelope,
  verifyEnvelope,
} from './index.ts'
import type { EnvelopeDraft } from './index.ts'

const random = seededRandom('form')
const local = makeDevice('alice')
const id = (): string => toBase64Url(random(32))
const draft: EnvelopeDraft = {
  room: `!${id()}:example.org`,
  seq: 3,
  prev_own: id(),
  type: 'e.message',
  ts: 1_700_000_000_000,
  roster: rosterHash(crypto, []),
}
const reads = (value: unknown): boolean => envelopeHeaderSchema.safeParse(value).success
const says = (value: unknown): boolean => messageContentSchema.safeParse(value).success

const header: JsonObject = {
  ...draft,
  v: 1,
  suite: 1,
  member: local.member,
  device: local.device,
  transport: 'pairwise',
  commit: id(),
  body_hash: id(),
}
const chained: JsonObject = { ...header, transport: 'chain', chain: { id: id(), n: 7 } }
const clear: JsonObject = { ...header, transport: 'clear', commit: null }
const state: JsonObject = { ...clear, state_key: 'k', replaces: id(), basis: [id()] }

describe('a header', () => {
  it.each([
    ['pairwise', header, []],
    ['chain', chained, []],
    ['with an end', { ...header, expires_at: 1 }, ['expires_at missing']],
    ['clear', clear, []],
    ['state', state, ['state_key short', 'state_key long']],
    ['made by a node', { ...clear, device: null, node: 'a.example' }, []],
  ] as const)('has all its members in their form: %s', (_, value, passing) => {
    expect(damageNotSeen(value as JsonObject, reads)).toEqual(passing)
  })

  it.each([
    ['suite', [0, 256], [1, 255]],
    ['type', ['', '.a', 'e.Message', 'e message', 'a'.repeat(65)], ['e', '0._-', 'a'.repeat(64)]],
    ['room', ['room', '!:example.org'], ['', draft.room]],
    ['ts', [-1, 2 ** 53], [0, 2 ** 53 - 1]],
    ['prev_own', [''], [null, id()]],
    ['v', [0, 2], [1]],
  ] as const)('has a %s within its bounds', (member, bad, good) => {
    for (const value of bad)
      expect([value, reads({ ...header, [member]: value })]).toEqual([value, false])
    for (const value of good)
      expect([value, reads({ ...header, [member]: value })]).toEqual([value, true])
  })

  it('has a number in its chain from 0 to 99', () => {
    const at = (n: number) => reads({ ...chained, chain: { id: id(), n } })
    expect([-1, 0, 99, 100].map(at)).toEqual([false, true, true, false])
  })

  it('names its chain exactly where its transport is one', () => {
    const { chain: _, ...unnamed } = chained
    expect(reads(unnamed)).toBe(false)
    expect(reads({ ...header, chain: chained['chain'] })).toBe(false)
    expect(reads({ ...clear, chain: chained['chain'] })).toBe(false)
  })

  it('has a commitment exactly where it is not clear', () => {
    expect(reads({ ...header, commit: null })).toBe(false)
    expect(reads({ ...chained, commit: null })).toBe(false)
    expect(reads({ ...clear, commit: id() })).toBe(false)
  })

  it('is made by a device or, in the clear, by a node', () => {
    expect(reads({ ...clear, device: null })).toBe(false)
    expect(reads({ ...clear, node: 'a.example' })).toBe(false)
    expect(reads({ ...header, device: null, node: 'a.example' })).toBe(false)
    expect(reads({ ...chained, device: null, node: 'a.example' })).toBe(false)
    expect(reads({ ...clear, device: null, node: 'A' })).toBe(false)
  })

  it('has all three state members, in the clear, or none', () => {
    const { state_key, replaces, basis } = state
    expect(reads({ ...state, replaces: null })).toBe(true)
    for (const some of [
      { state_key },
      { replaces },
      { basis },
      { state_key, replaces },
      { state_key, basis },
      { replaces, basis },
    ])
      expect(reads({ ...clear, ...some })).toBe(false)
    expect(reads({ ...header, state_key, replaces, basis })).toBe(false)
  })

  it('has a state key of at most 255 characters and a basis of at most 32', () => {
    const key = (length: number) => reads({ ...state, state_key: 'k'.repeat(length) })
    const basis = (length: number) => reads({ ...state, basis: Array.from({ length }, id) })
    expect([0, 255, 256].map(key)).toEqual([true, true, false])
    expect([0, 32, 33].map(basis)).toEqual([true, true, false])
  })
})

const stored: JsonObject = {
  server: 'a.example',
  media: 'm_-9',
  salt: id(),
  digest: id(),
  size: 1,
  mime: 'image/png',
  width: 1,
  height: 1,
}
const file: JsonObject = { ...stored, name: 'a', duration: 1, thumbnail: stored }
const whole: JsonObject = {
  v: 1,
  kind: 'edit',
  text: 'x',
  relates: { kind: 'edit', target: id(), root: id() },
  mentions: [id()],
  attachments: [file],
  provenance: { network: 'n', sender: 's', sender_name: 's', encrypted: true },
  expires_at: 1,
}

describe('content', () => {
  it('has all its members in their form', () => {
    expect(damageNotSeen(whole, says)).toEqual([
      'kind short',
      'text short',
      'text long',
      'relates.root missing',
      'mentions missing',
      'attachments missing',
      'attachments[0].media short',
      'attachments[0].media long',
      'attachments[0].mime short',
      'attachments[0].mime long',
      'attachments[0].width missing',
      'attachments[0].height missing',
      'attachments[0].name short',
      'attachments[0].name long',
      'attachments[0].duration missing',
      'attachments[0].thumbnail missing',
      'attachments[0].thumbnail.media short',
      'attachments[0].thumbnail.media long',
      'attachments[0].thumbnail.mime short',
      'attachments[0].thumbnail.mime long',
      'attachments[0].thumbnail.width missing',
      'attachments[0].thumbnail.height missing',
      'provenance missing',
      'provenance.network long',
      'provenance.sender long',
      'provenance.sender_name missing',
      'provenance.sender_name short',
      'provenance.sender_name long',
      'expires_at missing',
    ])
  })

  it('is canonical JSON of an object', () => {
    expect(decodeContent(toUtf8('{"kind":"text","pad":"","text":"x","v":1}'))).not.toBe(null)
    for (const bad of ['{"kind":"text", "pad":"","text":"x","v":1}', '[]', '"text"', 'no', ''])
      expect([bad, decodeContent(toUtf8(bad))]).toEqual([bad, null])
  })

  it('is read with any padding, which is left out', () => {
    for (const pad of ['', '0', '0'.repeat(1000)])
      expect(decodeContent(canonicalBytes({ v: 1, kind: 'text', text: 'x', pad }))).toEqual({
        v: 1,
        kind: 'text',
        text: 'x',
      })
  })

  it('is padded with zeros to the padded size', () => {
    const bytes = encodeContent({ v: 1, kind: 'text', text: 'x' })
    const text = new TextDecoder().decode(bytes ?? undefined)
    expect(text).toMatch(/^\{"kind":"text","pad":"0+","text":"x","v":1\}$/)
    expect(text).toHaveLength(256)
  })

  const target = id()
  const relation = (kind: string) => ({ relates: { kind, target } })
  it.each<readonly [string, JsonObject, boolean]>([
    ['a text', { kind: 'text', text: '' }, true],
    ['a text without one', { kind: 'text' }, false],
    ['an edit', { kind: 'edit', text: 'x', ...relation('edit') }, true],
    ['an edit without text', { kind: 'edit', ...relation('edit') }, false],
    ['an edit of nothing', { kind: 'edit', text: 'x' }, false],
    ['an edit that replies', { kind: 'edit', text: 'x', ...relation('reply') }, false],
    ['a reaction', { kind: 'reaction', text: 'x', ...relation('reaction') }, true],
    ['a reaction without emoji', { kind: 'reaction', ...relation('reaction') }, false],
    ['a reaction to nothing', { kind: 'reaction', text: 'x' }, false],
    ['a reaction that edits', { kind: 'reaction', text: 'x', ...relation('edit') }, false],
    ['a deletion', { kind: 'delete', ...relation('delete') }, true],
    ['a deletion of nothing', { kind: 'delete' }, false],
    ['a deletion that edits', { kind: 'delete', ...relation('edit') }, false],
    ['a file', { kind: 'file', attachments: [file] }, true],
    ['a file that is none', { kind: 'file', attachments: [] }, false],
    ['a file without any', { kind: 'file' }, false],
    ['what a client says', { kind: 'system' }, true],
    ['an unknown kind', { kind: 'e.poll' }, true],
    ['a kind that every object inherits', { kind: 'constructor' }, true],
    ['no kind', { kind: '' }, false],
    ['a kind that is no name', { kind: '.a' }, false],
    ['a kind in capitals', { kind: 'aA' }, false],
    ['a kind that is too long', { kind: 'a'.repeat(65) }, false],
    ['a reply', { kind: 'text', text: 'x', ...relation('reply') }, true],
    ['a message in a thread', { kind: 'text', text: 'x', ...relation('thread') }, true],
    ['an unknown relation', { kind: 'text', text: 'x', ...relation('cousin') }, false],
    ['another version', { v: 2, kind: 'system' }, false],
  ])('has what its kind needs: %s', (_, said, good) => {
    expect(says({ v: 1, ...said })).toBe(good)
    expect(encodeContent({ v: 1, ...said }) !== null).toBe(good)
    expect(decodeContent(canonicalBytes({ v: 1, ...said })) !== null).toBe(good)
  })

  it('mentions at most 256 and attaches at most 32', () => {
    const base = { v: 1, kind: 'system' }
    const mentions = (length: number) => says({ ...base, mentions: Array.from({ length }, id) })
    const files = (length: number) =>
      says({ ...base, attachments: Array.from({ length }, () => file) })
    expect([0, 256, 257].map(mentions)).toEqual([true, true, false])
    expect([0, 32, 33].map(files)).toEqual([true, true, false])
  })

  it.each([
    ['name', 255, 0],
    ['mime', 128, 0],
    ['media', 128, 1],
  ])('describes a file with a %s of at most %s characters', (member, most, least) => {
    const of = (length: number) =>
      attachmentSchema.safeParse({ ...file, [member]: 'a'.repeat(length) }).success
    expect([of(0), of(1), of(most), of(most + 1)]).toEqual([least === 0, true, true, false])
  })

  it('describes pictures of 1 to 65,535 pixels a side', () => {
    for (const side of ['width', 'height']) {
      const of = (pixels: number) => attachmentSchema.safeParse({ ...file, [side]: pixels }).success
      expect([0, 1, 65_535, 65_536].map(of)).toEqual([false, true, true, false])
    }
  })

  it('is read from files that are empty or have no length', () => {
    expect(attachmentSchema.safeParse({ ...file, size: 0, duration: 0 }).success).toBe(true)
  })

  it('names where a bridged message came from', () => {
    const of = (change: object) =>
      says({
        v: 1,
        kind: 'system',
        provenance: { network: 'n', sender: 's', encrypted: false, ...change },
      })
    expect(of({})).toBe(true)
    for (const [member, most, least] of [
      ['network', 64, 1],
      ['sender', 255, 1],
      ['sender_name', 255, 0],
    ] as const) {
      const length = (characters: number) => of({ [member]: 'a'.repeat(characters) })
      expect([length(0), length(most), length(most + 1)]).toEqual([least === 0, true, false])
    }
  })

  it('keeps members that this version does not know, at any place', () => {
    const more = { more: [1, { deep: null }] }
    const said = {
      ...whole,
      ...more,
      relates: { ...(whole['relates'] as JsonObject), ...more },
      attachments: [{ ...file, ...more, thumbnail: { ...stored, ...more } }],
      provenance: { ...(whole['provenance'] as JsonObject), ...more },
    }
    expect(decodeContent(encodeContent(said) ?? new Uint8Array())).toEqual(said)
  })

  it('that JSON can’t say is not encoded', () => {
    expect(encodeContent({ v: 1, kind: 'text', text: 'x', more: 0.5 })).toBe(null)
  })
})

describe('the order of what is checked', () => {
  const sealed = sealEnvelope({
    crypto,
    random,
    local,
    draft,
    content: { v: 1, kind: 'text', text: 'x' },
  })
  if (!sealed.ok) throw new Error(sealed.code)
  const { header: good, body, contentKey } = sealed.sealed
  const open = (change: object, of = body, key = contentKey) => {
    const opened = openEnvelope({
      crypto,
      header: { ...good, ...change } as JsonObject,
      body: of,
      contentKey: key,
    })
    return opened.ok ? 'ok' : opened.code
  }
  const huge = new Uint8Array(MAX_ENVELOPE_SIZE)
  const none = new Uint8Array()

  it('is header, suite, size, body, transport, commitment', () => {
    expect(open({})).toBe('ok')
    const clear = { transport: 'clear', commit: null }
    expect(open({ ...clear, v: 2, suite: 2, more: 'x'.repeat(MAX_ENVELOPE_SIZE) })).toBe(
      'too_large',
    )
    expect(open({ ...clear, v: 2, suite: 2 }, huge)).toBe('bad_header')
    expect(open({ ...clear, suite: 2 }, huge)).toBe('unsupported_suite')
    expect(open({ ...clear }, huge)).toBe('too_large')
    expect(open({ ...clear }, none)).toBe('wrong_body')
    expect(open({ ...clear }, body, none)).toBe('wrong_transport')
    expect(open({}, body, none)).toBe('wrong_commitment')
  })

  it('is the same for clear bodies', () => {
    const { more: _, ...plain } = { ...header, more: 1 }
    const of = (change: object, bytes: Uint8Array) => {
      const opened = openClearEnvelope({
        crypto,
        header: { ...plain, ...change } as JsonObject,
        body: bytes,
      })
      return opened.ok ? 'ok' : opened.code
    }
    expect(of({ suite: 2 }, huge)).toBe('unsupported_suite')
    expect(of({}, huge)).toBe('too_large')
    expect(of({}, none)).toBe('wrong_body')
    const hash = (bytes: Uint8Array) =>
      toBase64Url(crypto.sha256(Uint8Array.from([...toUtf8('eccp/body/1\0'), ...bytes])))
    expect(of({ body_hash: hash(none) }, none)).toBe('wrong_transport')
    const inTheClear = (text: string) => {
      const bytes = toUtf8(text)
      return of({ transport: 'clear', commit: null, body_hash: hash(bytes) }, bytes)
    }
    expect(inTheClear('{}')).toBe('ok')
    expect(inTheClear('[]')).toBe('bad_content')
    expect(inTheClear('{ }')).toBe('bad_content')
    expect(inTheClear('')).toBe('bad_content')
  })

  it('lets a header alone have 65,536 bytes and not one more', () => {
    const of = (length: number) => ({ ...header, more: 'x'.repeat(length) })
    const most = MAX_ENVELOPE_SIZE - canonicalBytes(of(0)).length
    const verified = (value: JsonObject | Uint8Array) => {
      const result = verifyEnvelope(crypto, value, '', local.ed25519)
      return result.ok ? 'ok' : result.code
    }
    for (const form of [(value: JsonObject) => value, canonicalBytes]) {
      expect(verified(form(of(most)))).toBe('bad_signature')
      expect(verified(form(of(most + 1)))).toBe('too_large')
    }
  })

  it('lets header and body have 65,536 bytes together and not one more', () => {
    const empty = sealClearEnvelope({ crypto, local, draft, content: { x: '' } })
    if (!empty.ok) throw new Error(empty.code)
    const room = MAX_ENVELOPE_SIZE - empty.sealed.bytes.length - empty.sealed.body.length
    const seal = (length: number) =>
      sealClearEnvelope({ crypto, local, draft, content: { x: 'x'.repeat(length) } })
    expect(seal(room + 1)).toEqual({ ok: false, code: 'too_large' })
    const full = seal(room)
    if (!full.ok) throw new Error(full.code)
    const { header, bytes, body } = full.sealed
    expect(bytes.length + body.length).toBe(65_536)
    expect(openClearEnvelope({ crypto, header, body }).ok).toBe(true)
    expect(openClearEnvelope({ crypto, header: bytes, body }).ok).toBe(true)
  })
})

describe('sealing', () => {
  it('makes clear content from what JSON can say and nothing else', () => {
    const seal = (content: JsonObject) => sealClearEnvelope({ crypto, local, draft, content })
    expect(seal({ x: 0.5 })).toEqual({ ok: false, code: 'bad_content' })
    expect(seal({ x: 1 }).ok).toBe(true)
  })

  it('takes no content key of another length', () => {
    const content = { v: 1, kind: 'system' }
    const key = { contentKey: new Uint8Array(31) }
    expect(() => sealEnvelope({ crypto, random, local, draft, content, key })).toThrow('bad_length')
  })

  it('names the chain that its content key is of', () => {
    const content = { v: 1, kind: 'system' }
    const chain = { id: id(), n: 99 }
    const key = { contentKey: random(32), chain }
    const given = sealEnvelope({ crypto, random, local, draft, content, key })
    if (!given.ok) throw new Error(given.code)
    expect(given.sealed.header).toMatchObject({ transport: 'chain', chain })
    const far = { ...key, chain: { ...chain, n: 100 } }
    expect(sealEnvelope({ crypto, random, local, draft, content, key: far })).toEqual({
      ok: false,
      code: 'bad_header',
    })
  })

  it('uses the content key it is given, and draws 32 bytes otherwise', () => {
    const content = { v: 1, kind: 'system' }
    const key = { contentKey: random(32) }
    const given = sealEnvelope({ crypto, random, local, draft, content, key })
    const drawn = sealEnvelope({ crypto, random, local, draft, content })
    if (!given.ok || !drawn.ok) throw new Error('not sealed')
    expect(given.sealed.contentKey).toEqual(key.contentKey)
    expect(given.sealed.header.transport).toBe('pairwise')
    expect(drawn.sealed.contentKey).toHaveLength(32)
    expect(fromBase64Url(drawn.sealed.header.commit ?? '')).toHaveLength(32)
  })
})

it('pads as the draft has it', () => {
  const padded = [0, 1, 255, 256, 257, 272, 273, 511, 512, 513, 1000, 1024, 1025, 65_535, 65_536]
  expect(padded.map(paddedSize)).toEqual([
    256, 256, 256, 256, 272, 272, 288, 512, 512, 544, 1024, 1024, 1088, 65_536, 65_536,
  ])
})

it('keeps a content key with its epoch, or without', () => {
  const record = { envelope: id(), room: draft.room, K: id(), epoch: 0 }
  const kept = (value: unknown) => contentKeyRecordSchema.safeParse(value).success
  expect(damageNotSeen(record, kept)).toEqual(['epoch missing'])
})
