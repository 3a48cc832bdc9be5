/** Identity §2 and Recovery §10: the device manifest, its rules, and the recovery words. */
export * from './build-entry.ts'
export * from './manifest-entry.ts'
export * from './manifest-fork.ts'
export * from './manifest-state.ts'
export * from './manifest-trust.ts'
export * from './recovery-notice.ts'
export * from './recovery-words.ts'
export * from './verify-manifest.ts'
