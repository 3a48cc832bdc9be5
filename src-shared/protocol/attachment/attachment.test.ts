import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { concatBytes, fromBase64Url, toBase64Url, toHex } from '../encoding/index.ts'
import { messageContentSchema } from '../envelope/index.ts'
import { crypto, seededRandom } from '../prekeys/testing/devices.ts'
import {
  AttachmentError,
  AttachmentOpener,
  AttachmentSealer,
  CHUNK_BYTES,
  chunkCount,
  deriveAttachmentKey,
  drawAttachmentSalt,
  MAX_ATTACHMENT_BYTES,
  openAttachment,
  openChunk,
  sealAttachment,
  SEALED_CHUNK_BYTES,
  sealChunk,
  sealedRange,
  sealedSize,
} from './index.ts'
import type { AttachmentSecret, UploadCheckpoint } from './index.ts'

const random = seededRandom('attachment')
const contentKey = random(32)
const salt = drawAttachmentSalt(random)

function fileOf(size: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(size)
  for (let at = 0; at < size; at++) bytes[at] = (at * 31 + (at >> 8) * 7 + seed) & 0xff
  return bytes
}

function seal(bytes: Uint8Array) {
  return sealAttachment({ crypto, random, contentKey, bytes })
}

function open(secret: AttachmentSecret, sealed: Uint8Array, key = contentKey) {
  const opened = openAttachment({ crypto, contentKey: key, secret, sealed })
  return opened.ok ? toHex(crypto.sha256(opened.bytes)) : opened.code
}

const hashOf = (bytes: Uint8Array): string => toHex(crypto.sha256(bytes))

const codeOf = (run: () => unknown): string => {
  try {
    run()
    return 'nothing thrown'
  } catch (error) {
    return error instanceof AttachmentError ? error.code : 'another error'
  }
}

const SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_000]

describe('a sealed file', () => {
  it.each(SIZES)('of %i bytes opens to what it was', (size) => {
    const file = fileOf(size)
    const { sealed, secret } = seal(file)
    expect(sealed.length).toBe(sealedSize(size))
    expect(secret.size).toBe(size)
    expect(secret.digest).toBe(toBase64Url(crypto.sha256(sealed)))
    expect(open(secret, sealed)).toBe(hashOf(file))
  })

  it('is another one each time, and needs the content key of its message', () => {
    const file = fileOf(100)
    const [one, two] = [seal(file), seal(file)]
    expect(one.sealed).not.toEqual(two.sealed)
    expect(open(two.secret, one.sealed)).toBe('undecipherable')
    expect(open(one.secret, one.sealed, random(32))).toBe('undecipherable')
  })

  it('has the nonces of the STREAM construction', () => {
    const file = fileOf(CHUNK_BYTES + 5)
    const { sealed, secret } = seal(file)
    const { key, prefix } = deriveAttachmentKey(crypto, contentKey, fromBase64Url(secret.salt))
    expect([key.length, prefix.length]).toEqual([32, 7])
    const ad = new TextEncoder().encode('eccp/attachment-chunk/1\0')
    const nonce = (index: number, last: number) => Uint8Array.of(...prefix, 0, 0, 0, index, last)
    const first = crypto.aes256GcmOpen(key, nonce(0, 0), sealed.subarray(0, SEALED_CHUNK_BYTES), ad)
    const second = crypto.aes256GcmOpen(key, nonce(1, 1), sealed.subarray(SEALED_CHUNK_BYTES), ad)
    expect(first && second && hashOf(concatBytes(first, second))).toBe(hashOf(file))
  })

  it('opens at any place by itself', () => {
    const size = 2 * CHUNK_BYTES + 7
    const file = fileOf(size)
    const { sealed, secret } = seal(file)
    const key = deriveAttachmentKey(crypto, contentKey, fromBase64Url(secret.salt))
    const at = (index: number) => {
      const { start, end } = sealedRange(size, index)
      return sealed.subarray(start, end)
    }
    const opened = [2, 0, 1].map((index) => openChunk(crypto, key, size, index, at(index)))
    expect(opened.map((chunk) => chunk && hashOf(chunk))).toEqual([
      hashOf(file.subarray(2 * CHUNK_BYTES)),
      hashOf(file.subarray(0, CHUNK_BYTES)),
      hashOf(file.subarray(CHUNK_BYTES, 2 * CHUNK_BYTES)),
    ])
    expect(openChunk(crypto, key, size, 1, at(0))).toBe(null)
    expect(openChunk(crypto, key, size, 2, at(1))).toBe(null)
    expect(openChunk(crypto, key, size + 1, 2, at(2))).toBe(null)
    expect(sealedRange(size, 2)).toEqual({ start: 2 * SEALED_CHUNK_BYTES, end: sealed.length })
  })

  it('fits what a message says of it, thumbnail included', () => {
    const where = { server: 'example.org', media: 'abc', mime: 'image/png' }
    const attachments = [
      {
        ...where,
        ...seal(fileOf(9)).secret,
        name: 'a.png',
        thumbnail: { ...where, ...seal(fileOf(3)).secret },
      },
    ]
    const content = { v: 1, kind: 'file', attachments }
    expect(messageContentSchema.safeParse(content).success).toBe(true)
    const { salt: _, ...unsalted } = seal(fileOf(9)).secret
    const without = { ...content, attachments: [{ ...where, ...unsalted, name: 'a.png' }] }
    expect(messageContentSchema.safeParse(without).success).toBe(false)
  })
})

