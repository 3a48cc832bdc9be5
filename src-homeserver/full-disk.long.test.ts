/** `eccp-node` where the disk is really full before it begins. */
import { execFile } from 'node:child_process'
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { onPostgres } from './testing/database.ts'
import { smallData } from './testing/little-room.ts'
import type { SmallData } from './testing/little-room.ts'
import { whyNoSmallDisk } from './testing/small-disk.ts'
import { startProcess } from './testing/start-process.ts'
import { register } from '../conformance/device.ts'

vi.setConfig({ testTimeout: 120_000 })

const main = join(import.meta.dirname, 'main.ts')
const missing = whyNoSmallDisk()
const without = missing === null ? '' : ` (skipped: ${missing})`
const full = /^eccp-node: the disk is full, .* nothing is lost: make room and try again$/m

let small: SmallData
let elsewhere: string
beforeEach(async () => {
  small = await smallData()
  elsewhere = mkdtempSync(join(tmpdir(), 'eccp-elsewhere-'))
})
afterEach(async () => {
  await small.remove()
  rmSync(elsewhere, { recursive: true, force: true })
})

interface End {
  readonly code: unknown
  readonly stderr: string
}

async function ended(...args: string[]): Promise<End> {
  const { database } = small
  const env = database === null ? process.env : { ...process.env, ECCP_DATABASE: database }
  return promisify(execFile)(process.execPath, [main, ...args], { env }).then(
    ({ stderr }) => ({ code: 0, stderr }),
    ({ code, stderr }: End) => ({ code, stderr }),
  )
}

const named = (): string[] => ['--server-name', 'a.test', '--data', small.dataDir]
const started = () => {
  const { dataDir, database } = small
  return startProcess(dataDir, { name: 'a.test', ...(database === null ? {} : { database }) })
}

describe.skipIf(missing !== null)(`a full disk${without}`, () => {
  it('keeps a node from its first start, and says so; with room it starts', async () => {
    small.disk.fill()
    const { code, stderr } = await ended('serve', ...named(), '--listen', '127.0.0.1:0')
    expect(stderr).toMatch(full)
    expect(code).toBe(1)
    small.disk.makeRoom()
    const node = await started()
    await register(node, 'alice')
    expect(await node.kill('SIGTERM')).toBe(0)
  })

  it('harms no data that is there, whether the node can start or not', async () => {
    let node = await started()
    const alice = await register(node, 'alice')
    const room = await alice.createRoom()
    const { envelope_id: said } = await alice.say(room, 'before')
    await node.kill('SIGKILL')
    small.disk.fill()
    if (onPostgres) {
      // It writes nothing new at its start that would need more room.
      node = await started()
      alice.url = node.url
      expect((await alice.call('state', { params: { roomId: room } })).status).toBe(200)
      expect(await node.kill('SIGTERM')).toBe(0)
    } else {
      const { code, stderr } = await ended('serve', ...named(), '--listen', '127.0.0.1:0')
      expect(stderr).toMatch(full)
      expect(code).toBe(1)
    }
    small.disk.makeRoom()
    node = await started()
    alice.url = node.url
    const { rooms } = await alice.sync()
    const seen = rooms[room]?.timeline.map(({ pdu }) => pdu.event.envelope_id)
    expect(seen?.at(-1)).toBe(said)
    expect((await alice.say(room, 'after')).envelope_id).toBeDefined()
    expect(await node.kill('SIGTERM')).toBe(0)
  })

  it('gives no half of what init writes, and no half of a backup', async () => {
    const folder = join(small.disk.folder, 'new')
    const file = join(folder, 'node.yaml')
    // The settings take one block, the key another.
    for (const leave of [0, 4096]) {
      small.disk.fill(leave)
      const { code, stderr } = await ended('init', '--server-name', 'a.test', '--config', file)
      expect(stderr).toMatch(full)
      expect(code).toBe(1)
      const left = readdirSync(folder, { recursive: true })
      expect(left.filter((name) => name !== 'data')).toEqual([])
      small.disk.makeRoom()
    }
    expect(await ended('init', '--server-name', 'a.test', '--config', file)).toMatchObject({
      code: 0,
    })
    expect(readdirSync(folder, { recursive: true }).sort()).toEqual([
      'data',
      'data/signing-key.json',
      'node.yaml',
    ])

    const { dataDir } = small
    small = { ...small, dataDir: elsewhere }
    const node = await started()
    await register(node, 'alice')
    small.disk.fill(2 * 4096)
    const to = join(small.disk.folder, 'copy')
    const { code, stderr } = await ended('backup', ...named(), '--to', to)
    expect(code).toBe(1)
    expect(stderr).toMatch(onPostgres ? /No space left on device/ : full)
    expect(existsSync(to)).toBe(false)
    await node.kill('SIGTERM')
    small = { ...small, dataDir }
  })
})
