/** Password hashes (Argon2id). Checking takes as long for a user that is not there. */
import { hash, verify } from '@node-rs/argon2'
import { toBase64Url } from '../src-shared/protocol/index.ts'
import type { PasswordCost } from './config.ts'

export interface Passwords {
  hash(password: string): Promise<string>
  /** `stored` undefined: there is no such user; the work is done all the same. */
  verify(stored: string | undefined, password: string): Promise<boolean>
}

export async function createPasswords(
  cost: PasswordCost,
  random: (length: number) => Uint8Array,
): Promise<Passwords> {
  const options = { ...cost, parallelism: 1 }
  const nobody = await hash(toBase64Url(random(32)), options)
  return {
    hash: (password) => hash(password.normalize('NFC'), options),
    async verify(stored, password) {
      const same = await verify(stored ?? nobody, password.normalize('NFC'))
      return same && stored !== undefined
    },
  }
}
