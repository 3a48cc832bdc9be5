/**
 * Known answers for every primitive of the Crypto port: an adapter proves itself with them at start.
 *
 * The Ed25519 cases are those on which libraries differ (Encoding §1); an adapter that is right on
 * ordinary signatures alone would split a room from its peers.
 */
import { sha256 } from '@noble/hashes/sha2.js'
import { ml_kem768 } from '@noble/post-quantum/ml-kem.js'
import { CryptoError } from './crypto.ts'
import type { Crypto } from './crypto.ts'
import { bytesEqual, fromHex, toHex, toUtf8 } from './encoding/index.ts'

export const CRYPTO_PRIMITIVES = [
  'sha256',
  'hmacSha256',
  'hkdfSha256',
  'ed25519',
  'x25519',
  'chacha20Poly1305',
  'xchacha20Poly1305',
  'aes256Gcm',
  'mlKem768',
  'equal',
] as const
export type CryptoPrimitive = (typeof CRYPTO_PRIMITIVES)[number]

/** The primitives that gave a wrong answer or threw; none for a sound adapter. */
export function selfTest(crypto: Crypto): readonly CryptoPrimitive[] {
  return CRYPTO_PRIMITIVES.filter((primitive) => {
    try {
      return !KNOWN_ANSWERS[primitive](crypto)
    } catch {
      return true
    }
  })
}

/** Throws `CryptoError('self_test_failed')`. */
export function requireSelfTest(crypto: Crypto): void {
  if (selfTest(crypto).length > 0) throw new CryptoError('self_test_failed')
}

/** RFC 8439 §2.8.2 and the XChaCha20 draft use one text. */
const SUNSCREEN = toUtf8(
  "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, " +
    'sunscreen would be it.',
)
const AEAD_KEY = fromHex('808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f')
const AEAD_AD = fromHex('50515253c0c1c2c3c4c5c6c7')

type Seal = Crypto['aes256GcmSeal']
type Open = Crypto['aes256GcmOpen']
interface AeadCase {
  readonly key: Uint8Array
  readonly nonce: Uint8Array
  readonly ad: Uint8Array
  readonly plaintext: Uint8Array
  readonly sealed: Uint8Array
}

function aeadHolds(seal: Seal, open: Open, known: AeadCase): boolean {
  const { key, nonce, ad, plaintext, sealed } = known
  const forged = Uint8Array.from(sealed)
  forged[0] = (forged[0] ?? 0) ^ 1
  const opened = open(key, nonce, sealed, ad)
  return (
    bytesEqual(seal(key, nonce, plaintext, ad), sealed) &&
    opened !== null &&
    bytesEqual(opened, plaintext) &&
    open(key, nonce, forged, ad) === null &&
    open(key, nonce, sealed, new Uint8Array(0)) === null &&
    open(key, nonce, sealed.subarray(0, 15), ad) === null
  )
}

/** From the message it is given, or else from ones of its own that the holder of the key understands. */
function encapsulates(
  crypto: Crypto,
  known: {
    readonly publicKey: Uint8Array
    readonly secretKey: Uint8Array
    readonly message: Uint8Array
    readonly ciphertext: Uint8Array
    readonly expected: string
  },
): boolean {
  const { publicKey, secretKey, message, ciphertext, expected } = known
  let asked = 0
  const [one, two] = [1, 2].map(() =>
    crypto.mlKem768Encapsulate(publicKey, (length) => {
      asked++
      return length === 32 ? message : new Uint8Array(length)
    }),
  )
  if (one === undefined || two === undefined) return false
  const answered = [one, two].every(
    (made) =>
      toHex(crypto.mlKem768Decapsulate(secretKey, made.ciphertext)) === toHex(made.sharedSecret),
  )
  if (!answered || !refusesBadKemKey(crypto, publicKey)) return false
  return asked === 0
    ? !bytesEqual(one.ciphertext, two.ciphertext) && !bytesEqual(one.sharedSecret, two.sharedSecret)
    : [one, two].every(
        (made) => bytesEqual(made.ciphertext, ciphertext) && toHex(made.sharedSecret) === expected,
      )
}

/** FIPS 203 §7.2: a coefficient that is not reduced modulo q. */
function refusesBadKemKey(crypto: Crypto, publicKey: Uint8Array): boolean {
  const bad = Uint8Array.from(publicKey).fill(0xff, 0, 2)
  try {
    crypto.mlKem768Encapsulate(bad, (length) => new Uint8Array(length))
    return false
  } catch (error) {
    return error instanceof CryptoError && error.code === 'bad_key'
  }
}

/** In two parts, with a digest taken in between. */
function streamHolds(crypto: Crypto): boolean {
  const stream = crypto.sha256Stream()
  stream.update(toUtf8('a'))
  const before = stream.digest()
  stream.update(toUtf8('bc'))
  return (
    bytesEqual(before, sha256(toUtf8('a'))) && bytesEqual(stream.digest(), sha256(toUtf8('abc')))
  )
}

