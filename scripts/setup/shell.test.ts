import { spawn } from 'node:child_process'
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { root } from './paths.ts'

let folder: string
let mirror: Server
let asked: string[]
/** Bytes every 50 ms, of 1,000,000 announced. */
let pace: number

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'privchat-shell-'))
  for (const file of ['package.json', 'checksums.json'])
    copyFileSync(join(root, 'node_modules', 'electron', file), join(folder, file))
  asked = []
  mirror = createServer((request, response) => {
    asked.push(request.url ?? '')
    response.writeHead(200, { 'content-length': 1_000_000 })
    let left = 1_000_000
    const timer = setInterval(() => {
      const size = Math.min(pace, left)
      left -= size
      response.write(Buffer.alloc(size))
      if (left === 0) response.end()
      if (left === 0) clearInterval(timer)
    }, 50)
    response.on('close', () => {
      clearInterval(timer)
    })
  })
  await new Promise<void>((resolve) => mirror.listen(0, '127.0.0.1', resolve))
})
afterEach(() => {
  mirror.closeAllConnections()
  mirror.close()
  rmSync(folder, { recursive: true, force: true })
})

/** Chooses a shell in a process of its own; `interrupt` presses Ctrl+C when that text has appeared. */
function choose(options: {
  retry?: boolean
  mirror?: string
  interrupt?: string
}): Promise<{ output: string; kind: string }> {
  const url = `http://127.0.0.1:${String((mirror.address() as AddressInfo).port)}/`
  const script = `
    import { chooseShell } from ${JSON.stringify(pathToFileURL(join(root, 'scripts/setup/shell.ts')).href)}
    const shell = await chooseShell({
      tryFetch: true,
      retryElectron: ${String(options.retry ?? false)},
      electronFolder: ${JSON.stringify(folder)},
    })
    console.log('chosen: ' + shell?.kind)`
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    env: {
      ...process.env,
      ELECTRON_MIRROR: options.mirror ?? url,
      ECCP_CACHE_FOLDER: join(folder, 'cache'),
      electron_config_cache: join(folder, 'downloads'),
    },
  })
  let output = ''
  let pressed = false
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (data: Buffer) => {
      output += data.toString()
      if (options.interrupt === undefined || pressed || !output.includes(options.interrupt)) return
      pressed = true
      child.kill('SIGINT')
    })
  return new Promise((resolve) => {
    child.on('exit', () => {
      resolve({ output, kind: /chosen: (\w+)/.exec(output)?.[1] ?? 'none' })
    })
  })
}

describe('looking for an Electron binary', () => {
  it('shows progress, and Ctrl+C goes on with Chromium', async () => {
    pace = 20_000
    const { output, kind } = await choose({ interrupt: ': 4 %' })
    expect(output).toMatch(/downloading Electron \d+\.\d+\.\d+: 4 %/)
    expect(output).toContain('cancelled; using Chromium')
    expect(output).not.toContain(': 100 %')
    expect(kind).toBe('host')
  })

  it('refuses what is not the pinned binary, remembers that, and tries again only when told', async () => {
    pace = 500_000
    const first = await choose({})
    expect(first.output).toContain('the download failed; using Chromium')
    expect(first.kind).toBe('host')
    expect(existsSync(join(folder, 'cache', 'electron-unreachable'))).toBe(true)
    const requests = asked.length
    expect(requests).toBeGreaterThan(0)
    const second = await choose({})
    expect(second).toEqual({ output: 'chosen: host\n', kind: 'host' })
    expect(asked.length).toBe(requests)
    await choose({ retry: true })
    expect(asked.length).toBeGreaterThan(requests)
  })

  it('goes on with Chromium where nothing answers', async () => {
    const { output, kind } = await choose({ mirror: 'http://127.0.0.1:9/' })
    expect(output).toContain('not reachable from here; using Chromium')
    expect(kind).toBe('host')
    expect(asked).toEqual([])
  })
})
