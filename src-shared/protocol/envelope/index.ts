/** Envelopes (Two objects §5): header and id, sealing, verifying, opening, content and its key. */
export * from './content-key.ts'
export * from './header.ts'
export * from './message-content.ts'
export * from './open.ts'
export * from './padding.ts'
export * from './seal.ts'
