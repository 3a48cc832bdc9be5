/**
 * Getting into an account (Identity §2): making one, or signing in on a further device.
 *
 * Keys are committed before the first request leaves. When its answer is lost, the same keys ask again,
 * now or at the next start, and the node recognises them; so no account is ever made without its keys
 * being kept, and no words are shown for an account that does not exist.
 */
import {
  createGenesis,
  DEFAULT_SUITE,
  deviceKeysOf,
  formatUserId,
  manifestEntryHash,
  newDeviceId,
  parseServerName,
  parseUserId,
  toBase64Url,
  verifyManifest,
} from '../../protocol/index.ts'
import type { DeviceSecrets, RecoverySecrets, SignedEntry } from '../../protocol/index.ts'
import { makeLoginProof } from '../../api/index.ts'
import type { Session } from '../../api/index.ts'
import { keepFirstSight } from '../devices/first-sight.ts'
import { EngineError } from '../errors.ts'
import { Unanswered } from '../http/api-client.ts'
import type { Answer } from '../http/api-client.ts'
import { expectAnswer, refusalError, silenceError } from '../http/errors.ts'
import type { Step } from '../store/database.ts'
import type { AccountDraft } from './account-draft.ts'
import { accountRecord, deviceSecretsOf, SELF } from './account-record.ts'
import type { AccountRecord } from './account-record.ts'
import type { Foundation } from './open-database.ts'

export interface NewAccount {
  readonly serverName: string
  readonly name: string
  readonly password: string
  readonly displayName: string
  readonly deviceName: string
  /** From those who run the node, where it takes accounts only with one. */
  readonly registrationToken?: string | null
}

export interface SignIn {
  readonly serverName: string
  /** A name, or a full user id of that server. */
  readonly name: string
  readonly password: string
  readonly deviceName: string
}

/** Commits keys and genesis. Throws `EngineError('already_exists')` where an account is kept already. */
export async function beginRegistration(
  base: Foundation,
  draft: AccountDraft,
  input: NewAccount,
): Promise<AccountRecord> {
  const { crypto } = base.ports
  const userId = userIdOf(input.name, input.serverName)
  const device = newDevice(base)
  const genesis = createGenesis(crypto, {
    userId,
    nonce: base.ports.random.bytes(32),
    device,
    recovery: draft.recovery,
    bot: false,
  })
  const recovery = textOf(draft.recovery)
  return begin(base, {
    ...blank(userId, input.serverName, input.deviceName, device),
    phase: 'registering',
    member: manifestEntryHash(crypto, genesis.entry),
    displayName: input.displayName,
    attempt: {
      password: input.password,
      genesis,
      recovery,
      registrationToken: input.registrationToken ?? null,
    },
  })
}

export async function beginSignIn(base: Foundation, input: SignIn): Promise<AccountRecord> {
  const userId = userIdOf(input.name, input.serverName)
  return begin(base, {
    ...blank(userId, input.serverName, input.deviceName, newDevice(base)),
    phase: 'signing_in',
    attempt: { password: input.password, genesis: null, recovery: null, registrationToken: null },
  })
}

/**
 * Asks the node, with the keys that are kept. Throws `EngineError`; a definite refusal forgets the
 * attempt, silence keeps it for the next time.
 */
export async function finishAttempt(
  base: Foundation,
  account: AccountRecord,
): Promise<AccountRecord> {
  const { attempt } = account
  if (attempt === null) return account
  let session: Session
  try {
    session = await request(base, account, attempt)
  } catch (error) {
    if (isDefinite(error))
      await base.db.step('account.forget', (step) => {
        step.delete(accountRecord, SELF)
      })
    throw error
  }
  if (account.member !== null && session.member !== account.member)
    throw new EngineError('not_a_homeserver')
  if (session.device !== account.device.id) throw new EngineError('not_a_homeserver')
  const next: AccountRecord = {
    ...account,
    phase: session.scope === 'full' ? 'active' : 'pending',
    userId: session.user_id,
    member: session.member,
    token: session.access_token,
    attempt: null,
  }
  await base.db.step('account.session', async (step) => {
    step.put(accountRecord, SELF, next)
    if (attempt.genesis !== null) await keepOwnLog(step, base, attempt.genesis)
  })
  return next
}

/** What was just registered is the whole log, so that the account is of use before the node is asked for it. */
async function keepOwnLog(step: Step, base: Foundation, genesis: SignedEntry): Promise<void> {
  const verified = verifyManifest(base.ports.crypto, [genesis])
  if (!verified.ok) throw new EngineError('internal')
  await keepFirstSight(step, verified.state, [genesis])
}

/**
 * The node no longer knows the token of a device that is otherwise as it was: the password and the proof
 * of its keys get a new one. Throws `EngineError`.
 */
export async function renewSession(
  base: Foundation,
  account: AccountRecord,
  password: string,
): Promise<AccountRecord> {
  const session = await login(base, account, {
    password,
    genesis: null,
    recovery: null,
    registrationToken: null,
  })
  if (session.member !== account.member || session.device !== account.device.id)
    throw new EngineError('not_a_homeserver')
  return base.db.step('account.session', async (step) => {
    const now = (await step.get(accountRecord, SELF)) ?? account
    const next: AccountRecord = {
      ...now,
      phase: session.scope === 'full' ? 'active' : 'pending',
      token: session.access_token,
      signedOut: null,
    }
    step.put(accountRecord, SELF, next)
    return next
  })
}

