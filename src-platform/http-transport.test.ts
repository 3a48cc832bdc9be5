import { createServer } from 'node:http'
import type { RequestListener, Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { TransportError } from '../src-shared/client/index.ts'
import type { Cancel, HttpRequest, Transport } from '../src-shared/client/index.ts'
import { createHttpTransport } from './http-transport.ts'

let server: Server
let handler: RequestListener
let transport: Transport
beforeEach(async () => {
  server = createServer((request, response) => handler(request, response))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as AddressInfo
  transport = createHttpTransport({ baseUrl: () => `http://127.0.0.1:${port}` })
})
afterEach(() => {
  server.closeAllConnections()
  server.close()
})

const request = (changes: Partial<HttpRequest> = {}): HttpRequest => ({
  method: 'GET',
  path: '/path?x=1',
  token: null,
  body: null,
  timeoutMs: 5_000,
  maxBytes: 1_000,
  ...changes,
})

async function codeOf(work: Promise<unknown>): Promise<string | null> {
  try {
    await work
    return null
  } catch (error) {
    if (error instanceof TransportError) return error.code
    throw error
  }
}

function cancellation(): { cancel: Cancel; fire: () => void } {
  let cancelled = false
  const listeners = new Set<() => void>()
  return {
    cancel: {
      get cancelled() {
        return cancelled
      },
      onCancel(listener) {
        listeners.add(listener)
        return () => listeners.delete(listener)
      },
    },
    fire() {
      cancelled = true
      for (const listener of listeners) listener()
    },
  }
}

describe('the HTTP transport', () => {
  it('carries method, path, token and body, and brings back status and bytes', async () => {
    handler = (incoming, response) => {
      const chunks: Buffer[] = []
      incoming.on('data', (chunk: Buffer) => chunks.push(chunk))
      incoming.on('end', () => {
        const seen = [incoming.method, incoming.url, incoming.headers.authorization]
        response.statusCode = 409
        response.end(JSON.stringify([...seen, Buffer.concat(chunks).toString()]))
      })
    }
    const body = new TextEncoder().encode('{"a":1}')
    const answer = await transport.request(request({ method: 'PUT', token: 'secret', body }))
    expect(answer.status).toBe(409)
    expect(JSON.parse(new TextDecoder().decode(answer.body))).toEqual([
      'PUT',
      '/path?x=1',
      'Bearer secret',
      '{"a":1}',
    ])
  })

  it('never follows a redirect with the token', async () => {
    let calls = 0
    handler = (_incoming, response) => {
      calls++
      response.writeHead(307, { location: '/elsewhere' }).end()
    }
    expect((await transport.request(request({ token: 'secret' }))).status).toBe(307)
    expect(calls).toBe(1)
  })

  it('gives up after the timeout, also in the middle of an answer', async () => {
    handler = (_incoming, response) => void response.write('x')
    expect(await codeOf(transport.request(request({ timeoutMs: 80 })))).toBe('timeout')
    handler = () => {}
    expect(await codeOf(transport.request(request({ timeoutMs: 80 })))).toBe('timeout')
  })

  it('refuses an answer that is too large, announced or not', async () => {
    handler = (_incoming, response) => response.end('x'.repeat(1_001))
    expect(await codeOf(transport.request(request()))).toBe('too_large')
    handler = (_incoming, response) => {
      response.write('x'.repeat(900))
      setTimeout(() => response.end('x'.repeat(900)), 10)
    }
    expect(await codeOf(transport.request(request()))).toBe('too_large')
    handler = (_incoming, response) => response.end('x'.repeat(1_000))
    expect(await codeOf(transport.request(request()))).toBe(null)
  })

  it('can be cancelled before and while it runs', async () => {
    handler = () => {}
    const running = cancellation()
    const result = codeOf(transport.request(request(), running.cancel))
    setTimeout(running.fire, 30)
    expect(await result).toBe('cancelled')
    const before = cancellation()
    before.fire()
    expect(await codeOf(transport.request(request(), before.cancel))).toBe('cancelled')
  })

  it('says unreachable where nobody listens, or the connection breaks', async () => {
    const nowhere = createHttpTransport({ baseUrl: () => 'http://127.0.0.1:1' })
    expect(await codeOf(nowhere.request(request()))).toBe('unreachable')
    handler = (_incoming, response) => response.destroy()
    expect(await codeOf(transport.request(request()))).toBe('unreachable')
  })

  it('tells a certificate that is not trusted from everything else', async () => {
    for (const code of [
      'DEPTH_ZERO_SELF_SIGNED_CERT',
      'CERT_HAS_EXPIRED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ]) {
      const failing = createHttpTransport({
        baseUrl: () => 'https://example.org',
        fetch: () =>
          Promise.reject(
            new TypeError('fetch failed', { cause: Object.assign(new Error('tls'), { code }) }),
          ),
      })
      expect(await codeOf(failing.request(request()))).toBe('certificate')
    }
  })
})
