/** Faults of one app's vault: records damaged behind its back, older folders put back, a full disk. */
import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { RunningApp } from './app.ts'

/** Runs in the vault's hidden window, whose records nobody but main can read. */
function inVault<T>(app: RunningApp, code: string): Promise<T> {
  return app.electron.evaluate(({ BrowserWindow }, script) => {
    const hidden = BrowserWindow.getAllWindows().find((window) =>
      window.webContents.getURL().startsWith('app://vault/'),
    )
    if (hidden === undefined) throw new Error('there is no vault window')
    return hidden.webContents.executeJavaScript(script) as Promise<T>
  }, code)
}

const everyRecord = (body: string): string => `new Promise((resolve, reject) => {
  const opening = indexedDB.open('vault')
  opening.onerror = () => reject(opening.error)
  opening.onsuccess = () => {
    const found = {}
    const change = opening.result.transaction('records', 'readwrite')
    const walk = change.objectStore('records').openCursor()
    walk.onsuccess = () => {
      const cursor = walk.result
      if (cursor === null) return
      const { k, v } = cursor.value
      ${body}
      cursor.continue()
    }
    change.oncomplete = () => { opening.result.close(); resolve(found) }
    change.onabort = () => reject(change.error)
  }
})`

/** How each sealed record begins; another beginning is another sealing. */
export function recordHeads(app: RunningApp): Promise<Readonly<Record<string, string>>> {
  return inVault(app, everyRecord(`found[k] = v.slice(0, 24).join()`))
}

/** Flips one bit in each of these records. */
export async function damageRecords(app: RunningApp, keys: readonly string[]): Promise<number> {
  const damaged = await inVault<Record<string, true>>(
    app,
    everyRecord(`if (${JSON.stringify(keys)}.includes(k)) {
      v[v.length - 1] ^= 1
      cursor.update({ k, v })
      found[k] = true
    }`),
  )
  return Object.keys(damaged).length
}

const browserFolder = (profileFolder: string): string => join(profileFolder, 'browser')

/** While the app is closed. */
export function copyVault(profileFolder: string, to: string): void {
  cpSync(browserFolder(profileFolder), to, { recursive: true })
}

/** While the app is closed: the vault is as it was when it was copied; nothing else is. */
export function putVaultBack(profileFolder: string, from: string): void {
  rmSync(browserFolder(profileFolder), { recursive: true })
  cpSync(from, browserFolder(profileFolder), { recursive: true })
}

/** From now on the vault finds no room for anything, or finds it again. */
export async function fillDisk(app: RunningApp, full: boolean): Promise<void> {
  await app.electron.evaluate(({ MessageChannelMain }, isFull) => {
    type Port = InstanceType<typeof MessageChannelMain>['port1']
    const kept = globalThis as typeof globalThis & { diskIsFull?: boolean }
    const isPatched = kept.diskIsFull !== undefined
    kept.diskIsFull = isFull
    if (isPatched) return
    const prototype = Object.getPrototypeOf(new MessageChannelMain().port1) as Port
    const post = prototype.postMessage
    prototype.postMessage = function (this: Port, message: unknown, transfer) {
      const request = message as { op?: string; n?: number } | null
      if (kept.diskIsFull !== true || request?.op !== 'apply') {
        post.call(this, message, transfer)
        return
      }
      const data = { n: request.n, ok: false, failure: 'full' }
      setTimeout(() => this.emit('message', { data, ports: [] }), 0)
    }
  }, full)
}
