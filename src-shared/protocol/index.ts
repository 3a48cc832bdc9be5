/**
 * Layer 1: the protocol as pure functions. No I/O, no clock, no randomness of its own; all of them
 * arrive as arguments, as does the `Crypto` that composes the primitives.
 */
export * from './crypto.ts'
export {
  isAdmissibleEd25519Key,
  isAdmissibleX25519Key,
  isCanonicalEd25519Key,
  isCanonicalX25519Key,
  isWellFormedSignature,
} from './crypto-curve25519.ts'
export { createNobleCrypto } from './crypto-noble.ts'
export * from './crypto-self-test.ts'
export * from './encoding/index.ts'
export * from './manifest/index.ts'
export * from './prekeys/index.ts'
export * from './handshake/index.ts'
export * from './ratchet/index.ts'
export * from './envelope/index.ts'
export * from './transport/index.ts'
export * from './archive/index.ts'
export * from './attachment/index.ts'
export * from './receipt/index.ts'
export * from './pairing/index.ts'
export * from './room/index.ts'
export * from './shadow/index.ts'
