import { describe, expect, it } from 'vitest'
import { CryptoError, createNobleCrypto } from '../index.ts'
import { fromHex, toHex, toUtf8 } from '../encoding/index.ts'
import { crypto as native, seededRandom } from '../prekeys/testing/devices.ts'
import { hpkeOpen, hpkeSeal } from './index.ts'

// RFC 9180 A.2.1 and A.2.1.1, sequence number 0
const ikmE = fromHex('909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b')
const publicKey = fromHex('4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a')
const secretKey = fromHex('8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb')
const info = fromHex('4f6465206f6e2061204772656369616e2055726e')
const ad = fromHex('436f756e742d30')
const plaintext = toUtf8('Beauty is truth, truth beauty')
const enc = '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a'
const ciphertext =
  '1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28'

describe.each([createNobleCrypto(), native])('HPKE over $name', (crypto) => {
  const message = { enc: fromHex(enc), ciphertext: fromHex(ciphertext) }

  it('seals as RFC 9180 A.2.1 does', () => {
    const sealed = hpkeSeal({ crypto, random: () => ikmE, publicKey, info, ad, plaintext })
    expect(toHex(sealed.enc)).toBe(enc)
    expect(toHex(sealed.ciphertext)).toBe(ciphertext)
  })

  it('opens what RFC 9180 A.2.1 has sealed', () => {
    expect(hpkeOpen({ crypto, secretKey, info, ad, message })).toEqual(plaintext)
  })

  it('opens for nobody else, with nothing else, and after no change', () => {
    const right = { crypto, secretKey, info, ad, message }
    const changed = (bytes: Uint8Array) => bytes.map((byte, at) => (at === 0 ? byte ^ 1 : byte))
    for (const wrong of [
      { secretKey: seededRandom('other')(32) },
      { info: new Uint8Array(0) },
      { ad: new Uint8Array(0) },
      { message: { ...message, enc: changed(message.enc) } },
      { message: { ...message, ciphertext: changed(message.ciphertext) } },
      { message: { ...message, enc: message.enc.subarray(1) } },
      { message: { ...message, enc: new Uint8Array(32) } },
      { message: { ...message, ciphertext: new Uint8Array(15) } },
    ])
      expect(hpkeOpen({ ...right, ...wrong })).toBe(null)
  })

  it('takes no fault of the adapter for a message to somebody else', () => {
    for (const error of [new CryptoError('bad_length'), new TypeError('not at all')]) {
      const faulty = {
        ...crypto,
        x25519: (): never => {
          throw error
        },
      }
      expect(() => hpkeOpen({ crypto: faulty, secretKey, info, ad, message })).toThrow(error)
    }
  })

  it('seals for no key of another length', () => {
    const random = seededRandom('hpke')
    const short = publicKey.subarray(1)
    expect(() => hpkeSeal({ crypto, random, publicKey: short, info, ad, plaintext })).toThrow(
      'bad_length',
    )
  })

  it('seals for no key of low order', () => {
    const random = seededRandom('hpke')
    const seal = () =>
      hpkeSeal({ crypto, random, publicKey: new Uint8Array(32), info, ad, plaintext })
    expect(seal).toThrow(CryptoError)
  })
})
