/** The archive of content keys (Recovery §10): epochs, segments, lanes. Draft. */
export * from './archive-epoch.ts'
export * from './archive-lane.ts'
export * from './archive-segment.ts'
export { hpkeOpen, hpkeSeal } from './hpke.ts'
export type { HpkeMessage } from './hpke.ts'
