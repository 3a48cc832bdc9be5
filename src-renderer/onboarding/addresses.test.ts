import { describe, expect, it } from 'vitest'
import { isValidName, splitAddress, suggestName } from './addresses.ts'

describe('addresses', () => {
  it('are taken apart with ports and bracketed addresses', () => {
    expect(splitAddress('@anna:chat.example.org:8448')).toEqual({
      name: 'anna',
      server: 'chat.example.org:8448',
    })
    expect(splitAddress('anna:[::1]:8448')).toEqual({ name: 'anna', server: '[::1]:8448' })
    expect(splitAddress('anna')).toBeNull()
  })

  it('begin with names of the grammar', () => {
    expect(isValidName('a.b-c_d=1')).toBe(true)
    for (const name of ['', '.a', 'Anna', 'a b', 'ä', 'x'.repeat(65)]) {
      expect(isValidName(name), name).toBe(false)
    }
  })

  it('are suggested from display names', () => {
    expect(suggestName('Zoë Quist')).toBe('zoe.quist')
    expect(suggestName('林梅')).toBe('')
  })
})
