import { SUITE_HYBRID, SUITE_X25519 } from '../../src-shared/protocol/index.ts'
import { limits, software } from '../config.ts'
import type { Handler } from '../http/call.ts'

export const capabilities: Handler<'capabilities'> = async ({ config, keys, now }) => {
  const [current, ...retired] = keys.published
  if (current === undefined) throw new Error('no signing key')
  return {
    server_name: config.serverName,
    software,
    versions: ['v0.1'],
    suites: [SUITE_X25519, SUITE_HYBRID],
    transports: ['long_poll', 'websocket'],
    features: ['sync_windows', 'typing'],
    registration: config.registration,
    federation: config.federation.mode,
    limits,
    signing_key: { key_id: current.key_id, ed25519: current.ed25519 },
    retired_keys: retired.map(({ key_id, ed25519 }) => ({ key_id, ed25519 })),
    server_time: now(),
  }
}
