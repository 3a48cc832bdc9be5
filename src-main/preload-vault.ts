/** Preload of the vault's hidden window: passes the message port from main to the page, and that is all. */
import { ipcRenderer } from 'electron'
import { vaultPortChannel } from './vault/port-messages.ts'

// The page may not listen yet when the port arrives.
const loaded = new Promise<void>((resolve) => {
  window.addEventListener('load', () => resolve(), { once: true })
})

ipcRenderer.on(vaultPortChannel, (event) => {
  const ports = event.ports
  void loaded.then(() => window.postMessage(vaultPortChannel, window.location.origin, [...ports]))
})
