import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { visibleSpans } from './visible-spans.ts'
import type { Change } from './visible-spans.ts'

function changes(values: readonly [number, string][]): Change<string>[] {
  return values.map(([pos, value]) => ({ pos, value }))
}

const sees = (
  memberships: readonly [number, string][],
  visibilities: readonly [number, string][],
  pos: number,
): boolean =>
  visibleSpans(changes(memberships), changes(visibilities)).some(
    ({ from, to }) => from <= pos && pos <= to,
  )

describe('what a member may read', () => {
  it('is nothing before joining, whatever the room says', () => {
    expect(visibleSpans(changes([[5, 'invite']]), changes([[1, 'shared']]))).toEqual([])
    expect(visibleSpans([], changes([[1, 'world_readable']]))).toEqual([])
  })

  it('begins with the join and ends with the leave', () => {
    const joined: [number, string][] = [
      [10, 'join'],
      [20, 'leave'],
    ]
    const at = (pos: number) => sees(joined, [[1, 'joined']], pos)
    expect([9, 10, 15, 20, 21].map(at)).toEqual([false, true, true, true, false])
  })

  it('begins with the invitation where the room says so', () => {
    const invited: [number, string][] = [
      [10, 'invite'],
      [20, 'join'],
    ]
    const at = (pos: number) => sees(invited, [[1, 'invited']], pos)
    expect([9, 10, 15, 25].map(at)).toEqual([false, true, true, true])
  })

  it('is what was open at the time, not what was opened later', () => {
    const visibilities: [number, string][] = [
      [1, 'joined'],
      [10, 'shared'],
      [20, 'joined'],
    ]
    const at = (pos: number) => sees([[30, 'join']], visibilities, pos)
    expect([5, 10, 15, 25, 30].map(at)).toEqual([false, true, true, false, true])
  })

  it('is not opened by what was said about visibility later, or after leaving', () => {
    expect(sees([[30, 'join']], [[10, 'shared']], 9)).toBe(false)
    const gone: [number, string][] = [
      [1, 'join'],
      [5, 'leave'],
    ]
    expect(sees(gone, [[9, 'shared']], 7)).toBe(false)
  })

  it('never holds anything after the last leave', () => {
    const value = fc.constantFrom('join', 'leave', 'invite', 'ban')
    const visibility = fc.constantFrom('joined', 'shared', 'invited', 'world_readable')
    const history = <T>(one: fc.Arbitrary<T>) =>
      fc.uniqueArray(fc.tuple(fc.integer({ min: 0, max: 50 }), one), {
        selector: ([pos]) => pos,
        maxLength: 8,
      })
    fc.assert(
      fc.property(history(value), history(visibility), (memberships, visibilities) => {
        const ordered = [...memberships].sort(([a], [b]) => a - b)
        const spans = visibleSpans(
          changes(ordered),
          changes([...visibilities].sort(([a], [b]) => a - b)),
        )
        for (const [index, span] of spans.entries()) {
          expect(span.from).toBeLessThanOrEqual(span.to)
          expect(span.from).toBeGreaterThan(spans[index - 1]?.to ?? -Infinity)
        }
        const end = ordered.findLastIndex(([, membership]) => membership === 'join')
        if (end < 0) expect(spans).toEqual([])
        const after = ordered[end + 1]
        if (end >= 0 && after !== undefined)
          for (const { to } of spans) expect(to).toBeLessThanOrEqual(after[0])
      }),
    )
  })
})
