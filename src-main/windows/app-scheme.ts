/**
 * The `app:` scheme: serves the built pages and nothing else, with a policy that forbids everything a
 * page does not need. `app://privchat/` is the user interface, `app://vault/` the vault's hidden page.
 */
import { readFile } from 'node:fs/promises'
import { extname, join, normalize, sep } from 'node:path'
import type { CustomScheme, Session } from 'electron'

export const appOrigin = 'app://privchat'
export const appUrl = `${appOrigin}/index.html`
export const vaultOrigin = 'app://vault'
export const vaultUrl = `${vaultOrigin}/index.html`

export const appScheme: CustomScheme = {
  scheme: 'app',
  privileges: { standard: true, secure: true },
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.json': 'application/json',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.ico': 'image/x-icon',
  '.woff2': 'font/woff2',
  '.woff': 'font/woff',
  '.mp3': 'audio/mpeg',
  '.ogg': 'audio/ogg',
  '.wav': 'audio/wav',
}

interface Page {
  /** Of the start page, below the folder of built pages. */
  readonly index: string
  readonly policy: string
}

const PAGES: Readonly<Record<string, Page>> = {
  [appOrigin]: {
    index: 'src-renderer/index.html',
    policy: [
      "default-src 'none'",
      "script-src 'self'",
      "style-src 'self'",
      "img-src 'self' data: blob:",
      "font-src 'self' data:",
      "media-src 'self'",
      "connect-src 'none'",
      "form-action 'none'",
      "base-uri 'none'",
      "frame-ancestors 'none'",
      "require-trusted-types-for 'script'",
    ].join('; '),
  },
  [vaultOrigin]: {
    index: 'src-main/vault-page/index.html',
    policy: "default-src 'none'; script-src 'self'; base-uri 'none'; frame-ancestors 'none'",
  },
}

const notFound = (): Response => new Response(null, { status: 404 })

/** Answers one request; `folder` holds the built pages. */
export async function serveAppRequest(folder: string, request: Request): Promise<Response> {
  const url = new URL(request.url)
  // `origin` of a custom scheme is "null" outside Chromium.
  const page = PAGES[`${url.protocol}//${url.host}`]
  if (page === undefined || request.method !== 'GET') return notFound()
  let path: string
  try {
    path = decodeURIComponent(url.pathname)
  } catch {
    return notFound()
  }
  const isIndex = path === '/' || path === '/index.html'
  const file = normalize(join(folder, isIndex ? page.index : path))
  const type = TYPES[extname(file)]
  // Other start pages would run under this page's origin and policy.
  if (type === undefined || !file.startsWith(folder + sep) || (!isIndex && /\.html$/.test(file))) {
    return notFound()
  }
  try {
    return new Response(new Uint8Array(await readFile(file)), {
      headers: {
        'content-type': type,
        'content-security-policy': page.policy,
        'x-content-type-options': 'nosniff',
        'referrer-policy': 'no-referrer',
        'cross-origin-opener-policy': 'same-origin',
        'cache-control': 'no-cache',
      },
    })
  } catch {
    return notFound()
  }
}

export interface SessionRules {
  /** Where the built pages are. */
  readonly folder: string
  /** The only origin this session may load. */
  readonly origin: string
  readonly permissions: readonly string[]
}

/** Confines a session: own pages only, no network, no permission but those named. */
export function confineSession(session: Session, rules: SessionRules): void {
  session.protocol.handle('app', (request) => serveAppRequest(rules.folder, request))
  session.webRequest.onBeforeRequest((details, callback) => {
    const { url } = details
    const isOwn = url.startsWith(`${rules.origin}/`) || /^(data|blob|devtools):/.test(url)
    callback({ cancel: !isOwn })
  })
  session.setPermissionRequestHandler((_contents, permission, callback) => {
    callback(rules.permissions.includes(permission))
  })
  session.setPermissionCheckHandler((_contents, permission) =>
    rules.permissions.includes(permission),
  )
  session.setSpellCheckerEnabled(false)
}
