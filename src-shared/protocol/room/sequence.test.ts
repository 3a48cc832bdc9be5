import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { emptySequence, SEQUENCE_WINDOW, trackSequence } from './sequence.ts'
import type { SequenceState } from './sequence.ts'

const idAt = (seq: number): string => `id ${seq}`
const headerAt = (seq: number) => ({ seq, prev_own: seq === 0 ? null : idAt(seq - 1) })

function after(...seqs: number[]): SequenceState {
  return seqs.reduce(
    (state, seq) => trackSequence(state, headerAt(seq), idAt(seq)).state,
    emptySequence,
  )
}

function verdict(state: SequenceState, seq: number, prev: string | null, id: string) {
  return trackSequence(state, { seq, prev_own: prev }, id).verdict
}

describe('the sequence of a device', () => {
  it('is fresh in order, from wherever one joins in', () => {
    expect(verdict(emptySequence, 0, null, idAt(0))).toEqual({ kind: 'fresh' })
    expect(verdict(emptySequence, 57, idAt(56), idAt(57))).toEqual({ kind: 'fresh' })
    expect(verdict(after(0, 1), 2, idAt(1), idAt(2))).toEqual({ kind: 'fresh' })
  })

  it('shows a replay', () => {
    for (const seq of [0, 1, 2])
      expect(verdict(after(0, 1, 2), seq, headerAt(seq).prev_own, idAt(seq))).toEqual({
        kind: 'replay',
      })
  })

  it('shows a gap, and takes what fills it', () => {
    expect(verdict(after(0, 1), 4, idAt(3), idAt(4))).toEqual({ kind: 'gap', missing: 2 })
    expect(verdict(after(0), 5, idAt(4), idAt(5))).toEqual({ kind: 'gap', missing: 4 })
    const state = after(0, 1, 4)
    expect(verdict(state, 3, idAt(2), idAt(3))).toEqual({ kind: 'fresh' })
    expect(verdict(after(0, 1, 4, 3), 2, idAt(1), idAt(2))).toEqual({ kind: 'fresh' })
    expect(verdict(after(57), 56, idAt(55), idAt(56))).toEqual({ kind: 'fresh' })
  })

  it('shows two envelopes under one number', () => {
    expect(verdict(after(0, 1, 2), 1, idAt(0), 'other')).toEqual({ kind: 'equivocation' })
  })

  it('shows a chain that contradicts what was seen', () => {
    const state = after(0, 1, 2)
    // Another predecessor than the one seen; the same one twice; one from the future; none; a first with one.
    expect(verdict(state, 3, 'other', idAt(3))).toEqual({ kind: 'equivocation' })
    expect(verdict(state, 5, idAt(0), idAt(5))).toEqual({ kind: 'equivocation' })
    expect(verdict(after(4), 3, idAt(4), idAt(3))).toEqual({ kind: 'equivocation' })
    expect(verdict(state, 5, null, idAt(5))).toEqual({ kind: 'equivocation' })
    expect(verdict(emptySequence, 0, idAt(7), idAt(0))).toEqual({ kind: 'equivocation' })
    expect(verdict(after(4), 3, idAt(2), 'other')).toEqual({ kind: 'equivocation' })
  })

  it('does not move on what it refused', () => {
    const state = after(0, 1)
    expect(trackSequence(state, { seq: 1, prev_own: idAt(0) }, 'other').state).toBe(state)
  })

  it('forgets beyond its window and says so', () => {
    const state = after(...Array.from({ length: SEQUENCE_WINDOW + 10 }, (_, seq) => seq))
    expect(state.seen).toHaveLength(SEQUENCE_WINDOW)
    expect(verdict(state, 3, idAt(2), idAt(3))).toEqual({ kind: 'old' })
    expect(verdict(state, 10, idAt(9), idAt(10))).toEqual({ kind: 'replay' })
  })

  it('of an honest device is never taken for anything but fresh or a gap, in any order', () => {
    const order = fc.shuffledSubarray([...Array(40).keys()])
    fc.assert(
      fc.property(order, (seqs) => {
        let state = emptySequence
        for (const seq of seqs) {
          const tracked = trackSequence(state, headerAt(seq), idAt(seq))
          expect(['fresh', 'gap']).toContain(tracked.verdict.kind)
          state = tracked.state
        }
        for (const seq of seqs)
          expect(trackSequence(state, headerAt(seq), idAt(seq)).verdict.kind).toBe('replay')
      }),
    )
  })
})

