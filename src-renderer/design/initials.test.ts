import { describe, expect, it } from 'vitest'
import { hueCount, hueOf, initialsOf } from './initials.ts'

describe('initials', () => {
  it('take the first and last word, one sign where a script has no spaces or case', () => {
    expect(initialsOf('Anna Brandt')).toBe('AB')
    expect(initialsOf('Anna Maria von Brandt')).toBe('AB')
    expect(initialsOf('@mei.lin:home.example')).toBe('ML')
    expect(initialsOf('林梅')).toBe('林')
    expect(initialsOf('عمر الحداد')).toBe('ع')
    expect(initialsOf('🌻 Garden')).toBe('🌻')
    expect(initialsOf('')).toBe('?')
  })

  it('come with a colour that stays the same', () => {
    expect(hueOf('@anna:home.example')).toBe(hueOf('@anna:home.example'))
    const hues = new Set(Array.from({ length: 200 }, (_, index) => hueOf(`room ${index}`)))
    expect(hues.size).toBe(hueCount)
  })
})
