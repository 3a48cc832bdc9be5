/**
 * Position tokens (Sync §8). They name the data they count in, so that a token of another node, or of
 * the future of a node that was restored, is known for what it is.
 *
 * `s` caught up to a position; `p` the same, said to a pending device, which has seen no room yet; `i`
 * in the middle of starting from nothing: everything up to the position, beginning at `from`.
 *
 * Of windows: `v` in the middle of starting, messages to the device told up to `after`; `w` caught up to a
 * position, looking through the windows that `look` is a digest of; `more` where some of their rooms were
 * still to be shown.
 */
export type Position =
  | { readonly phase: 's' | 'p'; readonly pos: number }
  | { readonly phase: 'i'; readonly pos: number; readonly from: Cursor }
  | { readonly phase: 'v'; readonly pos: number; readonly after: number }
  | {
      readonly phase: 'w'
      readonly pos: number
      readonly look: string
      readonly more: boolean
    }

/** First the messages to the device, then room by room. */
export type Cursor =
  | { readonly part: 'to_device'; readonly after: number }
  | { readonly part: 'rooms'; readonly after: string }

export const firstCursor: Cursor = { part: 'to_device', after: 0 }

export function formatPosition(storage: string, position: Position): string {
  const start = `${storage}.${position.phase}.${position.pos}`
  if (position.phase === 'v') return `${start}.t${position.after}`
  if (position.phase === 'w') return `${start}.${position.more ? 'm' : 'n'}${position.look}`
  if (position.phase !== 'i') return start
  const { from } = position
  return from.part === 'to_device' ? `${start}.t${from.after}` : `${start}.r${from.after}`
}

const number = /^(?:0|[1-9][0-9]{0,15})$/

/** Null for anything that this node can not have said. */
export function parsePosition(storage: string, text: string): Position | null {
  const [owner, phase, pos = '', from = '', ...rest] = text.split('.')
  if (owner !== storage || !number.test(pos) || rest.length > 0) return null
  if ((phase === 's' || phase === 'p') && from === '') return { phase, pos: Number(pos) }
  if (phase === 'w') {
    if (!/^[mn][A-Za-z0-9_-]{8}$/.test(from)) return null
    return { phase, pos: Number(pos), look: from.slice(1), more: from.startsWith('m') }
  }
  if (phase === 'v') {
    if (!from.startsWith('t') || !number.test(from.slice(1))) return null
    return { phase, pos: Number(pos), after: Number(from.slice(1)) }
  }
  if (phase !== 'i') return null
  const after = from.slice(1)
  if (from.startsWith('t') && number.test(after))
    return { phase, pos: Number(pos), from: { part: 'to_device', after: Number(after) } }
  if (from.startsWith('r') && /^[A-Za-z0-9_-]{0,43}$/.test(after))
    return { phase, pos: Number(pos), from: { part: 'rooms', after } }
  return null
}

/** A place in a room's order: what is older ends before the event at this position, what is newer begins with it. */
export function formatBefore(pos: number): string {
  return `b${pos}`
}

export function parseBefore(text: string): number | null {
  return /^b-?[0-9]{1,15}$/.test(text) ? Number(text.slice(1)) : null
}