describe('opening refuses', () => {
  const size = 2 * CHUNK_BYTES + 100
  const { sealed, secret } = seal(fileOf(size))
  const chunk = (index: number): Uint8Array => {
    const { start, end } = sealedRange(size, index)
    return sealed.subarray(start, end)
  }

  it('a file cut off, wherever', () => {
    for (const end of [0, 1, SEALED_CHUNK_BYTES, 2 * SEALED_CHUNK_BYTES, sealed.length - 1])
      expect(open(secret, sealed.subarray(0, end))).toBe('truncated')
    // Also where the message's size is that of the shorter file: the last chunk does not end a file.
    const short = { ...secret, size: CHUNK_BYTES }
    expect(open(short, chunk(0))).toBe('undecipherable')
  })

  it('a file with something added', () => {
    expect(open(secret, concatBytes(sealed, Uint8Array.of(0)))).toBe('too_long')
    const longer = { ...secret, size: size + SEALED_CHUNK_BYTES }
    expect(open(longer, concatBytes(sealed, chunk(0)))).toBe('undecipherable')
    expect(open({ ...secret, size: size + 1 }, concatBytes(sealed, Uint8Array.of(0)))).toBe(
      'undecipherable',
    )
  })

  it('chunks in another order, or one in place of another', () => {
    expect(open(secret, concatBytes(chunk(1), chunk(0), chunk(2)))).toBe('undecipherable')
    expect(open(secret, concatBytes(chunk(0), chunk(0), chunk(2)))).toBe('undecipherable')
  })

  it('a change in any chunk or tag', () => {
    for (const at of [0, 5000, SEALED_CHUNK_BYTES - 1, SEALED_CHUNK_BYTES, sealed.length - 1]) {
      const changed = sealed.slice()
      changed[at] = (changed[at] ?? 0) ^ 1
      expect(open(secret, changed)).toBe('undecipherable')
    }
  })

  it('authentic chunks that are not those the message names', () => {
    // Whoever has the message's key can seal another file of this length with it.
    const key = deriveAttachmentKey(crypto, contentKey, fromBase64Url(secret.salt))
    const other = sealChunk(crypto, key, { index: 2, last: true }, fileOf(100, 9))
    expect(open(secret, concatBytes(chunk(0), chunk(1), other))).toBe('wrong_digest')
  })

  it('lengths that no file has, before any work', () => {
    for (const bad of [-1, 0.5, MAX_ATTACHMENT_BYTES + 1, Number.NaN])
      expect(open({ ...secret, size: bad }, sealed)).toBe('too_large')
  })

  it('everything after it has refused once', () => {
    const opener = new AttachmentOpener({ crypto, contentKey, secret })
    expect(opener.push(concatBytes(chunk(1), chunk(0)))).toEqual({
      ok: false,
      code: 'undecipherable',
    })
    expect(opener.push(chunk(0))).toEqual({ ok: false, code: 'undecipherable' })
    expect(opener.finish()).toEqual({ ok: false, code: 'undecipherable' })
  })
})

describe('in pieces', () => {
  it('of any length, a file is sealed and opened as if it came whole', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 3 * CHUNK_BYTES }),
        fc.array(fc.integer({ min: 1, max: 2 * CHUNK_BYTES }), { minLength: 1, maxLength: 8 }),
        (size, lengths) => {
          const file = fileOf(size)
          const pieces = (bytes: Uint8Array): Uint8Array[] => {
            const out: Uint8Array[] = []
            for (let at = 0, turn = 0; at < bytes.length; turn++) {
              const length = lengths[turn % lengths.length] ?? 1
              out.push(bytes.subarray(at, at + length))
              at += length
            }
            return out
          }
          const sealer = new AttachmentSealer({ crypto, contentKey, salt })
          const sealed: Uint8Array[] = []
          for (const piece of pieces(file)) {
            const pushed = sealer.push(piece)
            if (pushed.ok) sealed.push(...pushed.chunks)
          }
          const finished = sealer.finish()
          if (!finished.ok || !finished.secret) throw new Error('not finished')
          sealed.push(...finished.chunks)
          expect(sealed).toHaveLength(chunkCount(size))
          const whole = new AttachmentSealer({ crypto, contentKey, salt })
          whole.push(file)
          expect(whole.finish().secret).toEqual(finished.secret)

          const opener = new AttachmentOpener({ crypto, contentKey, secret: finished.secret })
          const opened: Uint8Array[] = []
          for (const piece of pieces(concatBytes(...sealed))) {
            const pushed = opener.push(piece)
            if (!pushed.ok) throw new Error(pushed.code)
            opened.push(...pushed.plaintext)
          }
          const end = opener.finish()
          if (!end.ok) throw new Error(end.code)
          expect(hashOf(concatBytes(...opened, ...end.plaintext))).toBe(hashOf(file))
        },
      ),
      { numRuns: 40 },
    )
  })

  it('does not take more after the end', () => {
    const sealer = new AttachmentSealer({ crypto, contentKey, salt })
    sealer.finish()
    expect(codeOf(() => sealer.push(fileOf(1)))).toBe('finished')
    expect(codeOf(() => sealer.finish())).toBe('finished')
  })
})

