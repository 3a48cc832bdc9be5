import { describe, expect, it } from 'vitest'
import { displayName } from './contacts.ts'
import { shownName } from './shown-name.ts'

describe('a name as it is shown', () => {
  it('is what people call themselves, in any script', () => {
    for (const name of [
      'Ada Lovelace',
      'Bo 鷺',
      'مريم',
      'Žofie-Anna',
      '👩‍👩‍👧‍👦',
      '🏳️‍🌈 Kim',
      'می‌خواهم',
      '.',
    ])
      expect(shownName(name)).toBe(name)
  })

  it('turns no text around it, and breaks no line', () => {
    expect(shownName('\u202Eadmin\u202C')).toBe('admin')
    expect(shownName('Ada\u2066\u2069\r\n\tLovelace\u2028')).toBe('Ada Lovelace')
    expect(shownName('a\u0000b\u001B[31m')).toBe('a b [31m')
  })

  it('is never empty to the eye: then the address names them', () => {
    for (const name of ['', '  ', '\u200B', '\u3164', '\u2060\u200D', '\u00A0\u00AD', '\u202E']) {
      expect(shownName(name)).toBe('')
      expect(displayName({ name }, '@ada:a.test')).toBe('ada')
    }
  })

  it('is as long as a name, however much a server sends', () => {
    expect([...shownName('🦆'.repeat(100_000))]).toHaveLength(128)
    expect(shownName(`${'x'.repeat(2047)}🦆`).isWellFormed()).toBe(true)
  })
})
