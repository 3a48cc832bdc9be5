/** Project Wycheproof's vectors, run over both adapters where the folder is present. */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import {
  concatBytes,
  createNobleCrypto,
  CryptoError,
  fromHex,
  toHex,
} from '../../src-shared/protocol/index.ts'
import type { Crypto } from '../../src-shared/protocol/index.ts'
import { createNativeCrypto } from './native-crypto.ts'

const folder = new URL('../../../shared/vectors/wycheproof/', import.meta.url)
const present = existsSync(folder)

type Vector = Readonly<Record<string, string>> & { readonly tcId: number; readonly result: string }
interface Group {
  readonly tests: readonly Vector[]
  readonly publicKey?: { readonly pk: string }
  readonly keySize?: number
  readonly ivSize?: number
  readonly tagSize?: number
}
interface VectorFile {
  readonly testGroups: readonly Group[]
}

/** Whether the adapter answers as the vector says; `null`: not a case of this protocol. */
type Answer = (crypto: Crypto, vector: Vector, group: Group) => boolean | null

const field = (vector: Vector, name: string): Uint8Array => fromHex(vector[name] ?? '')
const valid = (vector: Vector): boolean => vector.result === 'valid'

/** What was computed as hex, or the code of the CryptoError it was refused with. */
function outcome(run: () => Uint8Array): string {
  try {
    return toHex(run())
  } catch (error) {
    if (error instanceof CryptoError) return error.code
    throw error
  }
}

function aead(
  sealOf: (crypto: Crypto) => Crypto['aes256GcmSeal'],
  openOf: (crypto: Crypto) => Crypto['aes256GcmOpen'],
  nonceBits: number,
): Answer {
  return (crypto, vector, group) => {
    if (group.keySize !== 256 || group.tagSize !== 128) return null
    const key = field(vector, 'key')
    const nonce = field(vector, 'iv')
    const ad = field(vector, 'aad')
    const sealed = concatBytes(field(vector, 'ct'), field(vector, 'tag'))
    if (group.ivSize !== nonceBits)
      return outcome(() => sealOf(crypto)(key, nonce, new Uint8Array(1), ad)) === 'bad_length'
    const opened = openOf(crypto)(key, nonce, sealed, ad)
    if (!valid(vector)) return opened === null
    return (
      opened !== null &&
      toHex(opened) === vector['msg'] &&
      toHex(sealOf(crypto)(key, nonce, field(vector, 'msg'), ad)) === toHex(sealed)
    )
  }
}

interface Vectors {
  /** Vectors in the file. */
  readonly count: number
  /** Of other parameters than the protocol's: AES-GCM with keys of 128 and 192 bits. */
  readonly foreign?: number
  readonly answer: Answer
}

