/** The contract between clients and homeservers (and, later, between homeservers). */
export * from './client-server.ts'
export * from './errors.ts'
export * from './endpoint.ts'
export * from './login-proof.ts'
export * from './json-schemas.ts'