describe('what is remembered of a device', () => {
  const at = (seq: number, prev: string | null, id: string) => ({ seq, id, prev })
  const state = (...seen: ReturnType<typeof at>[]): SequenceState => ({
    greatest: Math.max(...seen.map(({ seq }) => seq)),
    seen,
    floor: 0,
  })

  it('is each envelope with what it names, by number, and the greatest number', () => {
    expect(after(0, 1)).toEqual({
      greatest: 1,
      seen: [at(0, null, idAt(0)), at(1, idAt(0), idAt(1))],
      floor: 0,
    })
    expect(after(5, 3)).toEqual({
      greatest: 5,
      seen: [at(3, idAt(2), idAt(3)), at(5, idAt(4), idAt(5))],
      floor: 0,
    })
  })

  it('begins, once the window is full, with the oldest that is kept', () => {
    const all = (count: number) => after(...Array(count).keys())
    const full = all(SEQUENCE_WINDOW)
    expect([full.seen.length, full.floor]).toEqual([SEQUENCE_WINDOW, 0])
    const over = all(SEQUENCE_WINDOW + 1)
    expect([over.seen.length, over.floor, over.seen[0]?.seq]).toEqual([SEQUENCE_WINDOW, 1, 1])
    expect(verdict(over, 0, null, idAt(0))).toEqual({ kind: 'old' })
    expect(verdict(over, 1, idAt(0), idAt(1))).toEqual({ kind: 'replay' })
    const next = trackSequence(over, headerAt(SEQUENCE_WINDOW + 1), idAt(SEQUENCE_WINDOW + 1))
    expect(next.state.floor).toBe(2)
    // What is old changes nothing, and neither does what was seen.
    expect(trackSequence(over, headerAt(0), idAt(0)).state).toBe(over)
    expect(trackSequence(over, headerAt(9), idAt(9)).state).toBe(over)
  })

  it.each<readonly [string, SequenceState, ReturnType<typeof at>, 'fresh' | 'equivocation']>([
    ['the first names nothing', emptySequence, at(0, 'x', 'a'), 'equivocation'],
    ['a later one names something', state(at(3, 'c', 'd')), at(5, null, 'f'), 'equivocation'],
    ['also if it comes before', state(at(5, null, 'f')), at(3, 'c', 'd'), 'equivocation'],
    ['but one that is earlier may be the first', state(at(3, 'c', 'd')), at(0, null, 'a'), 'fresh'],
    ['what is named is earlier', state(at(5, 'e', 'f')), at(3, 'f', 'd'), 'equivocation'],
    ['whichever comes first', state(at(3, 'f', 'd')), at(5, 'e', 'f'), 'equivocation'],
    ['but may be some numbers away', state(at(3, 'c', 'd')), at(5, 'd', 'f'), 'fresh'],
    ['either way', state(at(5, 'd', 'f')), at(3, 'c', 'd'), 'fresh'],
    ['nothing is named twice', state(at(3, 'x', 'd')), at(7, 'x', 'h'), 'equivocation'],
    [
      'two first ones are no two that name the same',
      state(at(0, null, 'a')),
      at(1, 'a', 'b'),
      'fresh',
    ],
    ['the next names the one before', state(at(3, 'c', 'd')), at(4, 'y', 'e'), 'equivocation'],
    ['and the one before is named', state(at(4, 'y', 'e')), at(3, 'c', 'd'), 'equivocation'],
    ['a gap may hide anything', state(at(3, 'c', 'd')), at(5, 'y', 'f'), 'fresh'],
  ])('and contradicted where it is broken: %s', (_, before, { seq, prev, id }, expected) => {
    const { kind } = verdict(before, seq, prev, id)
    expect(kind === 'gap' ? 'fresh' : kind).toBe(expected)
  })
})
