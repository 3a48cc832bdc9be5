/** Encoding §1: strict JSON and its canonical form, byte texts, ids, labels. */
export * from './bytes.ts'
export * from './encoding-error.ts'
export * from './ids.ts'
export * from './json.ts'
export * from './labelled.ts'
export * from './labels.ts'
export * from './parse-json.ts'
