import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findHomeserver } from './homeserver.ts'
import { externalUrl } from './links.ts'
import { notificationOf } from './notification-text.ts'
import { linkOf, pathsOf } from './paths.ts'
import { SettingsFile } from './settings-file.ts'
import { serveAppRequest } from './windows/app-scheme.ts'
import { isReachable } from './windows/window-state.ts'

let folder: string
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'privchat-parts-'))
})
afterEach(() => rmSync(folder, { recursive: true, force: true }))

describe('paths', () => {
  const at = (argv: string[], env: Record<string, string> = {}) =>
    pathsOf({ argv, env, platform: 'linux', userHome: '/home/ada' })

  it('give each profile its own folder and all of them one node', () => {
    const first = at([])
    const second = at(['--profile', 'second'])
    expect(first.profileFolder).toBe('/home/ada/.local/share/PrivChat/profiles/default')
    expect(second.profileFolder).toBe('/home/ada/.local/share/PrivChat/profiles/second')
    expect(second.nodeFolder).toBe(first.nodeFolder)
  })

  it('follow ECCP_HOME, XDG_DATA_HOME and --user-data-dir', () => {
    expect(at([], { ECCP_HOME: '/tmp/x' }).nodeFolder).toBe('/tmp/x/node')
    expect(at([], { XDG_DATA_HOME: '/data' }).nodeFolder).toBe('/data/PrivChat/node')
    expect(at(['--user-data-dir=/tmp/y', '--profile=p']).profileFolder).toBe('/tmp/y')
  })

  it('never use a profile name as a path', () => {
    for (const name of ['../../etc', 'a/b', '.', '', 'A', 'x'.repeat(40)]) {
      expect(at([`--profile=${name}`]).profile).toBe('default')
    }
  })

  it('find the link that a start was given', () => {
    expect(linkOf(['electron', 'app', 'eccp:invite/x'])).toBe('eccp:invite/x')
    expect(linkOf(['electron', 'app', '--x=eccp:y'])).toBe(null)
  })
})

describe('external links', () => {
  it('open for web pages and letters', () => {
    expect(externalUrl('https://example.org/a?b#c')).toBe('https://example.org/a?b#c')
    expect(externalUrl('HTTP://example.org')).toBe('http://example.org/')
    expect(externalUrl('mailto:ada@example.org')).toBe('mailto:ada@example.org')
  })

  it('are refused for everything that could start something else', () => {
    for (const text of [
      'file:///etc/passwd',
      'javascript:alert(1)',
      'data:text/html,x',
      'smb://host/share',
      'ms-msdt:/id',
      'app://privchat/',
      'eccp:x',
      ' ',
      'not a link',
      'https://user:pass@example.org/',
    ]) {
      expect(externalUrl(text)).toBe(null)
    }
  })
})

describe('settings', () => {
  it('are kept, and unknown or broken ones fall back one by one', async () => {
    const path = join(folder, 'settings.json')
    const settings = new SettingsFile(path)
    expect(settings.current.theme).toBe('system')
    await settings.change({ theme: 'dark', notifications: undefined })
    expect(new SettingsFile(path).current.theme).toBe('dark')
    const stored = JSON.parse(readFileSync(path, 'utf8'))
    writeFileSync(path, JSON.stringify({ ...stored, notifications: 'loud', other: 1 }))
    expect(new SettingsFile(path).current).toEqual({
      theme: 'dark',
      notifications: 'full',
      sendReadReceipts: true,
      sendTyping: true,
      confirmLinks: true,
    })
    writeFileSync(path, 'not json')
    expect(new SettingsFile(path).current.theme).toBe('system')
  })
})

