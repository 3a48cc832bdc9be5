/**
 * Recovery words (Recovery §10): 24 English BIP-39 words carry 32 bytes of entropy, from which the
 * account's recovery keys are derived. The words are never stored by the protocol.
 */
import { entropyToMnemonic, mnemonicToEntropy } from '@scure/bip39'
import { wordlist } from '@scure/bip39/wordlists/english.js'
import { requireLength } from '../crypto.ts'
import type { Crypto } from '../crypto.ts'
import { labelled, LABELS, toBase64Url } from '../encoding/index.ts'
import type { RecoveryKeys } from './manifest-entry.ts'

export const RECOVERY_WORD_COUNT = 24

/** Secret halves: an Ed25519 seed and an X25519 scalar, 32 bytes each. */
export interface RecoverySecrets {
  readonly ed25519: Uint8Array
  readonly x25519: Uint8Array
}

export type RecoveryWordsResult =
  | { readonly ok: true; readonly entropy: Uint8Array }
  | { readonly ok: false; readonly code: 'word_count' | 'checksum' }
  /** `index` of the first word that is not in the list, from 0. */
  | { readonly ok: false; readonly code: 'unknown_word'; readonly index: number }

/** `entropy`: 32 random bytes. */
export function recoveryWordsFromEntropy(entropy: Uint8Array): readonly string[] {
  requireLength(entropy, 32)
  return entropyToMnemonic(entropy, wordlist).split(' ')
}

/** Reads what a person typed: any white space, any case, numbering and punctuation around words. */
export function parseRecoveryWords(text: string): RecoveryWordsResult {
  const words = text
    .normalize('NFKD')
    .toLowerCase()
    .split(/[^a-z]+/)
    .filter((word) => word !== '')
  const index = words.findIndex((word) => !wordlist.includes(word))
  if (index >= 0) return { ok: false, code: 'unknown_word', index }
  if (words.length !== RECOVERY_WORD_COUNT) return { ok: false, code: 'word_count' }
  try {
    return { ok: true, entropy: mnemonicToEntropy(words.join(' '), wordlist) }
  } catch {
    return { ok: false, code: 'checksum' }
  }
}

/** Words that start with `prefix`, for completion while typing. */
export function suggestRecoveryWords(prefix: string, limit: number): readonly string[] {
  return wordlist.filter((word) => word.startsWith(prefix.toLowerCase())).slice(0, limit)
}

export function recoverySecretsFromEntropy(crypto: Crypto, entropy: Uint8Array): RecoverySecrets {
  requireLength(entropy, 32)
  const salt = new Uint8Array(32)
  return {
    ed25519: crypto.hkdfSha256(entropy, salt, labelled(LABELS.recoveryEd25519), 32),
    x25519: crypto.hkdfSha256(entropy, salt, labelled(LABELS.recoveryX25519), 32),
  }
}

export function recoveryKeysOf(crypto: Crypto, secrets: RecoverySecrets): RecoveryKeys {
  return {
    ed25519: toBase64Url(crypto.ed25519PublicKey(secrets.ed25519)),
    x25519: toBase64Url(crypto.x25519PublicKey(secrets.x25519)),
  }
}
