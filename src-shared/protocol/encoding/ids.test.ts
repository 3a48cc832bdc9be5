import { describe, expect, it } from 'vitest'
import * as z from 'zod'
import {
  base64UrlSchema,
  deviceIdSchema,
  envelopeIdSchema,
  eventIdSchema,
  fingerprintSchema,
  formatRoomId,
  formatUserId,
  isDeviceId,
  isEnvelopeId,
  isEventId,
  isFingerprint,
  parseRoomId,
  parseServerName,
  parseUserId,
  roomIdSchema,
  serverNameSchema,
  timestampSchema,
  toBase64Url,
  userIdSchema,
} from './index.ts'

const hash = toBase64Url(new Uint8Array(32).fill(7))

describe('server names', () => {
  it.each([
    ['example.org', 'hostname', 'example.org', null],
    ['localhost', 'hostname', 'localhost', null],
    ['a-b.c1:8448', 'hostname', 'a-b.c1', 8448],
    ['xn--bcher-kva.example', 'hostname', 'xn--bcher-kva.example', null],
    ['127.0.0.1', 'ipv4', '127.0.0.1', null],
    ['10.0.0.255:1', 'ipv4', '10.0.0.255', 1],
    ['[::1]', 'ipv6', '::1', null],
    ['[::]:65535', 'ipv6', '::', 65535],
    ['[2001:db8::8:800:200c:417a]', 'ipv6', '2001:db8::8:800:200c:417a', null],
    ['[2001:db8:0:1:1:1:1:1]:80', 'ipv6', '2001:db8:0:1:1:1:1:1', 80],
    ['[2001:0:0:1::1]', 'ipv6', '2001:0:0:1::1', null],
    ['[1::2:0:0:3:4]', 'ipv6', '1::2:0:0:3:4', null],
    ['[1:2:3:4:5:6:7:8]', 'ipv6', '1:2:3:4:5:6:7:8', null],
    ['[0:1:0:1:0:1:0:1]', 'ipv6', '0:1:0:1:0:1:0:1', null],
    ['[1:2:3:4:5:6::]', 'ipv6', '1:2:3:4:5:6::', null],
    ['[::3:4:5:6:7:8]', 'ipv6', '::3:4:5:6:7:8', null],
    ['[abcd:ef01::]', 'ipv6', 'abcd:ef01::', null],
    ['0.0.0.0', 'ipv4', '0.0.0.0', null],
    ['255.255.255.255', 'ipv4', '255.255.255.255', null],
    ['a1', 'hostname', 'a1', null],
    ['1a', 'hostname', '1a', null],
    ['1.a', 'hostname', '1.a', null],
    ['a.1b', 'hostname', 'a.1b', null],
    ['a.0x7g', 'hostname', 'a.0x7g', null],
    ['0x7f.example', 'hostname', '0x7f.example', null],
    ['z.z9:65535', 'hostname', 'z.z9', 65535],
    [`${'a'.repeat(63)}.org`, 'hostname', `${'a'.repeat(63)}.org`, null],
    [`${'a.'.repeat(126)}a`, 'hostname', `${'a.'.repeat(126)}a`, null],
  ])('reads %s', (text, kind, host, port) => {
    expect(parseServerName(text)).toEqual({ kind, host, port })
    expect(serverNameSchema.safeParse(text).success).toBe(true)
  })

  it.each([
    '',
    'Example.org',
    'exa_mple.org',
    '-a.org',
    'a-.org',
    'a..b',
    '.a',
    'a.',
    'a:',
    'a:0',
    'a:080',
    'a:65536',
    'a:1:2',
    'a b',
    'a/b',
    'ä.org',
    '1.2.3',
    '123',
    '1.2.3.00',
    '1.2.3.1000',
    '1.2.3.0x',
    '0x7f000001',
    'a.0x7f',
    'x1.2.3.4',
    '1.2.3.4x.5',
    '[1:2:3:4:5:6:7::]',
    '[::2:3:4:5:6:7:8]',
    '[1:2:3:4::5:6:7:8]',
    '[1:0:0:2::3:4]',
    '[12345::]',
    '[::12345]',
    '[1:::2]',
    '[:1]',
    'x[::1]',
    '[::1]:',
    '[::1]:0',
    'a:123456',
    'a:1x',
    `${'a.'.repeat(125)}aa:65535`,
    `${'a.'.repeat(126)}aa`,
    '1.2.3.256',
    '01.2.3.4',
    '1.2.3.4.5',
    'host.123',
    '::1',
    '[::1',
    '[::1]x',
    '[0:0:0:0:0:0:0:1]',
    '[::0001]',
    '[2001:DB8::1]',
    '[1::2::3]',
    '[1:2:3:4:5:6:7:8:9]',
    '[1:2:3:4:5:6:7]',
    '[2001:0:0:1:0:0:0:1]',
    '[2001:db8::1:1:1:1:1]',
    '[::ffff:1.2.3.4]',
    '[]',
    `${'a'.repeat(64)}.org`,
    `${'a.'.repeat(130)}a`,
  ])('refuses %j', (text) => {
    expect(parseServerName(text)).toBeNull()
    expect(serverNameSchema.safeParse(text).success).toBe(false)
  })
})

