/** The hidden window's page: waits for the port that preload hands over, then serves records. */
import { vaultPortChannel, vaultReady } from '../vault/port-messages.ts'
import type { VaultRequest } from '../vault/port-messages.ts'
import { openRecords } from './records.ts'
import { serveRecords } from './serve.ts'

window.addEventListener('message', (event: MessageEvent<unknown>) => {
  const [port] = event.ports
  if (event.source !== window || event.data !== vaultPortChannel || port === undefined) return
  const take = serveRecords(openRecords('vault'), (reply) => port.postMessage(reply))
  port.addEventListener('message', (message: MessageEvent<VaultRequest>) => take(message.data))
  port.start()
  port.postMessage(vaultReady)
})

// Chromium may evict the data of origins that did not ask to keep it when the disk runs full.
void navigator.storage.persist().catch(() => false)