/** Key A and messages of the cases below. */
const ED_SEED = fromHex('5847effd34d939353f09cf511837508e6bec42d489108dd96ec02b9ebdc8ad53')
const ED_KEY = fromHex('a2b967f981af2e3a55b080c01d595cc7335b3fd862eb67f52dfb938136046e50')
const ED_MESSAGE = toUtf8('torsion in R')
const ED_SIGNATURE = fromHex(
  '0d2b44ffdda145a26276f2cc949a8941e99e183c9bb673720502b98bc691ee04' +
    'f5b9d9564437e779b4f1cd1ffb56686371b2f13a63a5cdaf2c20e04e556d9d06',
)
/** R + T with T of order 8: cofactored verification accepts it. */
const ED_TORSION_IN_R = fromHex(
  '82beb77be8ca5f6a9094bc3aea6735bf455d00be1c47cc4fad916ee6908cce96' +
    'ac073333d77aa97063aee89addc2d366b3ffa832e40f84d3e885ff070f7cdc0f',
)
/** S + L in place of S. */
const ED_S_TOO_LARGE = fromHex(
  '0d2b44ffdda145a26276f2cc949a8941e99e183c9bb673720502b98bc691ee04' +
    'e28dcfb35e9af9d18a8ec5c2d950477871b2f13a63a5cdaf2c20e04e556d9d16',
)
/** R is the identity, and the equation holds: OpenSSL 3.0 accepts it, OpenSSL 3.5 does not. */
const ED_R_OF_SMALL_ORDER = fromHex(
  '0100000000000000000000000000000000000000000000000000000000000000' +
    'e24cf41f31d575413f2864bd9597d53cb3b3b46c63be3f75b82dd35e9daef90c',
)
/** Holds for every message under a key that is the identity. */
const ED_UNDER_IDENTITY = fromHex(
  '5b93f24b90b36785d3581a0221a0cfe7424d7499ed1398d5aadf200c0f5ff6ef' +
    '72ddebbbeab9cfe0613548820162bea8f90221730ea9b630cd29c6c7a0440b0e',
)
const ED_IDENTITY = fromHex('0100000000000000000000000000000000000000000000000000000000000000')
/** The identity spelled as y = p + 1. */
const ED_IDENTITY_NOT_CANONICAL = fromHex(
  'eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f',
)
/** A + T with T of order 8, and a signature whose k is a multiple of 8, so that both rules accept it. */
const ED_MIXED_KEY = fromHex('5b28b36e7162da721a2776e452cd97196ac8bbcd40887276af0309d9665b1dad')
const ED_UNDER_MIXED = fromHex(
  '5b93f24b90b36785d3581a0221a0cfe7424d7499ed1398d5aadf200c0f5ff6ef' +
    '81ec530dfb380b5260018bb44ebd53dc4a1ea0bb344afb24bcc417a79431b907',
)

function ed25519Holds(crypto: Crypto): boolean {
  const refuses = (key: Uint8Array, signature: Uint8Array): boolean =>
    !crypto.ed25519Verify(key, ED_MESSAGE, signature)
  return (
    bytesEqual(crypto.ed25519PublicKey(ED_SEED), ED_KEY) &&
    bytesEqual(crypto.ed25519Sign(ED_SEED, ED_MESSAGE), ED_SIGNATURE) &&
    crypto.ed25519Verify(ED_KEY, ED_MESSAGE, ED_SIGNATURE) &&
    !crypto.ed25519Verify(ED_KEY, toUtf8('another message'), ED_SIGNATURE) &&
    refuses(ED_KEY, ED_TORSION_IN_R) &&
    refuses(ED_KEY, ED_S_TOO_LARGE) &&
    refuses(ED_KEY, ED_R_OF_SMALL_ORDER) &&
    refuses(ED_KEY, ED_SIGNATURE.subarray(0, 63)) &&
    refuses(ED_IDENTITY, ED_UNDER_IDENTITY) &&
    refuses(ED_IDENTITY_NOT_CANONICAL, ED_UNDER_IDENTITY) &&
    refuses(new Uint8Array(32).fill(0xff), ED_SIGNATURE) &&
    refuses(new Uint8Array(31), ED_SIGNATURE) &&
    crypto.ed25519Verify(ED_MIXED_KEY, Uint8Array.of(3), ED_UNDER_MIXED) &&
    crypto.ed25519IsAdmissible(ED_KEY) &&
    !crypto.ed25519IsAdmissible(ED_MIXED_KEY) &&
    !crypto.ed25519IsAdmissible(ED_IDENTITY) &&
    !crypto.ed25519IsAdmissible(ED_IDENTITY_NOT_CANONICAL) &&
    !crypto.ed25519IsAdmissible(new Uint8Array(31))
  )
}

function throwsLowOrder(run: () => unknown): boolean {
  try {
    run()
    return false
  } catch (error) {
    return error instanceof CryptoError && error.code === 'low_order'
  }
}

