/** What a fake peer asks: signatures, ends, time and size of its requests, and the keys under which it makes them. */
import { strict as assert } from 'node:assert'
import { setTimeout as wait } from 'node:timers/promises'
import { serverApi, SERVER_SKEW_MS, signServerKeys } from '../../src-shared/api/index.ts'
import { toBase64Url } from '../../src-shared/protocol/index.ts'
import type { HostileCase } from '../case.ts'
import { crypto, random } from '../device.ts'
import { eventItem, newKey } from '../fake-peer.ts'
import type { Answered, Asking, FakePeer } from '../fake-peer.ts'
import type { Setting } from '../setting.ts'
import { expectError } from '../setting.ts'
import { until } from '../until.ts'
import { randomBody, Scene, targetOf } from './scene.ts'

/** Harmless, signed, and about nobody. */
const nobody = ({ node }: Setting): string =>
  `/_eccp/federation/v1/manifests/${encodeURIComponent(`@nobody-at-all:${node.serverName}`)}`

const claimPath = serverApi.claimKeys.path

async function ask(setting: Setting, peer: FakePeer, asking: Asking): Promise<Answered> {
  return peer.ask(targetOf(setting), asking)
}

async function expectHonest(setting: Setting, peer: FakePeer): Promise<void> {
  expectError(await ask(setting, peer, { path: nobody(setting) }), 404, 'M_NOT_FOUND')
}

