/** The table of labels (7.1) and the key schedule (7.2) are what the code does. */
import { globSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { runCase } from '../fixtures/run/index.ts'
import { fixtures } from '../fixtures/store.ts'
import { createNativeCrypto } from '../src-platform/crypto/native-crypto.ts'
import { LABELS } from '../src-shared/protocol/index.ts'
import type { Crypto } from '../src-shared/protocol/index.ts'
import { readChapters, tableUnder } from './chapters.ts'

const root = join(import.meta.dirname, '..')
const chapter = readChapters().find(({ file }) => file.startsWith('07-'))
if (chapter === undefined) throw new Error('there is no chapter 7')
const bare = (cell = ''): string => cell.replaceAll('`', '')
const uses = new Map(
  tableUnder(chapter, '7.1').map(([label, use]) => [bare(label), (use ?? '').split(', ')]),
)
const schedule = tableUnder(chapter, '7.2').map(([, by, , , label]) => ({ by, label: bare(label) }))

/** Raw primitives, whose bytes carry no label; and long stories of what other fixtures show as well. */
const LEFT_OUT = new Set(['curve25519', 'ratchet-transcripts', 'auth', 'resolution'])

/** Bytes without a label: a file's digest is of its sealed bytes alone (11.2); RFC 9180 brings vectors. */
const UNLABELLED = new Set(['attachments none hash', 'archive none ad'])

/** Every module of the program that is not a test. */
const sources = globSync('src-*/**/*.{ts,tsx}', { cwd: root })
  .filter((file) => !/\.test\.tsx?$|\/testing\//.test(file))
  .map((file) => ({ file, text: readFileSync(join(root, file), 'utf8') }))

describe('the table of labels', () => {
  it('has the labels of the code, each once', () => {
    const rows = tableUnder(chapter, '7.1').map(([label]) => bare(label))
    expect(rows.toSorted()).toEqual(Object.values(LABELS).toSorted())
  })

  it('calls reserved what no module uses, and nothing else', () => {
    const unused = Object.entries(LABELS).flatMap(([name, label]) => {
      const used = new RegExp(`LABELS\\.${name}\\b`)
      const isUsed = sources.some(
        ({ text }) => used.test(text) || (text.includes('LABELS[') && text.includes(`'${name}'`)),
      )
      return isUsed ? [] : [label]
    })
    const reserved = [...uses].flatMap(([label, use]) => (use[0] === 'reserved' ? [label] : []))
    expect(reserved.toSorted()).toEqual(unused.toSorted())
  })

  it('is the only place where labels are made', () => {
    // Comments may name them.
    const makers = sources.flatMap(({ file, text }) =>
      /^(?!\s*(\*|\/[/*])).*['"`]eccp\//m.test(text) ? [file] : [],
    )
    expect(makers).toEqual(['src-shared/protocol/encoding/labels.ts'])
  })

  it('has in the key schedule what derives a key or a MAC', () => {
    const derives = [...uses].flatMap(([label, use]) =>
      use.some((one) => one === 'info' || one === 'mac') ? [label] : [],
    )
    expect(schedule.map(({ label }) => label).toSorted()).toEqual(derives.toSorted())
    for (const { by, label } of schedule)
      expect([label, uses.get(label)]).toEqual([
        label,
        expect.arrayContaining([by === 'HMAC-SHA256' ? 'mac' : 'info']),
      ])
  })

  it('says what the primitives are given while the fixtures run', () => {
    const seen = new Set<string>()
    let running = ''
    const crypto = watched(createNativeCrypto({ replayable: true }), (use, bytes) => {
      const pair = `${labelOf(bytes)} ${use}`
      if (!UNLABELLED.has(`${running} ${pair}`)) seen.add(pair)
    })
    for (const { fixture, given, cases } of fixtures) {
      if (LEFT_OUT.has(fixture)) continue
      running = fixture
      // One accepted case of each kind is enough to see which labels go where.
      const first = new Map(
        cases
          .filter(({ error }) => error === undefined)
          .toReversed()
          .map((one) => [one.input['op'], one] as const),
      )
      for (const { input } of first.values()) runCase(crypto, fixture, input, given)
    }
    const wrong = [...seen].filter((pair) => {
      const [label = '', use = ''] = pair.split(' ')
      return uses.get(label)?.includes(use) !== true
    })
    expect(wrong).toEqual([])
    // What has fixtures: envelopes, events, manifests, handshake, ratchet, receipts, login.
    expect(seen.size).toBeGreaterThan(25)
  })
})

/** A label ends at the first zero byte; RFC 9180 has labels of its own. */
function labelOf(bytes: Uint8Array): string {
  const end = bytes.indexOf(0)
  // Latin-1 can spell any bytes, those of a file too.
  const text = end < 0 ? '' : Buffer.from(bytes.subarray(0, end)).toString('latin1')
  return /^[\w/. -]+$/.test(text) ? text : 'none'
}

function watched(crypto: Crypto, see: (use: string, bytes: Uint8Array) => void): Crypto {
  const isHpke = (bytes: Uint8Array): boolean =>
    Buffer.from(bytes.subarray(0, 9)).includes('HPKE-v1')
  return {
    ...crypto,
    sha256: (data) => {
      see('hash', data)
      return crypto.sha256(data)
    },
    hmacSha256: (key, data) => {
      if (!isHpke(data)) see('mac', data)
      return crypto.hmacSha256(key, data)
    },
    hkdfSha256: (ikm, salt, info, length) => {
      see('info', info)
      return crypto.hkdfSha256(ikm, salt, info, length)
    },
    ed25519Sign: (secret, message) => {
      see('sign', message)
      return crypto.ed25519Sign(secret, message)
    },
    chacha20Poly1305Seal: (key, nonce, plaintext, ad) => {
      if (ad.length > 0) see('ad', ad)
      return crypto.chacha20Poly1305Seal(key, nonce, plaintext, ad)
    },
    chacha20Poly1305Open: (key, nonce, sealed, ad) => {
      if (ad.length > 0) see('ad', ad)
      return crypto.chacha20Poly1305Open(key, nonce, sealed, ad)
    },
    xchacha20Poly1305Seal: (key, nonce, plaintext, ad) => {
      see('ad', ad)
      return crypto.xchacha20Poly1305Seal(key, nonce, plaintext, ad)
    },
    aes256GcmSeal: (key, nonce, plaintext, ad) => {
      see('ad', ad)
      return crypto.aes256GcmSeal(key, nonce, plaintext, ad)
    },
  }
}
