/**
 * The vault's hidden window: Dexie on Chromium's IndexedDB, in a session partition of its own per
 * account, sandboxed, without network, reached over a message port alone. A window that dies is opened
 * again by the next request.
 */
import { BrowserWindow, MessageChannelMain, session } from 'electron'
import type { VaultPlaces } from '../accounts/accounts.ts'
import type { Log } from '../../src-shared/client/index.ts'
import { vaultPortChannel } from '../vault/port-messages.ts'
import { createRecordLink } from '../vault/record-link.ts'
import type { RecordPort } from '../vault/record-link.ts'
import { confineSession, vaultOrigin, vaultUrl } from './app-scheme.ts'

export interface VaultWindowOptions {
  /** Where the built pages are. */
  readonly folder: string
  readonly preload: string
  readonly log: Log
}

const LOAD_TIMEOUT_MS = 30_000
const partitionOf = (slot: string): string => `persist:vault-${slot}`

function within<T>(work: Promise<T>, ms: number): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the vault window did not load')), ms)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

async function openPort(slot: string, options: VaultWindowOptions): Promise<RecordPort> {
  const vaultSession = session.fromPartition(partitionOf(slot))
  if (!vaultSession.protocol.isProtocolHandled('app')) {
    confineSession(vaultSession, {
      folder: options.folder,
      origin: vaultOrigin,
      // Without it Chromium may evict the vault when the disk runs full.
      permissions: ['persistent-storage'],
    })
  }
  const window = new BrowserWindow({
    show: false,
    webPreferences: {
      preload: options.preload,
      session: vaultSession,
      sandbox: true,
      contextIsolation: true,
      nodeIntegration: false,
      backgroundThrottling: false,
      spellcheck: false,
    },
  })
  let lost = (): void => {}
  let isLost = false
  const lose = (): void => {
    isLost = true
    lost()
  }
  window.webContents.on('render-process-gone', lose)
  window.on('closed', lose)
  const destroy = (): void => {
    if (!window.isDestroyed()) window.destroy()
  }
  try {
    await within(window.loadURL(vaultUrl), LOAD_TIMEOUT_MS)
  } catch (error) {
    destroy()
    throw error
  }
  const { port1, port2 } = new MessageChannelMain()
  port1.on('close', lose)
  window.webContents.postMessage(vaultPortChannel, null, [port2])
  return {
    post: (message) => port1.postMessage(message),
    onMessage(listener) {
      port1.on('message', (event) => listener(event.data))
      port1.start()
    },
    onLost(listener) {
      lost = listener
      if (isLost) listener()
    },
    close() {
      port1.close()
      destroy()
    },
  }
}

export function createVaultPlaces(options: VaultWindowOptions): VaultPlaces {
  return {
    open: (slot) =>
      createRecordLink({
        open: () => openPort(slot, options),
        onLost: () => options.log('vault.lost'),
      }),
    forget: (slot) => session.fromPartition(partitionOf(slot)).clearStorageData(),
  }
}
