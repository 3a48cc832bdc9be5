/** The operating system's keychain as the key ring sees it, and its adapter over Electron's safeStorage. */
import type { SafeStorage } from 'electron'

export type KeychainState =
  | 'available'
  /** There is none that deserves the name. */
  | 'none'
  /** There is one, but it can't be used now: locked, denied, or its service is not running. */
  | 'unreadable'

export interface Keychain {
  state(): Promise<KeychainState>
  /** Rejects where the keychain can't be used. */
  wrap(secret: string): Promise<Uint8Array>
  /** Rejects where the keychain can't be used or has another key now. */
  unwrap(wrapped: Uint8Array): Promise<string>
}

export function createKeychain(safeStorage: SafeStorage, platform: NodeJS.Platform): Keychain {
  return {
    async state() {
      if (platform === 'linux') {
        const backend = safeStorage.getSelectedStorageBackend()
        // `basic_text` obfuscates with a password from Chromium's source: anyone can read it.
        if (backend === 'basic_text' || backend === 'unknown') return 'none'
      }
      return (await safeStorage.isAsyncEncryptionAvailable()) ? 'available' : 'unreadable'
    },
    wrap: async (secret) => new Uint8Array(await safeStorage.encryptStringAsync(secret)),
    unwrap: async (wrapped) => {
      const { result } = await safeStorage.decryptStringAsync(Buffer.from(wrapped))
      return result
    },
  }
}
