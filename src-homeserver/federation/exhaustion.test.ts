/** Peers that try to use a node up: what they get hold of is bounded, and others are served meanwhile. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { connect } from 'node:net'
import type { Socket } from 'node:net'
import { gzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { toBase64Url } from '../../src-shared/protocol/index.ts'
import { random, register } from '../../conformance/device.ts'
import { FakePeer, newKey } from '../../conformance/fake-peer.ts'
import { FederationNet } from '../testing/federation-net.ts'
import type { Member } from '../testing/federation-net.ts'

vi.setConfig({ testTimeout: 120_000 })

const MIB = 1024 * 1024
const TRANSACTION = '/_eccp/federation/v1/transactions/x'

let net: FederationNet
let a: Member
let peer: FakePeer
const sockets: Socket[] = []
const evil = createServer((request, response) => peer.take(request, response))
beforeEach(async () => {
  net = await FederationNet.open(['a.test', 'evil.test'])
  a = await net.start('a.test')
  peer = new FakePeer('evil.test')
  await new Promise<void>((resolve) => evil.listen(0, '127.0.0.1', resolve))
  net.aim('evil.test', `http://127.0.0.1:${(evil.address() as AddressInfo).port}`)
})
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy()
  evil.closeAllConnections()
  await new Promise((resolve) => evil.close(resolve))
  await net.close()
})

interface Stalled {
  /** What the node has answered so far. */
  said(): string
}

const target = () => ({ serverName: 'a.test', federationUrl: a.node?.federationUrl ?? '' })

/** A connection of somebody who never finishes; what the node says to it. */
async function stalled(text: string, body = Buffer.alloc(0)): Promise<Stalled> {
  const { port } = new URL(target().federationUrl)
  const socket = connect(Number(port), '127.0.0.1')
  sockets.push(socket)
  let said = ''
  socket.on('data', (data: Buffer) => (said += data.toString()))
  socket.on('error', () => undefined)
  await new Promise((resolve) => socket.once('connect', resolve))
  socket.write(text)
  socket.write(body)
  return { said: () => said }
}

async function served(): Promise<void> {
  const alice = await register(a, `alice${sockets.length}`)
  expect(await alice.ok('whoami')).toMatchObject({ member: alice.member })
  const path = `/_eccp/federation/v1/manifests/${encodeURIComponent('@nobody:a.test')}`
  expect((await peer.ask(target(), { path })).status).toBe(404)
}

describe('a peer that never finishes', () => {
  it('its headers holds a connection and nothing else', async () => {
    for (let index = 0; index < 200; index++) await stalled('GET /_eccp/federation/v1/version HT')
    await served()
  })

  it('its bodies is turned away before there is no room for others’', async () => {
    const head =
      `PUT ${TRANSACTION} HTTP/1.1\r\nhost: a.test\r\ncontent-type: application/json\r\n` +
      `content-length: ${4 * MIB}\r\n\r\n`
    const all: Stalled[] = []
    for (let index = 0; index < 24; index++) all.push(await stalled(head, Buffer.alloc(MIB, ' ')))
    await vi.waitFor(
      () => expect(all.filter(({ said }) => said().includes(' 429 ')).length).toBe(24 - 16),
      30_000,
    )
    await served()
    for (const socket of sockets.splice(0)) socket.destroy()
    // What it held is free again.
    await vi.waitFor(async () => {
      const answer = await peer.ask(target(), {
        method: 'PUT',
        path: TRANSACTION,
        bytes: Buffer.alloc(4 * MIB - 1, ' '),
      })
      expect(answer.status).toBe(400)
    }, 30_000)
  })

  it('a body whose length it does not say is counted as the largest there may be', async () => {
    const head = `PUT ${TRANSACTION} HTTP/1.1\r\nhost: a.test\r\ntransfer-encoding: chunked\r\n\r\n1\r\n{\r\n`
    const all: Stalled[] = []
    for (let index = 0; index < 20; index++) all.push(await stalled(head))
    await vi.waitFor(
      () => expect(all.filter(({ said }) => said().includes(' 429 ')).length).toBe(20 - 16),
      30_000,
    )
  })
})

describe('a peer that multiplies', () => {
  it('what it packs is not unpacked', async () => {
    const bomb = gzipSync(Buffer.alloc(64 * MIB, ' '))
    const answer = await peer.ask(target(), { method: 'PUT', path: TRANSACTION, bytes: bomb })
    expect([answer.status, answer.body['errcode']]).toEqual([400, 'M_NOT_JSON'])
  })

  it('made-up servers has a bounded number of them asked, and others are asked none the less', async () => {
    const path = '/_eccp/federation/v1/keys/claim'
    const liar = (index: number) =>
      peer.ask(target(), {
        method: 'POST',
        path,
        body: { claimer: toBase64Url(random(32)), devices: [] },
        sign: (request) => ({ ...request, origin: `n${index}.invalid:1` }),
        key: newKey(),
      })
    const answers = await Promise.all(Array.from({ length: 150 }, (_, index) => liar(index)))
    // Without their keys none is believed; who waited for long is told that its time has passed.
    expect(answers.filter(({ status }) => status !== 401 && status !== 403)).toEqual([])
    await served()
  })
})
