/** Prekeys (Handshake §3): public bundles and the device's private state. */
export * from './bundle.ts'
export * from './device.ts'
export * from './prekey-state.ts'
