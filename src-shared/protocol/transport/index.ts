/** Transport (Rosters, wraps, chains §6): wraps beside an event, and messages between devices. */
export * from './pairwise.ts'
export * from './to-device.ts'
