import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { formatPosition, parsePosition } from './position.ts'
import type { Position } from './position.ts'

const pos = fc.nat(2 ** 31)
const opaque = fc.stringMatching(/^[A-Za-z0-9_-]{43}$/)
const positions: fc.Arbitrary<Position> = fc.oneof(
  fc.record({ phase: fc.constantFrom('s' as const, 'p' as const), pos }),
  fc.record({
    phase: fc.constant('i' as const),
    pos,
    from: fc.oneof(
      fc.record({ part: fc.constant('to_device' as const), after: pos }),
      fc.record({ part: fc.constant('rooms' as const), after: fc.oneof(opaque, fc.constant('')) }),
    ),
  }),
)

describe('a position token', () => {
  it('reads back as what it was made from, within 128 characters', () => {
    fc.assert(
      fc.property(positions, (position) => {
        const text = formatPosition('abcdefgh', position)
        expect(text.length).toBeLessThanOrEqual(128)
        expect(parsePosition('abcdefgh', text)).toEqual(position)
        expect(parsePosition('abcdefgX', text)).toBeNull()
      }),
    )
  })

  it('is nothing but what the node could have said', () => {
    for (const text of [
      '',
      'abcdefgh',
      'abcdefgh.s.',
      'abcdefgh.s.01',
      'abcdefgh.s.1.r',
      'abcdefgh.i.1',
    ])
      expect(parsePosition('abcdefgh', text), text).toBeNull()
    fc.assert(
      fc.property(fc.string(), (text) => {
        expect(parsePosition('abcdefgh', text)).toBeNull()
      }),
    )
  })
})
