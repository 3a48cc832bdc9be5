/**
 * Following what one device seals in one room (Two objects §5): `seq` and `prev_own` show replays, gaps
 * and a device (or whoever holds its key) telling different people different things.
 */
import type { EnvelopeHeader } from '../envelope/index.ts'

/** Per room and device; plain JSON, so that it can be stored as it is. */
export interface SequenceState {
  /** The greatest `seq` seen; -1 before the first. */
  readonly greatest: number
  /** Envelope ids by `seq`, ascending: the latest `SEQUENCE_WINDOW` of them. */
  readonly seen: readonly {
    readonly seq: number
    readonly id: string
    readonly prev: string | null
  }[]
  /** Below this nothing is remembered any more. */
  readonly floor: number
}

export const SEQUENCE_WINDOW = 256

export const emptySequence: SequenceState = { greatest: -1, seen: [], floor: 0 }

export type SequenceVerdict =
  /** The next one, the first one seen, or one that fills a gap. */
  | { readonly kind: 'fresh' }
  /** The next ones are missing: late, refused by the node and sealed anew, or withheld. */
  | { readonly kind: 'gap'; readonly missing: number }
  | { readonly kind: 'replay' }
  /** Another envelope under a `seq` already seen, or a chain of `prev_own` that contradicts what was seen. */
  | { readonly kind: 'equivocation' }
  /** Older than is remembered: neither fresh nor replay can be told here; envelope ids in store decide. */
  | { readonly kind: 'old' }

export interface Tracked {
  readonly verdict: SequenceVerdict
  readonly state: SequenceState
}

/** `id` is the envelope id of `header`, whose signature has been verified. Keep `state` whatever the verdict. */
export function trackSequence(
  state: SequenceState,
  header: Pick<EnvelopeHeader, 'seq' | 'prev_own'>,
  id: string,
): Tracked {
  const { seq, prev_own: prev } = header
  const unchanged = (kind: 'replay' | 'equivocation' | 'old'): Tracked => ({
    verdict: { kind },
    state,
  })
  if (seq < state.floor) return unchanged('old')
  const same = state.seen.find((known) => known.seq === seq)
  if (same !== undefined) return unchanged(same.id === id ? 'replay' : 'equivocation')
  if (contradicts(state, seq, prev, id)) return unchanged('equivocation')

  const missing = state.greatest < 0 ? 0 : Math.max(0, seq - state.greatest - 1)
  const all = [...state.seen, { seq, id, prev }].sort((a, b) => a.seq - b.seq)
  const seen = all.slice(-SEQUENCE_WINDOW)
  const dropped = all.length > seen.length
  return {
    verdict: missing > 0 ? { kind: 'gap', missing } : { kind: 'fresh' },
    state: {
      greatest: Math.max(state.greatest, seq),
      seen,
      floor: dropped ? (seen[0]?.seq ?? state.floor) : state.floor,
    },
  }
}

/**
 * An honest device names as `prev_own` what it sealed just before, whether the node took that or not. So
 * what is named has a smaller `seq`, nothing is named twice, and of two neighbours the later names the
 * earlier.
 */
function contradicts(state: SequenceState, seq: number, prev: string | null, id: string): boolean {
  if (seq === 0 && prev !== null) return true
  return state.seen.some(
    (known) =>
      (known.seq < seq && prev === null) ||
      (known.seq > seq && known.prev === null) ||
      (known.id === prev && known.seq >= seq) ||
      (known.prev === id && known.seq <= seq) ||
      (known.prev !== null && known.prev === prev) ||
      (known.seq === seq - 1 && known.id !== prev) ||
      (known.seq === seq + 1 && known.prev !== id),
  )
}
