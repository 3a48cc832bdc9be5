/** The engine over streams and windows: falling back, being cut off, and catching up on demand. */
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import type { Link, Transport } from '../src-shared/client/index.ts'
import { TransportError } from '../src-shared/client/index.ts'
import { conversation, newUser, reopened, say, texts, until } from './testing/engine-users.ts'
import type { TestUser } from './testing/engine-users.ts'
import { startNode } from './testing/start-node.ts'
import type { TestNode } from './testing/start-node.ts'

vi.setConfig({ testTimeout: 180_000, hookTimeout: 60_000 })

let node: TestNode
let users: TestUser[]
beforeEach(async () => {
  node = await startNode()
  users = []
})
afterEach(async () => {
  for (const user of users) await user.engine.stop()
  await node.stop()
})

async function talk(wrap: (real: Transport) => Transport): Promise<string[]> {
  const ada = await newUser(node, 'ada', { transport: wrap })
  const ben = await newUser(node, 'ben')
  users.push(ada, ben)
  const room = await conversation(ada, ben)
  for (let count = 0; count < 4; count++) {
    await say(ada, room, `ada ${String(count)}`)
    await say(ben, room, `ben ${String(count)}`)
  }
  await until(async () => (await texts(ada, room)).length === 8)
  await until(async () => (await texts(ben, room)).length === 8)
  expect(await texts(ada, room)).toEqual(await texts(ben, room))
  return [...(await texts(ada, room))].sort()
}

const said = [0, 1, 2, 3].flatMap((n) => [`ada ${String(n)}`, `ben ${String(n)}`]).sort()

describe('where the upgrade', () => {
  const links: readonly [string, NonNullable<Transport['link']>][] = [
    ['is refused', () => Promise.resolve(null)],
    ['breaks', () => Promise.reject(new TransportError('unreachable'))],
  ]
  it.each(links)('%s, the long poll serves', async (_, link) => {
    let tried = 0
    const paths = new Set<string>()
    const wrap = (real: Transport): Transport => ({
      request: (request, cancel) => {
        paths.add(`${request.method} ${request.path}`)
        return real.request(request, cancel)
      },
      link: (...given) => {
        tried++
        return link(...given)
      },
    })
    expect(await talk(wrap)).toEqual(said)
    expect(tried).toBeGreaterThan(0)
    expect(paths).toContain('POST /_eccp/client/v1/sync')
  })

  it('is taken, there are no other syncs', async () => {
    const polls: string[] = []
    const wrap = (real: Transport): Transport => ({
      ...real,
      request: (request, cancel) => {
        if (request.path.includes('/sync')) polls.push(request.path)
        return real.request(request, cancel)
      },
    })
    expect(await talk(wrap)).toEqual(said)
    expect(polls).toEqual([])
  })
})

describe('a stream', () => {
  it('that breaks again and again loses nothing and doubles nothing', async () => {
    let opened = 0
    const wrap = (real: Transport): Transport => ({
      ...real,
      link: async (request, listener, cancel) => {
        opened++
        let left = opened % 4
        let link: Link | null = null
        const heard = {
          ...listener,
          onFrame: (text: string) => {
            // Some of what comes is lost with the link.
            if (left-- > 0) {
              listener.onFrame(text)
              return
            }
            link?.close()
            listener.onEnd(1006)
          },
        }
        link = (await real.link?.(request, heard, cancel)) ?? null
        return link
      },
    })
    expect(await talk(wrap)).toEqual(said)
    expect(opened).toBeGreaterThan(1)
  })
})

describe('a room that was passed over', () => {
  it('begins with its latest events, and the gap is filled as somebody looks at it', async () => {
    const ada = await newUser(node, 'ada')
    const ben = await newUser(node, 'ben')
    users.push(ada, ben)
    const room = await conversation(ada, ben)
    for (let count = 0; count < 3; count++) await say(ada, room, `early ${String(count)}`)
    await until(async () => (await texts(ben, room)).length === 3)
    const { device } = ben.engine.view()
    await ben.engine.stop()
    const sent: string[] = []
    for (let count = 0; count < 90; count++) sent.push(`late ${String(count)}`)
    for (const text of sent) await say(ada, room, text)
    await until(() => ada.engine.view().queuedMessages === 0)
    // As though more rooms than the window has room for had been written to after this one.
    await node.context.storage.write((tx) => tx.windowRooms.dropAll(ben.engine.account, device))
    const asked: string[] = []
    const back = await reopened(node, ben, {
      transport: (real) => ({
        ...real,
        request: (request, cancel) => {
          if (request.path.includes('/messages')) asked.push(request.path)
          return real.request(request, cancel)
        },
      }),
    })
    users.push(back)
    const newest = async () => (await back.engine.page(room, null, 10)).items
    await until(async () => (await newest()).some((item) => shows(item, 'late 89')))
    expect(asked).toEqual([])
    const all: string[] = []
    for (let before: string | null = null; ;) {
      const page = await back.engine.page(room, before, 30)
      all.unshift(...page.items.flatMap((item) => (item.kind === 'message' ? [item.text] : [])))
      before = page.older
      if (before === null) break
    }
    expect(all).toEqual(['early 0', 'early 1', 'early 2', ...sent])
    expect(asked.length).toBeGreaterThan(0)
    await say(back, room, 'answer')
    await until(async () => (await texts(ada, room)).includes('answer'))
    // Closed for good.
    const before = asked.length
    for (let at: string | null = null; ;) {
      const page = await back.engine.page(room, at, 30)
      at = page.older
      if (at === null) break
    }
    expect(asked).toHaveLength(before)
  })
})

function shows(item: { readonly kind: string }, text: string): boolean {
  return item.kind === 'message' && 'text' in item && item.text === text
}
