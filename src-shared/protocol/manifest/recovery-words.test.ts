import { describe, expect, it } from 'vitest'
import { createNobleCrypto } from '../crypto-noble.ts'
import { toHex } from '../encoding/index.ts'
import {
  parseRecoveryWords,
  recoveryKeysOf,
  recoverySecretsFromEntropy,
  recoveryWordsFromEntropy,
  suggestRecoveryWords,
} from './index.ts'

const crypto = createNobleCrypto()
const entropy = Uint8Array.from({ length: 32 }, (_, index) => index * 5)

describe('recovery words', () => {
  it('are the BIP-39 words of the entropy', () => {
    expect(recoveryWordsFromEntropy(new Uint8Array(32)).join(' ')).toBe(
      `${'abandon '.repeat(23)}art`,
    )
  })

  it('are 24 and read back, however they were typed', () => {
    const words = recoveryWordsFromEntropy(entropy)
    expect(words).toHaveLength(24)
    const typed = [
      words.join(' '),
      `  ${words.join('\n').toUpperCase()}  `,
      words.map((word, index) => `${index + 1}. ${word}`).join(', '),
    ]
    for (const text of typed) expect(parseRecoveryWords(text)).toEqual({ ok: true, entropy })
  })

  it('say what is wrong with them', () => {
    const words = [...recoveryWordsFromEntropy(entropy)]
    expect(parseRecoveryWords(words.slice(1).join(' '))).toEqual({ ok: false, code: 'word_count' })
    expect(parseRecoveryWords('')).toEqual({ ok: false, code: 'word_count' })
    const swapped = [words[1], words[0], ...words.slice(2)].join(' ')
    expect(parseRecoveryWords(swapped)).toEqual({ ok: false, code: 'checksum' })
    const misspelt = words.with(5, 'abandom').join(' ')
    expect(parseRecoveryWords(misspelt)).toEqual({ ok: false, code: 'unknown_word', index: 5 })
  })

  it('name the first of them that is none, be it the very first', () => {
    const words = [...recoveryWordsFromEntropy(entropy)]
    expect(parseRecoveryWords(words.with(0, 'abandom').join(' '))).toEqual({
      ok: false,
      code: 'unknown_word',
      index: 0,
    })
  })

  it('stand for 32 bytes: shorter entropy, which BIP-39 would take, is a mistake', () => {
    for (const length of [16, 28, 31, 33]) {
      expect(() => recoveryWordsFromEntropy(new Uint8Array(length))).toThrow('bad_length')
      expect(() => recoverySecretsFromEntropy(crypto, new Uint8Array(length))).toThrow('bad_length')
    }
  })

  it('complete while one types, up to so many', () => {
    expect(suggestRecoveryWords('a', 3)).toEqual(['abandon', 'ability', 'able'])
    expect(suggestRecoveryWords('ABO', 3)).toEqual(['about', 'above'])
    expect(suggestRecoveryWords('zz', 3)).toEqual([])
  })

  it('give two separate keys, the same ones each time', () => {
    const secrets = recoverySecretsFromEntropy(crypto, entropy)
    expect(toHex(secrets.ed25519)).not.toBe(toHex(secrets.x25519))
    expect(recoverySecretsFromEntropy(crypto, entropy)).toEqual(secrets)
    const keys = recoveryKeysOf(crypto, secrets)
    expect(keys.ed25519).toHaveLength(43)
    expect(keys.x25519).toHaveLength(43)
  })
})
