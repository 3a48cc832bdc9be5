/**
 * Answers every request Chromium makes: the app's own schemes from their handlers, page
 * navigation by the app's consent, the rest as the session's filter says. A request that
 * belongs to no page of the app fails.
 */
import { type PausedRequest } from './browser.ts'
import type { CdpSession } from './cdp.ts'
import { browserEvents, origins } from './environment.ts'
import { type RequestDetails, type Session, sessionOfLabel } from './api/session.ts'
import { WebContents } from './api/web-contents.ts'

let lastId = 0

const RESOURCE_TYPES: Record<string, string> = {
  Stylesheet: 'stylesheet',
  Script: 'script',
  Image: 'image',
  Font: 'font',
  XHR: 'xhr',
  Fetch: 'xhr',
  Ping: 'ping',
  Media: 'media',
  WebSocket: 'webSocket',
}

function ownerOf(frameId: string): WebContents | undefined {
  return WebContents.getAllWebContents().find((contents) => contents.ownsFrame(frameId))
}

function header(headers: Record<string, string>, name: string): string | undefined {
  return Object.entries(headers).find(([key]) => key.toLowerCase() === name)?.[1]
}

function toRequest({ request }: PausedRequest): Request {
  const headers = new Headers()
  for (const [name, value] of Object.entries(request.headers)) {
    const original = /^(origin|referer)$/i.test(name) ? origins.fromChromium(value) : value
    headers.set(name, original)
  }
  const parts = (request.postDataEntries ?? []).map((entry) =>
    Buffer.from(entry.bytes ?? '', 'base64'),
  )
  const body = parts.length > 0 ? Buffer.concat(parts) : request.postData
  const init: RequestInit = { method: request.method, headers }
  if (body !== undefined && request.method !== 'GET' && request.method !== 'HEAD') init.body = body
  return new Request(origins.fromChromium(request.url), init)
}

async function fulfil(
  paused: PausedRequest,
  browser: CdpSession,
  response: Response,
  label: string,
): Promise<void> {
  const responseHeaders: { name: string; value: string }[] = []
  for (const [name, value] of response.headers) {
    const policy = /^content-security-policy(-report-only)?$/i.test(name)
    if (policy) responseHeaders.push({ name, value: origins.policy(value, label) })
    else if (name === 'location') {
      responseHeaders.push({ name, value: origins.toChromium(value, label) })
    } else if (!/^(content-encoding|content-length|transfer-encoding)$/i.test(name)) {
      responseHeaders.push({ name, value })
    }
  }
  const body = Buffer.from(await response.arrayBuffer())
  browser.post('Fetch.fulfillRequest', {
    requestId: paused.requestId,
    responseCode: response.status,
    responseHeaders,
    body: body.toString('base64'),
  })
}

async function answer(paused: PausedRequest, browser: CdpSession): Promise<void> {
  const { requestId, request, resourceType, frameId } = paused
  const fail = (errorReason: string): void =>
    browser.post('Fetch.failRequest', { requestId, errorReason })
  const owner = ownerOf(frameId)
  if (owner === undefined) return fail('BlockedByClient')
  // `Aborted` leaves the present document in place, any other reason shows an error page.
  if (resourceType === 'Document' && !owner.allowsNavigation(frameId, request.url)) {
    return fail('Aborted')
  }
  const { session } = owner
  const verdict = await session.webRequest.ask(details(paused, owner))
  if (verdict.cancel === true) return fail('BlockedByClient')
  if (verdict.redirectURL !== undefined) {
    const location = origins.toChromium(verdict.redirectURL, session.label)
    browser.post('Fetch.fulfillRequest', {
      requestId,
      responseCode: 307,
      responseHeaders: [{ name: 'Location', value: location }],
    })
    return
  }
  const mapped = origins.mapped(request.url)
  if (mapped === null) return browser.post('Fetch.continueRequest', { requestId })
  // A session is served by its own handlers only.
  const target: Session | undefined = sessionOfLabel(mapped.label)
  const handler = target === session ? session.protocol.handlerOf(mapped.scheme) : undefined
  if (handler === undefined) return fail('NameNotResolved')
  const response = await handler(toRequest(paused))
  await fulfil(paused, browser, response, session.label)
}

function details(paused: PausedRequest, owner: WebContents): RequestDetails {
  const isMain = owner.isMainFrame(paused.frameId)
  const { url, method, headers } = paused.request
  return {
    id: ++lastId,
    url: origins.fromChromium(url),
    method,
    resourceType:
      paused.resourceType === 'Document'
        ? isMain
          ? 'mainFrame'
          : 'subFrame'
        : (RESOURCE_TYPES[paused.resourceType] ?? 'other'),
    referrer: origins.fromChromium(header(headers, 'referer') ?? ''),
    timestamp: Date.now(),
    webContentsId: owner.id,
    webContents: owner,
  }
}

browserEvents.onRequest = (paused, browser) => {
  answer(paused, browser).catch((error: unknown) => {
    process.stderr.write(`Request handler failed: ${String(error)}\n`)
    browser.post('Fetch.failRequest', { requestId: paused.requestId, errorReason: 'Failed' })
  })
}
