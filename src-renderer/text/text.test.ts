import { describe, expect, it } from 'vitest'
import { errorCodes } from '../../src-shared/ipc/index.ts'
import { en } from './en.ts'
import { errorText } from './errors.ts'
import { t } from './t.ts'
import { dayHeading, listTime } from './times.ts'

describe('the message catalogue', () => {
  it('fills parameters and chooses the plural', () => {
    expect(t('rooms.unread', { count: 1 })).toBe('1 unread message')
    expect(t('rooms.unread', { count: 5 })).toBe('5 unread messages')
    expect(t('notice.invited', { by: 'Anna', who: 'Mei' })).toBe('Anna invited Mei')
  })

  it('keeps a name written from right to left from turning the sentence round', () => {
    expect(t('notice.joined', { who: 'عمر' })).toBe('\u2068عمر\u2069 joined')
  })

  it('does not read a name as a pattern', () => {
    expect(t('notice.joined', { who: '{who} $& $1' })).toBe('{who} $& $1 joined')
  })

  it('has words for every error', () => {
    for (const code of errorCodes) expect(errorText({ code })).not.toMatch(/^error\./)
    expect(errorText({ code: 'rate_limited', retryAfter: 2_400 })).toContain('3 seconds')
  })

  it('is free of jargon', () => {
    const jargon =
      /ratchet|prekey|envelope|fingerprint|cipher|encrypt|handshake|payload|manifest|session|token|federat|vault|homeserver/i
    for (const [key, entry] of Object.entries(en)) {
      for (const text of typeof entry === 'string' ? [entry] : Object.values(entry)) {
        expect(text, key).not.toMatch(jargon)
      }
    }
  })
})

describe('times in words', () => {
  const now = new Date(2030, 4, 3, 12).getTime()
  const ago = (days: number) => now - days * 86_400_000

  it('name near days and date far ones', () => {
    expect(dayHeading(now, now)).toBe('Today')
    expect(dayHeading(ago(1), now)).toBe('Yesterday')
    expect(dayHeading(ago(3), now)).toBe('Tuesday')
    expect(dayHeading(ago(400), now)).toContain('2029')
    expect(listTime(now, now)).toBe('12:00')
  })
})
