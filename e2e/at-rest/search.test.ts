/** The at-rest search finds what is planted, in the forms in which programs really leave things. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { chromium } from '@playwright/test'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { findChromium } from '../../host/find-chromium.ts'
import { searchAtRest } from './search.ts'

const canary = 'the heron stands in the reeds 鷺'
let folder = ''

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'canary-'))
})
afterEach(() => {
  rmSync(folder, { recursive: true, force: true })
})

describe('the at-rest search', () => {
  it('finds nothing where nothing is', () => {
    writeFileSync(join(folder, 'a.bin'), 'quite something else')
    expect(searchAtRest(folder, { canary })).toMatchObject({ findings: [], files: 1 })
  })

  it.each([
    ['raw', (text: string) => Buffer.from(text)],
    ['utf16le', (text: string) => Buffer.from(text, 'utf16le')],
    ['hex', (text: string) => Buffer.from(Buffer.from(text).toString('hex'))],
    ['base64', (text: string) => Buffer.from(Buffer.from(`x${text}y`).toString('base64'))],
    ['base64url', (text: string) => Buffer.from(Buffer.from(`xx${text}yz`).toString('base64url'))],
  ])('finds a canary as %s', (encoding, write) => {
    writeFileSync(
      join(folder, 'a.bin'),
      Buffer.concat([Buffer.from('before'), write(canary), Buffer.from('after')]),
    )
    expect(searchAtRest(folder, { canary }).findings.map((finding) => finding.encoding)).toContain(
      encoding,
    )
  })

  it('finds a canary that spans the pages of a SQLite database', () => {
    const database = new DatabaseSync(join(folder, 'node.sqlite'))
    database.exec('pragma page_size = 512; create table t (a text)')
    database
      .prepare('insert into t values (?)')
      .run(`${'x'.repeat(480)}${canary}${'y'.repeat(2000)}`)
    database.close()
    expect(searchAtRest(folder, { canary }).findings).not.toEqual([])
  })

  it('finds a canary in compressed LevelDB blocks and values of a real IndexedDB', async () => {
    const executablePath = findChromium()
    if (executablePath === null) throw new Error('no Chromium to test with')
    const context = await chromium.launchPersistentContext(folder, {
      executablePath,
      chromiumSandbox: process.getuid?.() !== 0,
      args: [
        '--disable-gpu',
        '--disable-quic',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    const page = await context.newPage()
    await page.route('https://at-rest.test/', (route) =>
      route.fulfill({ contentType: 'text/html', body: '<title>x</title>' }),
    )
    await page.goto('https://at-rest.test/')
    await page.evaluate(async (text) => {
      const open = indexedDB.open('plain', 1)
      open.onupgradeneeded = () => open.result.createObjectStore('t')
      await new Promise((resolve) => {
        open.onsuccess = resolve
      })
      // Repetitive filler compresses well, so the blocks on disk do not hold the text as it is.
      for (let i = 0; i < 400; i += 1) {
        const transaction = open.result.transaction('t', 'readwrite', { durability: 'strict' })
        const filler = 'abcabcabc'.repeat(900)
        transaction
          .objectStore('t')
          .put({ text: `${filler}${filler.slice(0, i)}${text}`, filler }, i)
        await new Promise((resolve) => {
          transaction.oncomplete = resolve
        })
      }
    }, canary)
    await context.close()
    const report = searchAtRest(join(folder, 'Default', 'IndexedDB'), { canary })
    expect(report.records).toBeGreaterThan(0)
    expect(report.findings).not.toEqual([])
  })
})
