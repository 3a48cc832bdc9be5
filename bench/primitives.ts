/** What single operations of the native crypto adapter take: no protocol over it can be faster than their sum. */
import { crypto, random } from './eccp-device.ts'

const ROUNDS = 21
/** Long enough for the clock, which counts microseconds. */
const TIMES = 60
const MESSAGE = random(600)

/** As text, in microseconds of the processor, medians. */
export function primitives(): string {
  const secret = random(32)
  const key = crypto.ed25519PublicKey(secret)
  const signature = crypto.ed25519Sign(secret, MESSAGE)
  const own = random(32)
  const peer = crypto.x25519PublicKey(random(32))
  const seed = random(64)
  const { publicKey, secretKey } = crypto.mlKem768KeyPair(seed)
  const { ciphertext } = crypto.mlKem768Encapsulate(publicKey, random)
  const operations: readonly (readonly [string, () => unknown])[] = [
    ['verify an Ed25519 signature', () => crypto.ed25519Verify(key, MESSAGE, signature)],
    ['sign', () => crypto.ed25519Sign(secret, MESSAGE)],
    ['make an X25519 key pair', () => crypto.x25519PublicKey(random(32))],
    ['agree', () => crypto.x25519(own, peer)],
    ['agree with a public key not seen before', () => crypto.x25519(own, fresh(peer))],
    ['encapsulate (ML-KEM-768)', () => crypto.mlKem768Encapsulate(publicKey, random)],
    ['decapsulate', () => crypto.mlKem768Decapsulate(secretKey, ciphertext)],
    ['HKDF of 44 bytes', () => crypto.hkdfSha256(own, own, own, 44)],
    ['seal 256 bytes', () => crypto.chacha20Poly1305Seal(own, nonce, payload, own)],
  ]
  return operations.map(([name, work]) => `${name} ${cost(work).toFixed(0)}`).join(', ')
}

const nonce = random(12)
const payload = random(256)

/** Another point each time; half of all strings are points of the curve, the others of its twist. */
function fresh(key: Uint8Array): Uint8Array {
  const other = Uint8Array.from(key)
  other.set(random(8))
  return other
}

function cost(work: () => unknown): number {
  const times: number[] = []
  for (let round = 0; round < ROUNDS; round++) {
    const before = process.cpuUsage()
    for (let n = 0; n < TIMES; n++) work()
    const { user, system } = process.cpuUsage(before)
    times.push((user + system) / TIMES)
  }
  return times.sort((a, b) => a - b)[Math.floor(ROUNDS / 2)] ?? Number.NaN
}
