/** Tokens that allow registration: the first administrator's, and those an operator hands out. */
import { newToken } from './http/bearer.ts'
import type { NodeConfig } from './config.ts'
import type { World } from './context.ts'
import type { Storage } from './storage/index.ts'

/** Shown once; the data keeps its hash. */
export async function makeRegistrationToken(
  storage: Storage,
  { random, now }: World,
  { uses }: { readonly uses: number },
): Promise<string> {
  const { token, hash } = newToken(random)
  await storage.write((tx) =>
    tx.accounts.putRegistrationToken({
      token_hash: hash,
      name: null,
      uses_left: uses,
      admin: 0,
      created_at: now(),
    }),
  )
  return token
}

/**
 * While the first administrator has no account: a fresh token that lets exactly that name register, at
 * every start, in place of the one before. Null otherwise.
 */
export async function makeBootstrapToken(
  storage: Storage,
  { random, now }: World,
  { bootstrapAdmin: name }: Pick<NodeConfig, 'bootstrapAdmin'>,
): Promise<string | null> {
  if (name === null) return null
  const { token, hash } = newToken(random)
  return storage.write(async (tx) => {
    await tx.accounts.dropRegistrationTokensFor(name)
    if (await tx.accounts.hasAdmin()) return null
    await tx.accounts.putRegistrationToken({
      token_hash: hash,
      name,
      uses_left: 1,
      admin: 1,
      created_at: now(),
    })
    return token
  })
}