const FILES: Readonly<Record<string, Vectors>> = {
  'aes_gcm_test.json': {
    count: 316,
    foreign: 211,
    answer: aead(
      (crypto) => crypto.aes256GcmSeal,
      (crypto) => crypto.aes256GcmOpen,
      96,
    ),
  },
  'chacha20_poly1305_test.json': {
    count: 325,
    answer: aead(
      (crypto) => crypto.chacha20Poly1305Seal,
      (crypto) => crypto.chacha20Poly1305Open,
      96,
    ),
  },
  'xchacha20_poly1305_test.json': {
    count: 315,
    answer: aead(
      (crypto) => crypto.xchacha20Poly1305Seal,
      (crypto) => crypto.xchacha20Poly1305Open,
      192,
    ),
  },
  'ed25519_test.json': {
    count: 151,
    // The rules here are stricter (small order in R and key, torsion), and none of these vectors shows it: the
    // fixture `curve25519` does.
    answer: (crypto, vector, group) =>
      crypto.ed25519Verify(
        fromHex(group.publicKey?.pk ?? ''),
        field(vector, 'msg'),
        field(vector, 'sig'),
      ) === valid(vector),
  },
  'x25519_test.json': {
    count: 518,
    // "Acceptable" is the library's choice: here every key counts unless the secret is all zero.
    answer: (crypto, vector) =>
      outcome(() => crypto.x25519(field(vector, 'private'), field(vector, 'public'))) ===
      (/^0+$/.test(vector['shared'] ?? '') ? 'low_order' : vector['shared']),
  },
  'hkdf_sha256_test.json': {
    count: 86,
    answer: (crypto, vector) =>
      outcome(() =>
        crypto.hkdfSha256(
          field(vector, 'ikm'),
          field(vector, 'salt'),
          field(vector, 'info'),
          Number(vector['size']),
        ),
      ) === (valid(vector) ? vector['okm'] : 'bad_length'),
  },
  'hmac_sha256_test.json': {
    count: 174,
    answer(crypto, vector, group) {
      const tag = crypto.hmacSha256(field(vector, 'key'), field(vector, 'msg'))
      const cut = tag.subarray(0, (group.tagSize ?? 256) / 8)
      return crypto.equal(cut, field(vector, 'tag')) === valid(vector)
    },
  },
  'mlkem_768_keygen_seed_test.json': {
    count: 100,
    answer(crypto, vector) {
      const pair = crypto.mlKem768KeyPair(field(vector, 'seed'))
      return toHex(pair.publicKey) === vector['ek'] && toHex(pair.secretKey) === vector['dk']
    },
  },
  'mlkem_768_encaps_test.json': {
    count: 265,
    answer(crypto, vector) {
      let asked = false
      const encapsulate = (): { ciphertext: Uint8Array; sharedSecret: Uint8Array } =>
        crypto.mlKem768Encapsulate(field(vector, 'ek'), () => {
          asked = true
          return field(vector, 'm')
        })
      if (!valid(vector))
        return ['bad_key', 'bad_length'].includes(outcome(() => encapsulate().ciphertext))
      const { ciphertext, sharedSecret } = encapsulate()
      // Where the adapter draws m itself, the vectors say which keys it must take and which not.
      if (!asked) return ciphertext.length === 1088 && sharedSecret.length === 32
      return toHex(ciphertext) === vector['c'] && toHex(sharedSecret) === vector['K']
    },
  },
  'mlkem_768_test.json': {
    count: 193,
    answer(crypto, vector) {
      const decapsulate = (): Uint8Array => {
        const { secretKey } = crypto.mlKem768KeyPair(field(vector, 'seed'))
        return crypto.mlKem768Decapsulate(secretKey, field(vector, 'c'))
      }
      const result = outcome(decapsulate)
      return valid(vector) ? result === vector['K'] : result === 'bad_length'
    },
  },
}

if (!present)
  process.stderr.write(
    'Wycheproof vectors are not present (../shared/vectors/wycheproof): skipped.\n',
  )

it.skipIf(!present)('every file of the folder is one that is answered', () => {
  const files = readdirSync(folder).filter((file) => file.endsWith('_test.json'))
  expect(files.sort()).toEqual(Object.keys(FILES).sort())
})

describe.each([
  createNobleCrypto(),
  createNativeCrypto(),
  { ...createNativeCrypto({ replayable: true }), name: 'native, replayable' },
])('Wycheproof over $name', (crypto) => {
  for (const [file, { count, foreign = 0, answer }] of Object.entries(FILES)) {
    it.skipIf(!present)(`answers every vector of ${file}`, () => {
      const { testGroups } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as VectorFile
      const answers = testGroups.flatMap((group) =>
        group.tests.map((vector) => ({ id: vector.tcId, right: answer(crypto, vector, group) })),
      )
      const wrong = answers.filter(({ right }) => right === false).map(({ id }) => id)
      const left = answers.filter(({ right }) => right === null).length
      expect([wrong, answers.length, left]).toEqual([[], count, foreign])
    })
  }
})
