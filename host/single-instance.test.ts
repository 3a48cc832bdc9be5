import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { requestInstanceLock, type SecondInstance } from './single-instance.ts'
import { temporaryFolder } from './testing/run-host.ts'

let folder: Awaited<ReturnType<typeof temporaryFolder>>

beforeEach(async () => {
  folder = await temporaryFolder()
})

afterEach(() => folder.remove())

const message = (name: string): SecondInstance => ({ argv: [name], cwd: '/', data: { name } })

test('gives the lock to the first and tells it of the second', async () => {
  const told: SecondInstance[] = []
  const first = requestInstanceLock(folder.path, message('first'), (second) => told.push(second))
  const second = requestInstanceLock(folder.path, message('second'), () => {})
  expect([first.owned, second.owned]).toEqual([true, false])
  await second.told
  expect(told).toEqual([message('second')])
  first.release()
  const third = requestInstanceLock(folder.path, message('third'), () => {})
  expect(third.owned).toBe(true)
  third.release()
})

test('takes the lock of an owner that was killed', async () => {
  const child = spawn(process.execPath, ['-e', ''])
  await once(child, 'exit')
  writeFileSync(join(folder.path, 'instance.lock'), `${String(child.pid)} 123`)
  const lock = requestInstanceLock(folder.path, message('next'), () => {})
  expect(lock.owned).toBe(true)
  lock.release()
})

test.skipIf(process.platform !== 'linux')(
  'is not fooled by another process with the number of the killed owner',
  () => {
    writeFileSync(join(folder.path, 'instance.lock'), `${String(process.pid)} 1`)
    const lock = requestInstanceLock(folder.path, message('next'), () => {})
    expect(lock.owned).toBe(true)
    lock.release()
  },
)
