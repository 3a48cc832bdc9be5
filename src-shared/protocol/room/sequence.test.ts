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
