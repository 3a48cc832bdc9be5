/** The handshake (§3): suites, the header an initiator sends, and the key agreement. */
export * from './handshake-header.ts'
export * from './suite.ts'
export * from './x3dh.ts'
