/**
 * The engine: one deep module around the protocol. The desktop app, bots and tests give it ports (store,
 * transport, clock, randomness) and see views; keys and sessions stay inside.
 */
export * from './ports.ts'
export type { EnginePorts } from './context.ts'
export { EngineError, engineErrorCodes } from './errors.ts'
export type { EngineErrorCode } from './errors.ts'
export type { Engine, EngineChange, LookUp, NewGroup, SignedOutReason } from './engine-types.ts'
export { prepareAccount } from './account/account-draft.ts'
export type { AccountDraft } from './account/account-draft.ts'
export { createAccount, openAccount, signIn } from './account/open-account.ts'
export type { NewAccount, SignIn } from './account/sign-up.ts'
export { sessionTables, tables } from './store/tables.ts'
export type { TableName } from './store/tables.ts'
