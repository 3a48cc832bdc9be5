import { describe, expect, it } from 'vitest'
import {
  formatRoomId,
  formatUserId,
  isDeviceId,
  isEnvelopeId,
  isEventId,
  isFingerprint,
  parseRoomId,
  parseServerName,
  parseUserId,
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
  })

  it.each([
    'alice:example.org',
    '@:example.org',
    '@alice',
    '@Alice:example.org',
    '@.alice:example.org',
    '@al ice:example.org',
    '@alice:',
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
  ])('refuses %j', (text) => {
    expect(parseRoomId(text)).toBeNull()
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