describe('going on at once', () => {
  it('hands a chunk out as soon as it is known not to be the last', () => {
    const file = fileOf(2 * CHUNK_BYTES)
    const sealer = new AttachmentSealer({ crypto, contentKey, salt })
    const counts = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES].map((end, at, ends) => {
      const pushed = sealer.push(file.subarray(ends[at - 1] ?? 0, end))
      return pushed.ok ? pushed.chunks.length : null
    })
    expect(counts).toEqual([0, 0, 0, 1, 0])
    const finished = sealer.finish()
    if (!finished.ok || !finished.secret) throw new Error('not finished')
    expect(finished.chunks).toHaveLength(1)
  })

  it('holds no upload back that begins, whatever is said to have arrived', () => {
    const file = fileOf(3 * CHUNK_BYTES)
    const sealer = new AttachmentSealer({ crypto, contentKey, salt, arrived: 1 })
    const pushed = sealer.push(file)
    expect(pushed.ok && pushed.chunks).toHaveLength(1)
    expect(sealer.checkpoint().chunks).toBe(2)
  })
})

describe('going on', () => {
  const file = fileOf(5 * CHUNK_BYTES + 10)

  /** An upload that broke off with `arrived` chunks there and three handed out. */
  function brokenOff(): UploadCheckpoint & { readonly sealed: readonly Uint8Array[] } {
    const sealer = new AttachmentSealer({ crypto, contentKey, salt })
    const pushed = sealer.push(file.subarray(0, 3 * CHUNK_BYTES + 1))
    if (!pushed.ok) throw new Error(pushed.code)
    return { ...sealer.checkpoint(), sealed: pushed.chunks }
  }

  it('with an upload hands out what has not arrived, and seals as if nothing had happened', () => {
    const { sealed, ...resumed } = brokenOff()
    expect(resumed.chunks).toBe(3)
    const sealer = new AttachmentSealer({ crypto, contentKey, salt, resumed, arrived: 1 })
    const pushed = sealer.push(file)
    const finished = sealer.finish()
    if (!pushed.ok || !finished.ok || !finished.secret) throw new Error('changed')
    const whole = concatBytes(sealed[0] ?? salt0(), ...pushed.chunks, ...finished.chunks)
    expect(open(finished.secret, whole)).toBe(hashOf(file))
    expect(hashOf(concatBytes(...pushed.chunks.slice(0, 2)))).toBe(
      hashOf(concatBytes(...sealed.slice(1))),
    )
  })

  it.each([
    ['at its beginning', 0],
    ['in a chunk that left but did not arrive', 2 * CHUNK_BYTES + 1],
  ])('hands out nothing where the source has changed %s', (_, at) => {
    const { sealed: __, ...resumed } = brokenOff()
    const changed = file.slice()
    changed[at] = (changed[at] ?? 0) ^ 1
    const sealer = new AttachmentSealer({ crypto, contentKey, salt, resumed, arrived: 1 })
    const refused = { ok: false, code: 'source_changed' }
    expect(sealer.push(changed.subarray(0, CHUNK_BYTES + 1))).toEqual({ ok: true, chunks: [] })
    expect(sealer.push(changed.subarray(CHUNK_BYTES + 1))).toEqual(refused)
    expect(sealer.push(file)).toEqual(refused)
    expect(sealer.finish()).toEqual(refused)
  })

  it('hands out nothing where the source has become shorter', () => {
    const { sealed: _, ...resumed } = brokenOff()
    for (const size of [0, CHUNK_BYTES + 5, 3 * CHUNK_BYTES]) {
      const sealer = new AttachmentSealer({ crypto, contentKey, salt, resumed })
      const pushed = sealer.push(file.subarray(0, size))
      expect(pushed.ok ? pushed.chunks : []).toEqual([])
      expect(sealer.finish()).toEqual({ ok: false, code: 'source_changed' })
    }
  })

  it('with a download starts where the kept bytes end', () => {
    const { sealed, secret } = seal(file)
    const kept = sealed.subarray(0, 2 * SEALED_CHUNK_BYTES + 333)
    const opener = new AttachmentOpener({ crypto, contentKey, secret })
    const again = opener.push(kept)
    expect(opener.received).toBe(kept.length)
    const rest = opener.push(sealed.subarray(opener.received))
    const end = opener.finish()
    if (!again.ok || !rest.ok || !end.ok) throw new Error('refused')
    const whole = concatBytes(...again.plaintext, ...rest.plaintext, ...end.plaintext)
    expect(hashOf(whole)).toBe(hashOf(file))
  })
})

