/** Brings what a page sends to the handlers and listeners of its contents and of `ipcMain`. */
import type { EventEmitter } from 'node:events'
import { origins } from '../environment.ts'
import type { PageDocument } from '../page-link.ts'
import { type IpcEvent, type IpcMain, ipcMain, type SenderFrame } from './ipc-main.ts'
import type { MessagePortMain } from './message-port.ts'
import { originOf } from './session.ts'

/** What of a page's contents the dispatch needs. */
export interface IpcPage extends EventEmitter {
  readonly id: number
  readonly ipc: IpcMain
  send(channel: string, ...args: unknown[]): void
  isDestroyed(): boolean
}

/** The main frame of a page, at an address with the app's own scheme. */
export function frameOf(page: IpcPage, url: string): SenderFrame {
  return {
    url,
    origin: originOf(url),
    name: '',
    parent: null,
    routingId: page.id,
    processId: page.id,
    isDestroyed: () => page.isDestroyed(),
  }
}

function eventOf(page: IpcPage, document: PageDocument, ports: MessagePortMain[]): IpcEvent {
  return {
    type: 'frame',
    sender: page,
    senderFrame: frameOf(page, origins.fromChromium(document.url)),
    frameId: page.id,
    processId: page.id,
    ports,
    reply: (channel, ...args) => page.send(channel, ...args),
  }
}

/** Calls the handler of a channel. Rejects where there is none, or with what it throws. */
export async function dispatchInvoke(
  page: IpcPage,
  document: PageDocument,
  channel: string,
  args: unknown[],
): Promise<unknown> {
  const handler = page.ipc.handlerOf(channel) ?? ipcMain.handlerOf(channel)
  if (handler === undefined) throw new Error(`No handler registered for '${channel}'`)
  return handler(eventOf(page, document, []), ...args)
}

export function dispatchSend(
  page: IpcPage,
  document: PageDocument,
  channel: string,
  args: unknown[],
  ports: MessagePortMain[],
): void {
  const event = eventOf(page, document, ports)
  page.emit('ipc-message', event, channel, ...args)
  page.ipc.emit(channel, event, ...args)
  ipcMain.emit(channel, event, ...args)
}
