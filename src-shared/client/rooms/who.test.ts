import { describe, expect, it } from 'vitest'
import { invitationLink, parseWho } from './who.ts'

const fp = 'A'.repeat(42) + 'E'

describe('whom a person means', () => {
  it('a bare name lives on the own server', () => {
    expect(parseWho(' Ada ', 'a.test')).toEqual({
      userId: '@ada:a.test',
      name: 'ada',
      server: 'a.test',
      fingerprint: null,
    })
  })

  it('a user id is taken as it is, with or without the sign', () => {
    expect(parseWho('@ada:b.test:8448', 'a.test').server).toBe('b.test:8448')
    expect(parseWho('ada:[2001:db8::1]', 'a.test').userId).toBe('@ada:[2001:db8::1]')
  })

  it('an address written as for e-mail is meant all the same', () => {
    expect(parseWho('Ada@b.test:8448', 'a.test').userId).toBe('@ada:b.test:8448')
    for (const text of ['ada@b@c', '@ada@b.test', 'a:b@c.test'])
      expect(() => parseWho(text, 'a.test')).toThrow('bad_input')
  })

  it('a link pins the fingerprint', () => {
    const link = invitationLink('@ada:a.test', fp)
    expect(parseWho(link, 'b.test')).toMatchObject({ userId: '@ada:a.test', fingerprint: fp })
    expect(parseWho(`eccp:invite/%40ada%3Aa.test?fp=${fp}`, 'b.test').userId).toBe('@ada:a.test')
  })

  it('refuses what names nobody', () => {
    for (const text of [
      '',
      '@',
      'a b',
      '@ada:',
      'eccp:invite/@ada:a.test',
      `eccp:invite/%?fp=${fp}`,
    ])
      expect(() => parseWho(text, 'a.test')).toThrow('bad_input')
  })
})
