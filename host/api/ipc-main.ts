/** `ipcMain` and each page's own `webContents.ipc`: handlers and listeners by channel. */
import { EventEmitter } from 'node:events'
import { fenceClass } from '../host-error.ts'
import type { MessagePortMain } from './message-port.ts'

/** What handlers learn of the frame that called. Addresses carry the app's own scheme. */
export interface SenderFrame {
  readonly url: string
  readonly origin: string
  readonly name: string
  readonly parent: null
  readonly routingId: number
  readonly processId: number
  isDestroyed(): boolean
}

export interface IpcEvent {
  readonly type: 'frame'
  readonly sender: unknown
  readonly senderFrame: SenderFrame
  readonly frameId: number
  readonly processId: number
  readonly ports: MessagePortMain[]
  reply(channel: string, ...args: unknown[]): void
}

export type IpcHandler = (event: IpcEvent, ...args: unknown[]) => unknown

export class IpcMain extends EventEmitter {
  readonly #handlers = new Map<string, IpcHandler>()

  handle(channel: string, handler: IpcHandler): void {
    if (this.#handlers.has(channel)) {
      throw new Error(`Attempted to register a second handler for '${channel}'`)
    }
    if (typeof handler !== 'function') throw new TypeError('Expected handler to be a function')
    this.#handlers.set(channel, handler)
  }

  handleOnce(channel: string, handler: IpcHandler): void {
    this.handle(channel, (event, ...args) => {
      this.removeHandler(channel)
      return handler(event, ...args)
    })
  }

  removeHandler(channel: string): void {
    this.#handlers.delete(channel)
  }

  handlerOf(channel: string): IpcHandler | undefined {
    return this.#handlers.get(channel)
  }
}

fenceClass('ipcMain', IpcMain.prototype)

export const ipcMain = new IpcMain()
