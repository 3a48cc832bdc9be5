/**
 * `MessageChannelMain` and `MessagePortMain`, and the link between a port in main and one in a
 * page. A channel is two ends that know each other; moving an end to a page swaps it for a
 * relay and leaves the other end in place.
 */
import { EventEmitter } from 'node:events'

export interface PortMessage {
  data: unknown
  ports: MessagePortMain[]
}

/** One end of a channel. */
export interface PortEnd {
  peer: PortEnd | null
  receive(message: PortMessage): void
  /** The other end was closed or its page is gone. */
  disconnect(): void
}

export function entangle(a: PortEnd, b: PortEnd): void {
  a.peer = b
  b.peer = a
}

export class MessagePortMain extends EventEmitter implements PortEnd {
  peer: PortEnd | null = null
  #queue: PortMessage[] = []
  #started = false
  #gone: 'no' | 'closed' | 'moved' = 'no'

  postMessage(message: unknown, transfer: MessagePortMain[] = []): void {
    if (this.#gone === 'moved') throw new Error('The port was transferred')
    if (transfer.includes(this)) throw new Error('A port cannot be sent over itself')
    const data = structuredClone(message)
    const ports = transfer.map((port) => port.move(new MessagePortMain()))
    this.peer?.receive({ data, ports })
  }

  start(): void {
    if (this.#started) return
    this.#started = true
    for (const message of this.#queue.splice(0)) this.#emitLater(message)
  }

  close(): void {
    if (this.#gone !== 'no') return
    const { peer } = this
    this.disconnect()
    peer?.disconnect()
  }

  receive(message: PortMessage): void {
    if (this.#started) this.#emitLater(message)
    else this.#queue.push(message)
  }

  disconnect(): void {
    if (this.#gone !== 'no') return
    this.#gone = 'closed'
    this.peer = null
    // After the messages that came before it.
    queueMicrotask(() => this.emit('close'))
  }

  /** Hands this end's place in the channel, and what waits in it, to `successor`. */
  move<T extends PortEnd>(successor: T): T {
    if (this.#gone === 'moved') throw new Error('The port was already transferred')
    const closed = this.#gone === 'closed'
    this.#gone = 'moved'
    const { peer } = this
    this.peer = null
    if (peer !== null) entangle(peer, successor)
    for (const message of this.#queue.splice(0)) successor.receive(message)
    if (closed) successor.disconnect()
    return successor
  }

  #emitLater(message: PortMessage): void {
    queueMicrotask(() => this.emit('message', message))
  }
}

export class MessageChannelMain {
  readonly port1 = new MessagePortMain()
  readonly port2 = new MessagePortMain()

  constructor() {
    entangle(this.port1, this.port2)
  }
}
