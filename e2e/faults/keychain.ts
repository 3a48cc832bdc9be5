/**
 * Loaded with `--import` into an app on the development host, which has no keychain: gives it one that a
 * test opens, locks and changes. What it is at the moment stands in the file ECCP_KEYCHAIN_FILE: `open`,
 * `locked`, or `changed`, which is another keychain than the one that wrapped. It protects nothing.
 */
import { readFileSync } from 'node:fs'
import { safeStorage } from '../../host/api/stand-ins.ts'

const file = process.env['ECCP_KEYCHAIN_FILE'] ?? ''
const now = (): string => readFileSync(file, 'utf8')

Object.assign(safeStorage, {
  getSelectedStorageBackend: () => 'gnome_libsecret',
  isAsyncEncryptionAvailable: () => Promise.resolve(now() !== 'locked'),
  encryptStringAsync: (text: string) => Promise.resolve(Buffer.from(`${now()}:${text}`)),
  decryptStringAsync: (sealed: Buffer) => {
    const [under, text] = sealed.toString().split(':')
    return under === now()
      ? Promise.resolve({ result: text, shouldReEncrypt: false })
      : Promise.reject(new Error('the keychain has another key'))
  },
})