describe('the app scheme', () => {
  const get = (url: string, method = 'GET') =>
    serveAppRequest(join(folder, 'pages'), new Request(url, { method }))

  beforeEach(() => {
    mkdirSync(join(folder, 'pages/src-renderer'), { recursive: true })
    mkdirSync(join(folder, 'pages/src-main/vault-page'), { recursive: true })
    mkdirSync(join(folder, 'pages/assets'), { recursive: true })
    writeFileSync(join(folder, 'pages/src-renderer/index.html'), 'the app')
    writeFileSync(join(folder, 'pages/src-main/vault-page/index.html'), 'the vault')
    writeFileSync(join(folder, 'pages/assets/a.js'), 'code')
    writeFileSync(join(folder, 'secret.js'), 'secret')
    writeFileSync(join(folder, 'pages/assets/key.pem'), 'secret')
  })

  it('serves each page under its own host with a policy that allows no connection', async () => {
    const app = await get('app://privchat/index.html')
    expect(await app.text()).toBe('the app')
    expect(app.headers.get('content-security-policy')).toContain("connect-src 'none'")
    expect(app.headers.get('content-security-policy')).toContain("script-src 'self'")
    expect(app.headers.get('x-content-type-options')).toBe('nosniff')
    const vault = await get('app://vault/')
    expect(await vault.text()).toBe('the vault')
    expect(vault.headers.get('content-security-policy')).toContain("default-src 'none'")
    expect(await (await get('app://privchat/assets/a.js')).text()).toBe('code')
  })

  it('serves nothing outside its folder, no other host, no other page, no other type', async () => {
    for (const url of [
      'app://privchat/../secret.js',
      'app://privchat/..%2fsecret.js',
      'app://privchat/assets/..%2f..%2fsecret.js',
      'app://privchat/%2e%2e/secret.js',
      'app://privchat/src-main/vault-page/index.html',
      'app://privchat/assets/key.pem',
      'app://privchat/assets/none.js',
      'app://privchat/%E0%A4%A',
      'app://other/index.html',
    ]) {
      expect((await get(url)).status).toBe(404)
    }
    expect((await get('app://privchat/index.html', 'POST')).status).toBe(404)
  })
})

describe('notifications', () => {
  const message = { roomName: 'Climbing', sender: 'Ada', text: 'the text' }

  it('show as much as the user wants', () => {
    expect(notificationOf(message, 'full')).toEqual({ title: 'Ada · Climbing', body: 'the text' })
    expect(notificationOf({ ...message, roomName: 'Ada' }, 'full')?.title).toBe('Ada')
    expect(JSON.stringify(notificationOf(message, 'name_only'))).not.toContain('the text')
    expect(notificationOf(message, 'none')).toBe(null)
  })

  it('are cut at a whole character', () => {
    const long = notificationOf({ ...message, text: '😀'.repeat(500) }, 'full')
    expect(long?.body.isWellFormed()).toBe(true)
    expect([...(long?.body ?? '')].length).toBe(240)
  })
})

it('a remembered window counts only where it can still be reached', () => {
  const screen = { x: 0, y: 0, width: 1920, height: 1080 }
  expect(isReachable({ x: 100, y: 100, width: 800, height: 600 }, [screen])).toBe(true)
  expect(isReachable({ x: 2500, y: 100, width: 800, height: 600 }, [screen])).toBe(false)
  expect(isReachable({ x: 100, y: -300, width: 800, height: 600 }, [screen])).toBe(false)
})

describe('finding a homeserver', () => {
  async function serving(body: string, work: (url: string) => Promise<void>): Promise<void> {
    const server = createServer((_request, response) => response.end(body))
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    try {
      await work(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
    } finally {
      server.close()
    }
  }

  it('refuses what is no address, and plain HTTP beyond this computer', async () => {
    for (const input of [
      '',
      'not a server',
      'http://example.org',
      'ftp://127.0.0.1',
      'file:///x',
    ]) {
      await expect(findHomeserver(input)).rejects.toMatchObject({ code: 'bad_input' })
    }
  })

  it('says when something else answers there', async () => {
    await serving('<html>a router</html>', async (url) => {
      await expect(findHomeserver(url)).rejects.toMatchObject({ code: 'not_a_homeserver' })
    })
  })

  it('says when nobody answers there', async () => {
    await expect(findHomeserver('http://127.0.0.1:1')).rejects.toMatchObject({
      code: 'homeserver_unreachable',
    })
  })
})
