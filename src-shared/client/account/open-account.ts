/** The three ways to an engine: a new account, a sign-in on a further device, an account that is stored. */
import type { EnginePorts } from '../context.ts'
import { buildEngine } from '../engine.ts'
import type { Engine } from '../engine-types.ts'
import { EngineError } from '../errors.ts'
import type { AccountDraft } from './account-draft.ts'
import { accountRecord, SELF } from './account-record.ts'
import { layFoundation } from './open-database.ts'
import { beginRegistration, beginSignIn, finishAttempt } from './sign-up.ts'
import type { NewAccount, SignIn } from './sign-up.ts'

/** Resolves once the account exists at the node and its token is stored. Throws `EngineError`. */
export async function createAccount(
  ports: EnginePorts,
  draft: AccountDraft,
  input: NewAccount,
): Promise<Engine> {
  const base = layFoundation(ports)
  const account = await beginRegistration(base, draft, input)
  return buildEngine(base, await finishAttempt(base, account))
}

/** The device stays pending until another one of the account approves it. Throws `EngineError`. */
export async function signIn(ports: EnginePorts, input: SignIn): Promise<Engine> {
  const base = layFoundation(ports)
  const account = await beginSignIn(base, input)
  return buildEngine(base, await finishAttempt(base, account))
}

/**
 * From the store, without the network unless a first request is still open: that one is repeated with the
 * keys that were kept. Throws `EngineError('no_account')` where there is none.
 */
export async function openAccount(ports: EnginePorts): Promise<Engine> {
  const base = layFoundation(ports)
  const account = await base.db.get(accountRecord, SELF)
  if (account === null) throw new EngineError('no_account')
  return buildEngine(base, await finishAttempt(base, account))
}