describe('user ids', () => {
  it('splits name and server', () => {
    expect(parseUserId('@alice:[::1]:8448')).toEqual({ name: 'alice', server: '[::1]:8448' })
    expect(formatUserId('alice', 'example.org')).toBe('@alice:example.org')
    for (const name of ['a', '0', 'a._=-9', 'z'.repeat(64)]) {
      expect(parseUserId(`@${name}:a.b`)).toEqual({ name, server: 'a.b' })
      expect(userIdSchema.safeParse(`@${name}:a.b`).success).toBe(true)
    }
  })

  it.each([
    'alice:example.org',
    '@:example.org',
    '@alice',
    '@Alice:example.org',
    '@.alice:example.org',
    '@al ice:example.org',
    '@alice:',
    '@alice:a b',
    '@alice!:a.b',
    '@!alice:a.b',
    'aalice:a.b',
    '@@alice:a.b',
    `@${'a'.repeat(65)}:example.org`,
  ])('refuses %j', (text) => {
    expect(parseUserId(text)).toBeNull()
    expect(userIdSchema.safeParse(text).success).toBe(false)
  })
})

describe('room ids', () => {
  it('name the create envelope, with the server as a hint', () => {
    const id = formatRoomId(hash, 'example.org:8448')
    expect(parseRoomId(id)).toEqual({ envelopeId: hash, server: 'example.org:8448' })
  })

  it.each([
    `!${hash}`,
    `!${hash}:`,
    `${hash}:a.b`,
    `!${hash}A:a.b`,
    `!${hash.slice(1)}:a.b`,
    '!x:a.b',
    `!${hash}:a b`,
    `!${hash.slice(1)}=:a.b`,
    `!${hash}.a.b`,
    `$${hash}:a.b`,
  ])('refuses %j', (text) => {
    expect(parseRoomId(text)).toBeNull()
    expect(roomIdSchema.safeParse(text).success).toBe(false)
  })
})

describe('hashes and device ids', () => {
  it('have one length and zero trailing bits', () => {
    expect(isFingerprint(hash)).toBe(true)
    expect(isEnvelopeId(hash)).toBe(true)
    expect(isEventId(`$${hash}`)).toBe(true)
    expect(isDeviceId(toBase64Url(new Uint8Array(12)))).toBe(true)
    const spareBit = `${hash.slice(0, 42)}d`
    for (const bad of ['', hash.slice(1), `${hash}A`, spareBit, `$${hash}`])
      expect([isFingerprint(bad), isEnvelopeId(bad)]).toEqual([false, false])
    for (const bad of [hash, `!${hash}`, `$${spareBit}`, '$']) expect(isEventId(bad)).toBe(false)
    for (const bad of ['', 'A'.repeat(15), 'A'.repeat(17), 'A'.repeat(15) + '=', 'recovery'])
      expect(isDeviceId(bad)).toBe(false)
  })
})