type Attempt = NonNullable<AccountRecord['attempt']>

async function request(
  base: Foundation,
  account: AccountRecord,
  attempt: Attempt,
): Promise<Session> {
  const { genesis } = attempt
  if (genesis === null) return login(base, account, attempt)
  const name = parseUserId(account.userId)?.name ?? ''
  return withClock(base, account, (proof) =>
    base.api.call('register', {
      body: {
        username: name,
        password: attempt.password,
        display_name: account.displayName === '' ? name : account.displayName,
        device_name: account.deviceName,
        genesis,
        proof,
        ...(attempt.registrationToken === null
          ? {}
          : { registration_token: attempt.registrationToken }),
      },
      cancel: base.life,
    }),
  )
}

async function login(base: Foundation, account: AccountRecord, attempt: Attempt): Promise<Session> {
  const { crypto } = base.ports
  return withClock(base, account, (proof) =>
    base.api.call('login', {
      body: {
        user: account.userId,
        password: attempt.password,
        device: deviceKeysOf(crypto, deviceSecretsOf(account)),
        device_name: account.deviceName,
        proof,
      },
      cancel: base.life,
    }),
  )
}

/** A proof states the time; where this computer's clock is wrong, the node's is taken. */
async function withClock<N extends 'register' | 'login'>(
  base: Foundation,
  account: AccountRecord,
  ask: (proof: { ts: number; sig: string }) => Promise<Answer<N>>,
): Promise<Session> {
  const { crypto, clock } = base.ports
  const { id: device, ed25519 } = deviceSecretsOf(account)
  const claim = { server: account.serverName, user: account.userId, device }
  const prove = (now: number) => makeLoginProof(crypto, ed25519, claim, now)
  const special = { M_FORBIDDEN: 'wrong_password', E_BAD_ENTRY: 'internal' } as const
  const first = await ask(prove(clock.now())).catch((error: unknown) => {
    throw error instanceof Unanswered ? silenceError(error) : error
  })
  if (first.ok) return first.value as Session
  const { errcode, serverTime } = first.refusal
  if (errcode !== 'E_CLOCK_SKEW' || serverTime === undefined)
    throw refusalError(first.refusal, special)
  return (await expectAnswer(ask(prove(serverTime)), special)) as Session
}

async function begin(base: Foundation, fresh: AccountRecord): Promise<AccountRecord> {
  return base.db.step('account.begin', async (step) => {
    const kept = await step.get(accountRecord, SELF)
    if (kept !== null && kept.attempt === null) throw new EngineError('already_exists')
    const account = continued(kept, fresh)
    step.put(accountRecord, SELF, account)
    return account
  })
}

/** The same person trying again: the keys whose request may have arrived are used once more. */
function continued(kept: AccountRecord | null, fresh: AccountRecord): AccountRecord {
  if (kept === null || kept.attempt === null || fresh.attempt === null) return fresh
  if (kept.userId !== fresh.userId || kept.phase !== fresh.phase) return fresh
  const { recovery: old } = kept.attempt
  const { recovery: next, password, registrationToken } = fresh.attempt
  const sameWords = old === null || next === null || old.ed25519 === next.ed25519
  return {
    ...kept,
    attempt: { ...kept.attempt, password, registrationToken },
    newRecovery: sameWords ? kept.newRecovery : { old, next },
  }
}

function textOf({ ed25519, x25519 }: RecoverySecrets) {
  return { ed25519: toBase64Url(ed25519), x25519: toBase64Url(x25519) }
}

function userIdOf(name: string, serverName: string): string {
  if (parseServerName(serverName) === null) throw new EngineError('not_a_homeserver')
  const lower = name.trim().toLowerCase()
  const userId = lower.startsWith('@') ? lower : formatUserId(lower, serverName)
  if (parseUserId(userId)?.server !== serverName) throw new EngineError('bad_name')
  return userId
}

function newDevice({ ports }: Foundation): DeviceSecrets {
  const random = (length: number): Uint8Array => ports.random.bytes(length)
  return {
    id: newDeviceId(random),
    ed25519: random(32),
    x25519: random(32),
    minSuite: DEFAULT_SUITE,
  }
}

function blank(
  userId: string,
  serverName: string,
  deviceName: string,
  device: DeviceSecrets,
): Omit<AccountRecord, 'phase' | 'attempt'> {
  const { id, ed25519, x25519, minSuite } = device
  return {
    v: 1,
    userId,
    serverName,
    member: null,
    displayName: '',
    deviceName,
    device: { id, ed25519: toBase64Url(ed25519), x25519: toBase64Url(x25519), minSuite },
    token: null,
    newRecovery: null,
    signedOut: null,
    readReceipts: false,
  }
}

/** The node has decided: these keys will not get in. */
function isDefinite(error: unknown): boolean {
  const undecided = ['homeserver_unreachable', 'timeout', 'server_error', 'rate_limited']
  const silent = ['certificate', 'not_a_homeserver', 'cancelled', 'too_large', 'internal']
  return error instanceof EngineError && ![...undecided, ...silent].includes(error.code)
}
