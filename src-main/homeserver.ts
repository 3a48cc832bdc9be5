/**
 * From what a person types to a homeserver: an address or a server name becomes the URL to speak to and
 * the name the node gives itself (Federation §1, `.well-known`). Knows nothing of accounts.
 */
import * as z from 'zod'
import { createHttpTransport } from '../src-platform/http-transport.ts'
import { capabilitiesSchema, clientApi } from '../src-shared/api/index.ts'
import type { Capabilities } from '../src-shared/api/index.ts'
import { TransportError } from '../src-shared/client/index.ts'
import { fromUtf8, parseServerName } from '../src-shared/protocol/index.ts'
import { AppError } from './app-error.ts'

export interface Homeserver {
  /** Origin, without a slash at its end. */
  readonly url: string
  readonly serverName: string
  readonly registration: Capabilities['registration']
  readonly signingKey: string
}

const wellKnownSchema = z.object({ 'm.homeserver': z.object({ base_url: z.string().max(512) }) })
const MAX_ANSWER = 64 * 1024

/** Plain HTTP would show password and token to the network; on this computer there is none. */
function isLoopback(host: string): boolean {
  return (
    host === 'localhost' || host === '[::1]' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host)
  )
}

function originOf(text: string): string | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  const isAllowed =
    url.protocol === 'https:' || (url.protocol === 'http:' && isLoopback(url.hostname))
  return isAllowed && url.username === '' && url.password === '' ? url.origin : null
}

function appErrorOf(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (!(error instanceof TransportError)) return new AppError('internal')
  switch (error.code) {
    case 'unreachable':
      return new AppError('homeserver_unreachable')
    case 'too_large':
      return new AppError('not_a_homeserver')
    case 'timeout':
    case 'certificate':
    case 'cancelled':
      return new AppError(error.code)
  }
}

async function get(origin: string, path: string, timeoutMs: number): Promise<unknown> {
  const transport = createHttpTransport({ baseUrl: () => origin })
  const { status, body } = await transport.request({
    method: 'GET',
    path,
    token: null,
    body: null,
    timeoutMs,
    maxBytes: MAX_ANSWER,
  })
  if (status !== 200) return null
  try {
    return JSON.parse(fromUtf8(body))
  } catch {
    return null
  }
}

/** What the node at `origin` says of itself, or null where what answers is no homeserver. */
export async function capabilitiesOf(
  origin: string,
  timeoutMs: number,
): Promise<Capabilities | null> {
  const parsed = capabilitiesSchema.safeParse(
    await get(origin, clientApi.capabilities.path, timeoutMs),
  )
  return parsed.success ? parsed.data : null
}

/** Where a server name's clients are sent; the name itself where it says nothing. */
async function discover(serverName: string, timeoutMs: number): Promise<string> {
  const direct = `https://${serverName}`
  const answer = await get(direct, '/.well-known/eccp/client', timeoutMs).catch(() => null)
  const parsed = wellKnownSchema.safeParse(answer)
  return (parsed.success ? originOf(parsed.data['m.homeserver'].base_url) : null) ?? direct
}

/** Throws `AppError`: bad_input, homeserver_unreachable, not_a_homeserver, certificate, timeout. */
export async function findHomeserver(input: string, timeoutMs = 10_000): Promise<Homeserver> {
  const text = input.trim()
  const isUrl = /^[a-z][a-z0-9+.-]*:\/\//i.test(text)
  const name = isUrl ? null : parseServerName(text.toLowerCase())
  if (!isUrl && name === null) throw new AppError('bad_input')
  try {
    let origin = isUrl ? originOf(text) : null
    if (name !== null) {
      origin = isLoopback(name.host)
        ? `http://${text}`
        : await discover(text.toLowerCase(), timeoutMs)
    }
    if (origin === null) throw new AppError('bad_input')
    const capabilities = await capabilitiesOf(origin, timeoutMs)
    if (capabilities === null) throw new AppError('not_a_homeserver')
    return {
      url: origin,
      serverName: capabilities.server_name,
      registration: capabilities.registration,
      signingKey: capabilities.signing_key.ed25519,
    }
  } catch (error) {
    throw appErrorOf(error)
  }
}
