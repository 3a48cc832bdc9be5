/**
 * The Transport port over HTTP(S), bound to one homeserver. Owns timeouts, the size limit of answers and
 * the mapping of network failures to the port's closed set; knows nothing of the API.
 */
import { TransportError } from '../src-shared/client/index.ts'
import type { Cancel, HttpRequest, HttpResponse, Transport } from '../src-shared/client/index.ts'
import type { TransportErrorCode } from '../src-shared/client/index.ts'
import { openLink } from './web-socket-link.ts'

export interface HttpTransportOptions {
  /** Origin, asked anew for every request: a personal node may come back on another port. */
  readonly baseUrl: () => string | Promise<string>
  /** Tests only; the platform's own otherwise. */
  readonly fetch?: typeof globalThis.fetch
}

const CERTIFICATE_CODE =
  /^(CERT_|ERR_TLS_CERT|ERR_SSL|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO_(GET|VERIFY|DECRYPT|DECODE)|HOSTNAME_MISMATCH|ERROR_IN_CERT|CRL_|INVALID_CA|INVALID_PURPOSE|PATH_LENGTH|AKID_)/

/** `fetch` hides what went wrong in a chain of causes. */
function errorCodes(error: unknown, depth = 0): string[] {
  if (typeof error !== 'object' || error === null || depth > 4) return []
  const codes: string[] = []
  if ('code' in error && typeof error.code === 'string') codes.push(error.code)
  if ('errors' in error && Array.isArray(error.errors)) {
    for (const inner of error.errors) codes.push(...errorCodes(inner, depth + 1))
  }
  if ('cause' in error) codes.push(...errorCodes(error.cause, depth + 1))
  return codes
}

function classify(error: unknown): TransportErrorCode {
  const codes = errorCodes(error)
  if (codes.some((code) => CERTIFICATE_CODE.test(code))) return 'certificate'
  if (codes.some((code) => /TIMEOUT|ETIMEDOUT/.test(code))) return 'timeout'
  return 'unreachable'
}

async function readLimited(response: Response, maxBytes: number): Promise<Uint8Array> {
  const announced = Number(response.headers.get('content-length') ?? 0)
  if (announced > maxBytes) throw new TransportError('too_large')
  const chunks: Uint8Array[] = []
  let size = 0
  for await (const chunk of response.body ?? []) {
    size += chunk.length
    if (size > maxBytes) throw new TransportError('too_large')
    chunks.push(chunk)
  }
  const out = new Uint8Array(size)
  let offset = 0
  for (const chunk of chunks) {
    out.set(chunk, offset)
    offset += chunk.length
  }
  return out
}

export function createHttpTransport(options: HttpTransportOptions): Transport {
  const fetch = options.fetch ?? globalThis.fetch

  return {
    async link(request, listener, cancel) {
      const base = await options.baseUrl()
      return openLink(base, request, listener, classify, cancel)
    },
    async request(request: HttpRequest, cancel?: Cancel): Promise<HttpResponse> {
      if (cancel?.cancelled === true) throw new TransportError('cancelled')
      const abort = new AbortController()
      let ended: TransportErrorCode | null = null
      const end = (code: TransportErrorCode): void => {
        ended ??= code
        abort.abort()
      }
      const timer = setTimeout(() => end('timeout'), request.timeoutMs)
      const release = cancel?.onCancel(() => end('cancelled'))
      try {
        const base = await options.baseUrl()
        const response = await fetch(new URL(request.path, base), {
          method: request.method,
          headers: {
            accept: 'application/json',
            ...(request.body === null ? {} : { 'content-type': 'application/json' }),
            ...(request.token === null ? {} : { authorization: `Bearer ${request.token}` }),
          },
          body: request.body === null ? null : new Uint8Array(request.body),
          // A token must never follow a redirect to another host.
          redirect: 'manual',
          signal: abort.signal,
        })
        const body = await readLimited(response, request.maxBytes)
        return { status: response.status, body }
      } catch (error) {
        if (error instanceof TransportError) throw error
        throw new TransportError(ended ?? classify(error))
      } finally {
        clearTimeout(timer)
        release?.()
        // Frees the socket of an answer that was not read to its end.
        if (!abort.signal.aborted) abort.abort()
      }
    },
  }
}
