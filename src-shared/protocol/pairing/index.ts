/** Pairing (Identity §2): approving a further device by comparing a short code. */
export * from './pairing.ts'
