/** The contracts: between clients and homeservers, and between homeservers. */
export * from './client-server.ts'
export * from './errors.ts'
export * from './endpoint.ts'
export * from './login-proof.ts'
export * from './json-schemas.ts'
export * from './server-keys.ts'
export * from './server-request.ts'
export * from './server-server.ts'