describe('timestamps', () => {
  it('are whole milliseconds, not negative', () => {
    expect(timestampSchema.safeParse(1_700_000_000_000).success).toBe(true)
    for (const bad of [-1, 1.5, '1', Number.NaN])
      expect(timestampSchema.safeParse(bad).success).toBe(false)
  })
})

describe('the schemas of ids', () => {
  const device = toBase64Url(new Uint8Array(12).fill(7))
  const patternOf = (schema: z.ZodType): RegExp => {
    const { pattern } = z.toJSONSchema(schema)
    if (pattern === undefined) throw new Error('the JSON Schema has no pattern')
    return new RegExp(pattern)
  }
  const spoiled = (text: string): string[] => [
    '',
    text.slice(1),
    text.slice(0, -1),
    `${text}=`,
    ` ${text}`,
    `${text.slice(0, -1)}.`,
    `.${text}`,
  ]

  it.each<[string, z.ZodType, string, string]>([
    ['fingerprint', fingerprintSchema, hash, 'bad base64url'],
    ['envelope', envelopeIdSchema, hash, 'bad base64url'],
    ['device', deviceIdSchema, device, 'bad base64url'],
    ['event', eventIdSchema, `$${hash}`, 'bad event id'],
  ])('and their JSON Schema take one form of %s id', (_, schema, id, message) => {
    const pattern = patternOf(schema)
    expect(schema.safeParse(id).success).toBe(true)
    expect(id).toMatch(pattern)
    for (const bad of spoiled(id)) {
      expect(schema.safeParse(bad).error?.issues.map((issue) => issue.message)).toEqual([message])
      expect(bad).not.toMatch(pattern)
    }
  })

  it.each<[string, z.ZodType, string, readonly string[], string]>([
    [
      'user',
      userIdSchema,
      '@alice:example.org',
      ['alice:example.org', '@Alice:example.org', '@alice', '@alice:', `@${'a'.repeat(65)}:b.c`],
      'bad user id',
    ],
    [
      'room',
      roomIdSchema,
      `!${hash}:example.org`,
      [`${hash}:example.org`, `!${hash}`, `!${hash}:`, `!${hash.slice(1)}:b.c`, `x!${hash}:b.c`],
      'bad room id',
    ],
  ])('and their JSON Schema refuse another form of %s id', (_, schema, id, bads, message) => {
    const pattern = patternOf(schema)
    expect(schema.safeParse(id).success).toBe(true)
    expect(id).toMatch(pattern)
    for (const bad of bads) {
      expect(schema.safeParse(bad).error?.issues.map((issue) => issue.message)).toEqual([message])
      expect(bad).not.toMatch(pattern)
    }
  })

  it('say of a server name that it is bad', () => {
    expect(serverNameSchema.safeParse('a b').error?.issues[0]?.message).toBe('bad server name')
  })

  it.each([0, 1, 2, 3, 12, 31, 32, 64])(
    'describe %i bytes as text whose spare bits are zero',
    (length) => {
      const pattern = patternOf(base64UrlSchema(length))
      for (const fill of [0, 0x5a, 0xff]) {
        const text = toBase64Url(new Uint8Array(length).fill(fill))
        expect(text).toMatch(pattern)
        expect(text).toMatch(patternOf(base64UrlSchema()))
        expect(`${text}A`).not.toMatch(pattern)
        if (length % 3 !== 0) {
          const spare = `${text.slice(0, -1)}B`
          expect(spare).not.toMatch(pattern)
          expect(spare).not.toMatch(patternOf(base64UrlSchema()))
        }
      }
    },
  )
})
