import { describe, expect, test } from 'vitest'
import { MessageChannelMain, type PortMessage } from './message-port.ts'

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve))

describe('message ports in main', () => {
  test('hold messages back until started and keep their order', async () => {
    const { port1, port2 } = new MessageChannelMain()
    const got: unknown[] = []
    port2.on('message', (message: PortMessage) => got.push(message.data))
    port1.postMessage(1)
    port1.postMessage({ two: new Date(2) })
    await soon()
    expect(got).toEqual([])
    port2.start()
    port1.postMessage(3)
    await soon()
    expect(got).toEqual([1, { two: new Date(2) }, 3])
  })

  test('copy what is sent at the moment of sending', async () => {
    const { port1, port2 } = new MessageChannelMain()
    const value = { n: 1 }
    port1.postMessage(value)
    value.n = 2
    const got = new Promise((resolve) => port2.on('message', (m: PortMessage) => resolve(m.data)))
    port2.start()
    expect(await got).toEqual({ n: 1 })
  })

  test('travel over each other with what waits in them', async () => {
    const outer = new MessageChannelMain()
    const inner = new MessageChannelMain()
    inner.port1.postMessage('early')
    outer.port1.postMessage('take', [inner.port2])
    const arrived = new Promise<PortMessage>((resolve) => outer.port2.on('message', resolve))
    outer.port2.start()
    const [port] = (await arrived).ports
    const got: unknown[] = []
    port?.on('message', (message: PortMessage) => got.push(message.data))
    port?.start()
    inner.port1.postMessage('late')
    await soon()
    expect(got).toEqual(['early', 'late'])
    expect(() => inner.port2.postMessage('x')).toThrow('transferred')
  })

  test('tell the other end when they close, after what was sent before', async () => {
    const { port1, port2 } = new MessageChannelMain()
    const got: unknown[] = []
    port2.on('message', (message: PortMessage) => got.push(message.data))
    port2.on('close', () => got.push('closed'))
    port2.start()
    port1.postMessage('last')
    port1.close()
    port1.postMessage('never')
    await soon()
    expect(got).toEqual(['last', 'closed'])
  })

  test('refuse to be sent over themselves', () => {
    const { port1 } = new MessageChannelMain()
    expect(() => port1.postMessage(1, [port1])).toThrow('itself')
  })
})
