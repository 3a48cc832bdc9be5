/**
 * Recovery words for an account about to be made (Recovery §10): the first log entry names the recovery
 * key, so the words come first. A draft lives in memory only and is written nowhere.
 */
import { recoverySecretsFromEntropy, recoveryWordsFromEntropy } from '../../protocol/index.ts'
import type { Crypto, RecoverySecrets } from '../../protocol/index.ts'
import type { Random } from '../ports.ts'

export interface AccountDraft {
  /** 24 words, shown once. */
  readonly words: readonly string[]
  /** Positions of the three words to ask for, ascending. */
  readonly confirm: readonly number[]
  readonly recovery: RecoverySecrets
}

const ASKED = 3

export function prepareAccount(ports: {
  readonly random: Random
  readonly crypto: Crypto
}): AccountDraft {
  const entropy = ports.random.bytes(32)
  const words = recoveryWordsFromEntropy(entropy)
  const positions = new Set<number>()
  while (positions.size < ASKED) {
    const [byte = 0] = ports.random.bytes(1)
    // Rejecting the rest of the range keeps every position equally likely.
    if (byte < 240) positions.add(byte % words.length)
  }
  return {
    words,
    confirm: [...positions].sort((a, b) => a - b),
    recovery: recoverySecretsFromEntropy(ports.crypto, entropy),
  }
}