describe('sizes', () => {
  it('are those of the draft', () => {
    expect([CHUNK_BYTES, SEALED_CHUNK_BYTES]).toEqual([65_536, 65_552])
    expect(MAX_ATTACHMENT_BYTES).toBe(2 ** 24 * CHUNK_BYTES)
    expect(fromBase64Url(salt)).toHaveLength(32)
    const sizes = [0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, MAX_ATTACHMENT_BYTES]
    expect(sizes.map(chunkCount)).toEqual([1, 1, 1, 2, 2 ** 24])
    expect(sizes.map((size) => sealedSize(size) - size)).toEqual([16, 16, 16, 32, 2 ** 28])
  })

  it('bound the longest file and no shorter one', () => {
    const size = MAX_ATTACHMENT_BYTES
    const secret = { salt, digest: toBase64Url(new Uint8Array(32)), size }
    const opener = new AttachmentOpener({ crypto, contentKey, secret })
    expect(opener.push(new Uint8Array(1))).toEqual({ ok: true, plaintext: [] })
    expect(opener.finish()).toEqual({ ok: false, code: 'truncated' })
    expect(sealedRange(size, 2 ** 24 - 1)).toEqual({
      start: (2 ** 24 - 1) * SEALED_CHUNK_BYTES,
      end: 2 ** 24 * SEALED_CHUNK_BYTES,
    })
    const endless = { length: MAX_ATTACHMENT_BYTES } as Uint8Array
    const sealer = new AttachmentSealer({ crypto, contentKey, salt })
    sealer.push(new Uint8Array(1))
    expect(codeOf(() => sealer.push(endless))).toBe('too_large')
  })

  it('of key and salt are 32 bytes', () => {
    const derive = (key: number, of: number) => () =>
      deriveAttachmentKey(crypto, new Uint8Array(key), new Uint8Array(of))
    expect(derive(31, 32)).toThrow('bad_length')
    expect(derive(32, 31)).toThrow('bad_length')
    const info = new TextEncoder().encode('eccp/attachment-key/1\0')
    const output = crypto.hkdfSha256(contentKey, fromBase64Url(salt), info, 39)
    expect(deriveAttachmentKey(crypto, contentKey, fromBase64Url(salt))).toEqual({
      key: output.slice(0, 32),
      prefix: output.slice(32),
    })
  })
})

describe('chunks', () => {
  const key = deriveAttachmentKey(crypto, contentKey, fromBase64Url(salt))

  it.each([
    ['a short one that is not the last', { index: 0, last: false }, CHUNK_BYTES - 1],
    ['a long one', { index: 0, last: true }, CHUNK_BYTES + 1],
    ['an empty last one after others', { index: 1, last: true }, 0],
    ['a negative number', { index: -1, last: true }, 1],
    ['a number beyond the longest file', { index: 2 ** 24, last: true }, 1],
  ])('are not sealed: %s', (_, place, size) => {
    expect(codeOf(() => sealChunk(crypto, key, place, fileOf(size)))).toBe('bad_chunk')
  })

  it('are sealed at every place that a file has', () => {
    const last = { index: 2 ** 24 - 1, last: true }
    const sealed = sealChunk(crypto, key, last, fileOf(1))
    const opened = openChunk(
      crypto,
      key,
      MAX_ATTACHMENT_BYTES - CHUNK_BYTES + 1,
      last.index,
      sealed,
    )
    expect(opened).toEqual(fileOf(1))
    expect(sealChunk(crypto, key, { index: 0, last: true }, fileOf(0))).toHaveLength(16)
  })

  it('are not looked for where there are none', () => {
    for (const [size, index] of [
      [CHUNK_BYTES, 1],
      [CHUNK_BYTES, -1],
      [CHUNK_BYTES, 0.5],
      [-1, 0],
    ] as const)
      expect(codeOf(() => sealedRange(size, index))).toBe('bad_chunk')
  })
})

function salt0(): Uint8Array {
  throw new Error('no chunk was handed out')
}
