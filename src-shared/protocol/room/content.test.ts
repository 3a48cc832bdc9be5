import { describe, expect, it } from 'vitest'
import { toBase64Url } from '../encoding/index.ts'
import type { JsonObject } from '../encoding/index.ts'
import { damageNotSeen } from '../testing/damaged.ts'
import { contentSchemas, isKnownType } from './content.ts'
import type { KnownType } from './content.ts'

const bytes = (length: number, fill = 7): string => toBase64Url(new Uint8Array(length).fill(fill))
const userId = '@alice:a.example'

/** A body of each type with every member it may have. */
const WHOLE: Readonly<Record<KnownType, JsonObject>> = {
  'e.room.create': {
    version: '1',
    kind: 'group',
    visibility: 'private',
    creator: userId,
    server: 'a.example',
    nonce: bytes(16),
    founder: { head: bytes(32), height: 0, ed25519: bytes(32) },
  },
  'e.room.member': { membership: 'join', user_id: userId, reason: 'r', sealed: bytes(3) },
  'e.room.roster': {
    user_id: userId,
    head: bytes(32),
    height: 0,
    devices: [{ id: bytes(12), ed25519: bytes(32) }],
  },
  'e.room.power': {
    members: { [bytes(32)]: 50 },
    default: 0,
    events: { 'e.room.name': 50 },
    invite: 0,
    kick: 50,
    ban: 50,
    redact: 50,
    state_default: 50,
  },
  'e.room.join_rules': { join_rule: 'invite' },
  'e.room.history_visibility': { history_visibility: 'joined' },
  'e.room.name': { name: 'n', sealed: bytes(3) },
  'e.room.topic': { topic: 't', sealed: bytes(3) },
  'e.room.avatar': { avatar: { any: 1 }, sealed: bytes(3) },
  'e.room.grant': {
    user_id: userId,
    devices: [bytes(12)],
    read: 'all',
    send: ['e.message'],
    until: null,
  },
  'e.space.child': { via: ['a.example'], order: 'o' },
  'e.space.parent': { via: ['a.example'] },
  'e.redaction': { target: bytes(32), reason: 'r' },
}
/** What of it a body may lack, and which texts may be a character shorter or longer. */
const FREE: Readonly<Partial<Record<KnownType, readonly string[]>>> = {
  'e.room.create': ['version short', 'version long'],
  'e.room.member': ['reason missing', 'reason short', 'reason long', 'sealed missing'],
  'e.room.power': [`members.${bytes(32)} missing`, 'events.e.room.name missing'],
  'e.room.name': ['name missing', 'name short', 'name long', 'sealed missing'],
  'e.room.topic': ['topic missing', 'topic short', 'topic long', 'sealed missing'],
  'e.room.avatar': [
    'avatar missing',
    'avatar.any missing',
    'avatar.any negative',
    'avatar.any broken',
    'avatar.any not a number',
    'sealed missing',
  ],
  'e.space.child': ['order missing', 'order short', 'order long'],
  'e.redaction': ['reason missing', 'reason short', 'reason long'],
}
const types = Object.keys(WHOLE) as KnownType[]
const passes = (type: KnownType, change: object = {}): boolean =>
  contentSchemas[type].safeParse({ ...WHOLE[type], ...change }).success

