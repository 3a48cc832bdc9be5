import { createServer } from 'node:http'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { createSystemRandom } from '../../src-platform/system-random.ts'
import { parseServerName } from '../../src-shared/protocol/index.ts'
import { PersonalNode } from './personal-node.ts'
import type { PersonalNodeOptions } from './personal-node.ts'

let folder: string
const pids = new Set<number>()
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'privchat-node-'))
})
afterEach(async () => {
  remember()
  for (const pid of pids) kill(pid)
  pids.clear()
  await new Promise((resolve) => setTimeout(resolve, 50))
  rmSync(folder, { recursive: true, force: true, maxRetries: 5 })
})

const json = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8'))
function remember(): number {
  try {
    const { pid } = json('running.json')
    pids.add(pid)
    return pid
  } catch {
    return 0
  }
}
function kill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
const make = (changes: Partial<PersonalNodeOptions> = {}): PersonalNode =>
  new PersonalNode({
    folder,
    program: {
      command: process.execPath,
      args: [join(import.meta.dirname, 'testing/fake-node.ts')],
      env: {},
    },
    random: createSystemRandom(),
    log: () => {},
    ...changes,
  })

it('starts once, is found again by others, and comes back at its place after a kill', async () => {
  const first = make()
  expect(first.exists()).toBe(false)
  const url = await first.ensure()
  const pid = remember()
  const { serverName, signingKey } = json('identity.json')
  expect(parseServerName(serverName)).not.toBe(null)
  expect(first.state).toEqual({ state: 'running', url, serverName })

  const second = make()
  expect(await second.ensure()).toBe(url)
  expect(remember()).toBe(pid)

  kill(pid)
  expect(await make().ensure()).toBe(url)
  expect(remember()).not.toBe(pid)
  expect(json('identity.json')).toMatchObject({ serverName, signingKey })
})

it('is started by one of two profiles that want it at the same time', async () => {
  const [a, b] = await Promise.all([make().ensure(), make().ensure()])
  remember()
  expect(a).toBe(b)
})

it('takes another port where its own is taken, keeps its name, and returns later', async () => {
  const url = await make().ensure()
  const { serverName, port } = json('identity.json')
  kill(remember())
  await new Promise((resolve) => setTimeout(resolve, 100))
  const squatter = createServer((_request, response) => response.end('something else'))
  await new Promise<void>((resolve) => squatter.listen(port, '127.0.0.1', resolve))
  try {
    const moved = make()
    const elsewhere = await moved.ensure()
    remember()
    expect(elsewhere).not.toBe(url)
    expect(moved.state.serverName).toBe(serverName)
    expect(json('identity.json').port).toBe(port)
    // Found there by the next one too.
    expect(await make().ensure()).toBe(elsewhere)
  } finally {
    squatter.closeAllConnections()
    squatter.close()
  }
})

it('does not take another node on its port for its own', async () => {
  await make().ensure()
  remember()
  const identity = json('identity.json')
  writeFileSync(
    join(folder, 'identity.json'),
    JSON.stringify({ ...identity, signingKey: 'x'.repeat(43) }),
  )
  const other = make({ startTimeoutMs: 1_500 })
  await expect(other.ensure()).rejects.toMatchObject({ code: 'homeserver_unreachable' })
  expect(other.state.state).toBe('stopped')
})

it('is not kept back by what a crash left behind', async () => {
  writeFileSync(join(folder, 'start.lock'), '999999999')
  writeFileSync(join(folder, 'running.json'), '{"pid":')
  await make().ensure()
  remember()
})

it('notices that it stopped, and starts it again', async () => {
  const seen: string[] = []
  const node = make({ onChange: () => seen.push(node.state.state) })
  const url = await node.ensure()
  kill(remember())
  await new Promise((resolve) => setTimeout(resolve, 100))
  await node.check()
  remember()
  expect(node.state).toMatchObject({ state: 'running', url })
  expect(seen).toEqual(['starting', 'running', 'starting', 'running'])
})

it('leaves the note of one that runs but is slow to answer', async () => {
  await make().ensure()
  const pid = remember()
  process.kill(pid, 'SIGSTOP')
  const program = { command: join(folder, 'none'), args: [], env: {} }
  await expect(make({ program, startTimeoutMs: 100 }).ensure()).rejects.toMatchObject({
    code: 'homeserver_unreachable',
  })
  process.kill(pid, 'SIGCONT')
  expect(json('running.json').pid).toBe(pid)
  await make({ program }).ensure()
})

it('says so when it cannot be started', async () => {
  const node = make({ program: { command: join(folder, 'none'), args: [], env: {} } })
  await expect(node.ensure()).rejects.toMatchObject({ code: 'homeserver_unreachable' })
  expect(node.state.state).toBe('stopped')
})

it('keeps its name where the note of it is lost, and takes no other while there is data', async () => {
  const url = await make().ensure()
  const before = json('identity.json')
  kill(remember())
  writeFileSync(join(folder, 'identity.json'), '')
  expect(await make().ensure()).toBe(url)
  expect(json('identity.json')).toEqual(before)
  kill(remember())
  rmSync(join(folder, 'identity.json'))
  rmSync(join(folder, 'running.json'))
  const nameless = make()
  await expect(nameless.ensure()).rejects.toMatchObject({ code: 'homeserver_unreachable' })
  expect(nameless.state.state).toBe('stopped')
  expect(readdirSync(folder)).not.toContain('identity.json')
})
