/** The Double Ratchet (§4): the set of sessions with one peer device, and what a message looks like. */
export { ratchetMessageSchema } from './header.ts'
export type { RatchetHeader, RatchetMessage } from './header.ts'
export { MAX_FORWARD_STEPS } from './session.ts'
export type { Session } from './session.ts'
export * from './session-set.ts'
export { MAX_SKIPPED_PER_CHAIN, MAX_SKIPPED_PER_SESSION } from './skipped-keys.ts'