describe('the body of a state event', () => {
  it.each(types)('has all its members in their form: %s', (type) => {
    const reads = (value: unknown) => contentSchemas[type].safeParse(value).success
    // Lengths that are still base64url, and names that are still names, are no damage.
    const found = damageNotSeen(WHOLE[type], reads).filter(
      (what) => !/^sealed (short|long)$/.test(what),
    )
    expect(found).toEqual(FREE[type] ?? [])
  })

  it.each(types)('keeps members that this version does not know: %s', (type) => {
    const read = contentSchemas[type].parse({ ...WHOLE[type], more: [1] })
    expect(read).toEqual({ ...WHOLE[type], more: [1] })
  })

  it('is one of the types of the draft', () => {
    for (const type of types) expect(isKnownType(type)).toBe(true)
    for (const type of ['e.message', 'e.room', 'constructor', ''])
      expect(isKnownType(type)).toBe(false)
  })

  it.each<readonly [KnownType, string, readonly string[]]>([
    ['e.room.create', 'kind', ['direct', 'group', 'space']],
    ['e.room.create', 'visibility', ['private', 'invite_only', 'shadow']],
    ['e.room.member', 'membership', ['invite', 'join', 'leave', 'ban', 'knock']],
    ['e.room.join_rules', 'join_rule', ['invite', 'public', 'knock']],
    [
      'e.room.history_visibility',
      'history_visibility',
      ['invited', 'joined', 'shared', 'world_readable'],
    ],
    ['e.room.grant', 'read', ['none', 'commands', 'mentions', 'all']],
  ])('has one of the words of the draft: %s, %s', (type, member, words) => {
    for (const word of words) expect([word, passes(type, { [member]: word })]).toEqual([word, true])
    for (const word of ['', 'other']) expect(passes(type, { [member]: word })).toBe(false)
  })

  it.each<readonly [KnownType, string, number]>([
    ['e.room.create', 'version', 16],
    ['e.room.member', 'reason', 512],
    ['e.room.name', 'name', 255],
    ['e.room.topic', 'topic', 1024],
    ['e.space.child', 'order', 64],
    ['e.redaction', 'reason', 512],
  ])('has texts within their bounds: %s, %s', (type, member, most) => {
    const of = (length: number) => passes(type, { [member]: 'x'.repeat(length) })
    expect([0, most, most + 1].map(of)).toEqual([true, true, false])
  })

  it('has sealed data of 16 KiB at most', () => {
    for (const type of ['e.room.member', 'e.room.name', 'e.room.topic', 'e.room.avatar'] as const) {
      const of = (length: number) => passes(type, { sealed: 'A'.repeat(length) })
      expect([0, 16_384, 16_388].map(of)).toEqual([true, true, false])
    }
  })

  it.each<readonly [KnownType, string, (n: number) => string, number]>([
    ['e.room.grant', 'devices', (n) => bytes(12, n), 16],
    ['e.room.grant', 'send', (n) => `e.${String(n)}`, 32],
    ['e.space.child', 'via', (n) => `s${String(n)}.example`, 8],
    ['e.space.parent', 'via', (n) => `s${String(n)}.example`, 8],
  ])('has lists within their bounds: %s, %s', (type, member, make, most) => {
    const of = (length: number) =>
      passes(type, { [member]: Array.from({ length }, (_, n) => make(n)) })
    expect([0, most, most + 1].map(of)).toEqual([true, true, false])
  })

  it('lists at most 16 devices, none twice and no key twice', () => {
    const device = (n: number) => ({ id: bytes(12, n), ed25519: bytes(32, n) })
    const of = (length: number) =>
      passes('e.room.roster', { devices: Array.from({ length }, (_, n) => device(n)) })
    expect([0, 16, 17].map(of)).toEqual([true, true, false])
    for (const second of [
      { ...device(2), id: device(1).id },
      { ...device(2), ed25519: device(1).ed25519 },
    ])
      expect(passes('e.room.roster', { devices: [device(1), second] })).toBe(false)
  })

  it('gives power from 0 to 100, to members and for types', () => {
    const members = ['default', 'invite', 'kick', 'ban', 'redact', 'state_default']
    for (const member of members) {
      const of = (power: number) => passes('e.room.power', { [member]: power })
      expect([-1, 0, 100, 101].map(of)).toEqual([false, true, true, false])
    }
    const to = (power: number) => passes('e.room.power', { members: { [bytes(32)]: power } })
    const forType = (power: number) => passes('e.room.power', { events: { 'e.x': power } })
    expect([-1, 0, 100, 101].map(to)).toEqual([false, true, true, false])
    expect([-1, 0, 100, 101].map(forType)).toEqual([false, true, true, false])
    expect(passes('e.room.power', { members: { alice: 1 } })).toBe(false)
    for (const type of ['', '.a', 'A', 'a'.repeat(65)])
      expect(passes('e.room.power', { events: { [type]: 1 } })).toBe(false)
  })

  it('takes a picture away with null, and a grant back with no devices', () => {
    expect(passes('e.room.avatar', { avatar: null })).toBe(true)
    expect(passes('e.room.grant', { devices: [], until: 7 })).toBe(true)
    expect(passes('e.room.grant', { until: -1 })).toBe(false)
  })
})