export const hostileRequests: readonly HostileCase[] = [
  {
    name: 'takes a signed request once',
    section: '15.3',
    peers: ['evil'],
    without: ['request_replay'],
    async run(setting) {
      const peer = setting.peer('evil')
      await expectHonest(setting, peer)
      const authorization = peer.lastAuthorization
      const again = await ask(setting, peer, { path: nobody(setting), authorization })
      expectError(again, 401, 'E_BAD_SIGNATURE')
    },
  },
  {
    name: 'refuses a request without a signature, or whose signature is not over exactly what came',
    section: '15.3',
    peers: ['evil'],
    without: ['request_signature'],
    async run(setting) {
      const peer = setting.peer('evil')
      await expectHonest(setting, peer)
      const path = nobody(setting)
      assert.equal((await ask(setting, peer, { path, authorization: '' })).status, 401)
      const odd = ['Bearer x', 'ECCP-Ed25519 ,,,,,', `ECCP-Ed25519 origin="${peer.name}"`]
      for (const authorization of odd)
        expectError(await ask(setting, peer, { path, authorization }), 401, 'E_BAD_SIGNATURE')
      const body = { claimer: toBase64Url(random(32)), devices: [] }
      const changes: Asking[] = [
        { path, sign: (r) => ({ ...r, path: `${path}?from=1` }) },
        { path, sign: (r) => ({ ...r, method: 'POST' }) },
        {
          path,
          sign: (r) => ({ ...r, nonce: toBase64Url(random(16)), ts: r.ts - 1 }),
          key: newKey(peer.key.keyId),
        },
        { path: claimPath, body, sign: (r) => ({ ...r, body: new Uint8Array([1]) }) },
      ]
      for (const asking of changes)
        expectError(await ask(setting, peer, asking), 401, 'E_BAD_SIGNATURE')
    },
  },
  {
    name: 'refuses a request that is meant for another server',
    section: '15.3',
    peers: ['evil'],
    without: ['request_ends'],
    async run(setting) {
      const peer = setting.peer('evil')
      const answer = await ask(setting, peer, {
        path: nobody(setting),
        sign: (r) => ({ ...r, destination: 'another.example' }),
      })
      expectError(answer, 401, 'E_BAD_SIGNATURE')
    },
  },
  {
    name: 'refuses a request in the name of another server',
    section: '15.3',
    peers: ['evil', 'third'],
    without: ['request_signature', 'request_ends'],
    async run(setting) {
      const [evil, third] = [setting.peer('evil'), setting.peer('third')]
      await expectHonest(setting, third)
      const path = nobody(setting)
      const as = (origin: string): Asking => ({
        path,
        sign: (r) => ({ ...r, origin }),
        key: newKey(third.key.keyId),
      })
      expectError(await ask(setting, evil, as(third.name)), 401, 'E_BAD_SIGNATURE')
      expectError(await ask(setting, evil, as(setting.node.serverName)), 401, 'E_BAD_SIGNATURE')
    },
  },
  {
    name: 'refuses a request whose time is not now, and says what time it is',
    section: '15.3',
    peers: ['evil'],
    without: ['request_time'],
    async run(setting) {
      const peer = setting.peer('evil')
      for (const off of [-4 * SERVER_SKEW_MS, 4 * SERVER_SKEW_MS, -365 * 86_400_000]) {
        const answer = await ask(setting, peer, {
          path: nobody(setting),
          sign: (r) => ({ ...r, ts: r.ts + off }),
        })
        expectError(answer, 403, 'E_CLOCK_SKEW')
        assert.equal(typeof answer.body['server_time'], 'number')
      }
    },
  },
  {
    name: 'refuses a request under a key that signs no more, and takes events under it',
    section: '15.2',
    peers: ['rotating'],
    without: ['request_key'],
    async run(setting) {
      const peer = setting.peer('rotating')
      const old = newKey()
      peer.retired = [{ key: old, until: Date.now() - 1000 }]
      await expectHonest(setting, peer)
      const answer = await ask(setting, peer, { path: nobody(setting), key: old })
      expectError(answer, 401, 'E_BAD_SIGNATURE')
      const scene = await Scene.open(setting, { role: 'rotating' })
      const event = scene.message('signed long ago', { nodeKey: old })
      await scene.honest(event)
      await scene.sees(event)
    },
  },
  {
    name: 'follows a server that changes its key and lists the old one',
    section: '15.2',
    peers: ['rotating'],
    slow: true,
    without: ['request_key'],
    async run(setting) {
      const peer = setting.peer('rotating')
      await expectHonest(setting, peer)
      const old = peer.key
      peer.retired = [{ key: old, until: Date.now() }, ...peer.retired]
      peer.key = newKey()
      let status = 0
      await until(
        async () => {
          status = (await ask(setting, peer, { path: nobody(setting) })).status
          return status === 404
        },
        () => `a request under the new key is answered with ${status}`,
        90_000,
      )
      const under = await ask(setting, peer, { path: nobody(setting), key: old })
      expectError(under, 401, 'E_BAD_SIGNATURE')
    },
  },
  {
    name: 'refuses whole a key document that gives a known key id another key',
    section: '15.2',
    peers: ['changing'],
    slow: true,
    without: ['key_change'],
    async run(setting) {
      const peer = setting.peer('changing')
      await expectHonest(setting, peer)
      const first = peer.key
      peer.retired = [{ key: newKey(first.keyId), until: Date.now() }]
      peer.key = newKey()
      const asked = peer.asked
      const end = Date.now() + 45_000
      // A node may go by what it fetched a moment ago; it has to look once more before this says anything.
      while (Date.now() < end || peer.asked === asked) {
        const answer = await ask(setting, peer, { path: nobody(setting) })
        assert.equal(answer.status, 401, 'a request under a key of that document was taken')
        if (Date.now() > end + 60_000) assert.fail('the node never asked for the keys again')
        await wait(3000)
      }
      peer.key = first
      peer.retired = []
      await expectHonest(setting, peer)
    },
  },
  {
    name: 'refuses a key document that its first key has not signed, or that speaks of another server',
    section: '15.2',
    peers: ['liar', 'third'],
    without: ['key_document'],
    async run(setting) {
      const peer = setting.peer('liar')
      const honest = peer.keys() as Record<string, unknown>
      peer.answers.keys = () => ({ ...honest, sig: toBase64Url(random(64)) })
      expectError(await ask(setting, peer, { path: nobody(setting) }), 401, 'E_BAD_SIGNATURE')
      const { keys } = honest as unknown as { keys: Parameters<typeof signServerKeys>[3] }
      peer.answers.keys = () => signServerKeys(crypto, peer.key, setting.peer('third').name, keys)
      await wait(1500)
      expectError(await ask(setting, peer, { path: nobody(setting) }), 401, 'E_BAD_SIGNATURE')
      peer.behave()
      await until(async () => (await ask(setting, peer, { path: nobody(setting) })).status === 404)
    },
  },
  {
    name: 'waits for withheld keys no longer than it can bear, serves others meanwhile, and asks again',
    section: '15.8',
    peers: ['silent'],
    slow: true,
    without: ['answer_deadline'],
    async run(setting) {
      const peer = setting.peer('silent')
      const alice = await setting.regular('alice')
      peer.answers.keys = ({ response }) => {
        // A byte now and then, and never an end.
        response.writeHead(200, { 'content-type': 'application/json' })
        const drip = setInterval(() => response.write(' '), 500)
        response.on('close', () => clearInterval(drip))
        return undefined
      }
      const answered = ask(setting, peer, { path: nobody(setting) })
      await alice.ok('whoami')
      const first = await Promise.race([answered, wait(40_000, null)])
      assert.ok(first !== null, 'a request waits for ever for keys that do not come')
      assert.equal(first.status, 401)
      peer.behave()
      await until(async () => (await ask(setting, peer, { path: nobody(setting) })).status === 404)
    },
  },
  {
    name: 'refuses a body larger than the endpoint takes, and more items than a transaction holds',
    section: '15.10',
    peers: ['evil'],
    without: ['body_size'],
    async run(setting) {
      const peer = setting.peer('evil')
      const large = new TextEncoder().encode(`{"x":"${'y'.repeat(serverApi.claimKeys.maxBytes)}"}`)
      const answer = await ask(setting, peer, { path: claimPath, method: 'POST', bytes: large })
      expectError(answer, 413, 'M_TOO_LARGE')
      const items = Array.from({ length: 101 }, (_, index) => ({
        kind: 'nothing',
        id: `i${index}`,
      }))
      const path = `/_eccp/federation/v1/transactions/${toBase64Url(random(12))}`
      const many = await ask(setting, peer, { method: 'PUT', path, body: { items } })
      expectError(many, 400, 'M_BAD_JSON')
      await expectHonest(setting, peer)
    },
  },
  {
    name: 'refuses what is not strict JSON: too deep, a name twice, numbers that others read otherwise',
    section: '1.2',
    peers: ['evil'],
    without: ['strict_json'],
    async run(setting) {
      const peer = setting.peer('evil')
      const path = `/_eccp/federation/v1/transactions/${toBase64Url(random(12))}`
      const texts = [
        '{"items":[],"items":[]}',
        '{"items":[],"__proto__":{}}',
        '{"items":[],"x":1.5}',
        '{"items":[],"x":-0}',
        `{"items":[],"x":${'['.repeat(17)}${']'.repeat(17)}}`,
        `{"items":[],"x":${'['.repeat(5000)}${']'.repeat(5000)}}`,
        '{"items":[],"x":"\\ud800"}',
        '{"items":[',
      ]
      for (const text of texts) {
        const bytes = new TextEncoder().encode(text)
        const answer = await ask(setting, peer, { method: 'PUT', path, bytes })
        expectError(answer, 400, 'M_NOT_JSON')
      }
      await expectHonest(setting, peer)
    },
  },
  {
    name: 'holds a bounded number of transactions of one server at a time, and clients notice nothing',
    section: '15.8',
    peers: ['evil'],
    without: ['transactions_in_line'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, alice } = scene
      const hidden = scene.message('hidden')
      const onTop = scene.message('on top', { prevEvents: [hidden.id] })
      const waiting: (() => void)[] = []
      let released = false
      const nothing = JSON.stringify({ events: [], more: false, next: null })
      peer.answers.missing = ({ response }) => {
        const answer = (): void => void response.writeHead(200).end(nothing)
        if (released) answer()
        else waiting.push(answer)
        return undefined
      }
      const flood = Array.from({ length: 30 }, () =>
        scene.pushEvent(onTop).then(
          () => 'answered',
          (error: unknown) => (String(error).includes('429') ? 'limited' : String(error)),
        ),
      )
      try {
        const early = await Promise.race([
          ...flood.map((one) => one.then((said) => (said === 'limited' ? said : wait(8000, '')))),
          wait(8000, ''),
        ])
        await alice.ok('whoami')
        assert.equal(early, 'limited', 'thirty transactions of one server wait at once')
      } finally {
        released = true
        for (const answer of waiting) answer()
        await Promise.all(flood)
        peer.behave()
      }
      await scene.sees(await scene.honest(scene.message('after the flood')))
    },
  },
  {
    name: 'judges each item of a transaction alone, whatever stands beside it',
    section: '15.5',
    peers: ['evil'],
    without: ['wrong_body'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice } = scene
      const good = scene.message('between')
      const news = { user_id: alice.userId, member: alice.member }
      const outcomes = await scene.push(
        { kind: 'unheard_of' },
        { kind: 'event', pdu: 'x', wraps: [] },
        { kind: 'receipt', receipt: {} },
        eventItem(good),
        { kind: 'event', pdu: { ...good.pdu, event: 7 }, wraps: [] },
        eventItem({ pdu: { ...scene.message('spoilt').pdu, body: randomBody() } }),
        { kind: 'profile', ...news, display_name: 'x' },
        { kind: 'manifest', ...news, head: toBase64Url(random(32)), height: 9 },
      )
      const words = outcomes.map((outcome) => outcome.split(' ')[0])
      const refused = 'refused'
      assert.deepEqual(words, [
        ...[refused, refused, refused],
        'taken',
        ...[refused, refused, refused, refused],
      ])
      await scene.sees(good)
    },
  },
]
