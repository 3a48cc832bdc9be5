import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { isolated } from '../config.ts'
import type { FederationConfig } from '../config.ts'
import { keptLog } from '../testing/kept-log.ts'
import { startNode } from '../testing/start-node.ts'
import type { StartOptions, TestNode } from '../testing/start-node.ts'
import { isInnerAddress } from './inner-address.ts'
import { PeerError } from './peer-calls.ts'

const file = (name: string): string =>
  join(import.meta.dirname, '..', 'testing', 'certificates', name)
const root = file('root.pem')
const open: FederationConfig = { ...isolated, mode: 'open' }

const nodes: TestNode[] = []
afterEach(async () => {
  for (const node of nodes.splice(0)) await node.stop()
})

/** What a node comes to that asks `b.test`, which shows the certificate `shown`. */
async function asking(shown: string, change: Partial<FederationConfig>): Promise<string> {
  return ask(await asker(shown, change))
}

async function asker(
  shown: string,
  change: Partial<FederationConfig>,
  world: StartOptions['world'] = {},
): Promise<TestNode> {
  const tls = { certificate: file(`${shown}.pem`), key: file(`${shown}.key`) }
  const b = await startNode({
    serverName: 'b.test',
    federation: { ...open, listen: { host: '127.0.0.1', port: 0 }, tls },
  })
  nodes.push(b)
  const peers = {
    'b.test': {
      host: '127.0.0.1',
      port: Number(new URL(b.federationUrl ?? '').port),
      rootFile: null,
      plainHttp: false,
    },
  }
  const federation = { ...open, peers, ...change }
  const a = await startNode({ serverName: 'a.test', federation, world })
  nodes.push(a)
  return a
}

async function ask(a: TestNode): Promise<string> {
  try {
    const answer = await a.context.peers.call('b.test', 'keys')
    return answer.ok ? answer.value.server_name : 'refused'
  } catch (error) {
    if (error instanceof PeerError) return error.code
    throw error
  }
}

describe('a peer’s certificate', () => {
  it('counts under the root that the operator has named', async () => {
    expect(await asking('good', { rootFile: root })).toBe('b.test')
  })

  it.each([
    ['good', 'from a root that nobody trusts', null],
    ['other', 'for another name', root],
    ['expired', 'that has expired', root],
  ])('does not count (%s) %s', async (shown, _, rootFile) => {
    expect(await asking(shown, { rootFile })).toBe('certificate')
  })
})

describe('the roots that the operator has named', () => {
  it('are taken up when their file changes, and never by one without a certificate', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'eccp-roots-'))
    try {
      const rootFile = join(folder, 'roots.pem')
      writeFileSync(rootFile, '')
      const nothing = { ...open, rootFile }
      await expect(startNode({ serverName: 'a.test', federation: nothing })).rejects.toMatchObject({
        code: 'no_certificate',
      })
      copyFileSync(file('other.pem'), rootFile)
      const { log, said } = keptLog()
      const a = await asker('good', { rootFile }, { log })
      expect(await ask(a)).toBe('certificate')
      copyFileSync(root, rootFile)
      a.reload()
      expect(await ask(a)).toBe('b.test')
      expect(said('new root certificates are trusted')).toHaveLength(1)
      writeFileSync(rootFile, 'half of one')
      a.reload()
      a.reload()
      expect(said('the root certificates can not be used')).toHaveLength(1)
      expect(await ask(a)).toBe('b.test')
      copyFileSync(file('other.pem'), rootFile)
      a.reload()
      // Of the connections, too: what they were opened under is not trusted any more.
      expect(await ask(a)).toBe('certificate')
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})

describe('an address', () => {
  it('inside the operator’s network is not connected to unless it is configured', async () => {
    const a = await startNode({ serverName: 'a.test', federation: open })
    nodes.push(a)
    for (const server of ['127.0.0.1:9', '10.0.0.1', '[::1]:9', 'localhost:9'])
      await expect(a.context.peers.call(server, 'keys')).rejects.toMatchObject({
        code: 'inner_address',
      })
  })

  it.each([
    ['192.168.1.1', true],
    ['169.254.169.254', true],
    ['::ffff:127.0.0.1', true],
    ['fd00::1', true],
    ['fe80::1', true],
    ['224.0.0.1', true],
    ['8.8.8.8', false],
    ['2606:4700::1111', false],
  ])('%s lies inside: %s', (address, inside) => {
    expect(isInnerAddress(address)).toBe(inside)
  })
})
