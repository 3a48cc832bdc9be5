/** Shadow Rooms (§12): sealed metadata and the certificates behind pseudonyms. Draft. */
export * from './certificate.ts'
export * from './metadata.ts'