const KNOWN_ANSWERS: Readonly<Record<CryptoPrimitive, (crypto: Crypto) => boolean>> = {
  sha256: (crypto) =>
    toHex(crypto.sha256(toUtf8('abc'))) ===
      'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad' &&
    toHex(crypto.sha256(new Uint8Array(4096).fill(0x61))) ===
      toHex(sha256(new Uint8Array(4096).fill(0x61))) &&
    streamHolds(crypto),
  // RFC 4231 §4.3
  hmacSha256: (crypto) =>
    toHex(crypto.hmacSha256(toUtf8('Jefe'), toUtf8('what do ya want for nothing?'))) ===
    '5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843',
  // RFC 5869 A.1 and A.3
  hkdfSha256: (crypto) =>
    toHex(
      crypto.hkdfSha256(
        new Uint8Array(22).fill(0x0b),
        fromHex('000102030405060708090a0b0c'),
        fromHex('f0f1f2f3f4f5f6f7f8f9'),
        42,
      ),
    ) === '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865' &&
    toHex(
      crypto.hkdfSha256(new Uint8Array(22).fill(0x0b), new Uint8Array(0), new Uint8Array(0), 42),
    ) === '8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d9d201395faa4b61a96c8',
  ed25519: ed25519Holds,
  // RFC 7748 §6.1
  x25519(crypto) {
    const alice = fromHex('77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a')
    const bob = fromHex('de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f')
    return (
      toHex(crypto.x25519PublicKey(alice)) ===
        '8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a' &&
      toHex(crypto.x25519(alice, bob)) ===
        '4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742' &&
      throwsLowOrder(() => crypto.x25519(alice, new Uint8Array(32))) &&
      throwsLowOrder(() => crypto.x25519(alice, ED_IDENTITY)) &&
      throwsLowOrder(() => crypto.x25519(alice, ED_IDENTITY_NOT_CANONICAL))
    )
  },
  chacha20Poly1305: (crypto) =>
    aeadHolds(crypto.chacha20Poly1305Seal, crypto.chacha20Poly1305Open, {
      key: AEAD_KEY,
      nonce: fromHex('070000004041424344454647'),
      ad: AEAD_AD,
      plaintext: SUNSCREEN,
      sealed: fromHex(
        'd31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d63dbea45e8ca9671282fafb69' +
          'da92728b1a71de0a9e060b2905d6a5b67ecd3b3692ddbd7f2d778b8c9803aee328091b58fab324e4fad675' +
          '945585808b4831d7bc3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd0600691',
      ),
    }),
  // draft-irtf-cfrg-xchacha-03 A.3.1
  xchacha20Poly1305: (crypto) =>
    aeadHolds(crypto.xchacha20Poly1305Seal, crypto.xchacha20Poly1305Open, {
      key: AEAD_KEY,
      nonce: fromHex('404142434445464748494a4b4c4d4e4f5051525354555657'),
      ad: AEAD_AD,
      plaintext: SUNSCREEN,
      sealed: fromHex(
        'bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f' +
          '4eda7e39ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc36948' +
          '8f76b2383565d3fff921f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49',
      ),
    }),
  aes256Gcm: (crypto) =>
    aeadHolds(crypto.aes256GcmSeal, crypto.aes256GcmOpen, {
      key: fromHex('92ace3e348cd821092cd921aa3546374299ab46209691bc28b8752d17f123c20'),
      nonce: fromHex('00112233445566778899aabb'),
      ad: fromHex('00000000ffffffff'),
      plaintext: fromHex('00010203040506070809'),
      sealed: fromHex('e27abdd2d2a53d2f136b9a4a2579529301bcfb71c78d4060f52c'),
    }),
  mlKem768(crypto) {
    const { publicKey, secretKey } = crypto.mlKem768KeyPair(
      Uint8Array.from({ length: 64 }, (_, index) => index),
    )
    const message = Uint8Array.from({ length: 32 }, (_, index) => 255 - index)
    const ciphertext = ml_kem768.encapsulate(publicKey, message).cipherText
    const changed = Uint8Array.from(ciphertext)
    changed[0] = (changed[0] ?? 0) ^ 1
    const expected = 'f2c2678a3be8ba85e9053a0eaffc557661d15f2742caaf272cd93770062b53ca'
    return (
      toHex(sha256(publicKey)) ===
        '0b7934c83125c788995e2ba6bd761e33046b3e40571be53e023309a29f398cc9' &&
      toHex(sha256(ciphertext)) ===
        '090f7fa36cc47927b54f906d60ae5adb6b1b6a033b566ec9cb866edba8dfc9a1' &&
      encapsulates(crypto, { publicKey, secretKey, message, ciphertext, expected }) &&
      toHex(crypto.mlKem768Decapsulate(secretKey, ciphertext)) === expected &&
      // Implicit rejection: another secret, not an error.
      toHex(crypto.mlKem768Decapsulate(secretKey, changed)) ===
        '21c1e6b315b5a2020c7634e4f0e2c33384a7b55e045aa02cb6b84ef25bfff6a4'
    )
  },
  equal: (crypto) =>
    crypto.equal(AEAD_KEY, Uint8Array.from(AEAD_KEY)) &&
    !crypto.equal(AEAD_KEY, AEAD_AD) &&
    !crypto.equal(Uint8Array.of(1, 2), Uint8Array.of(1, 3)),
}
