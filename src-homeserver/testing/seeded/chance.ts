/** Chance that can be had again: everything here follows from a number and a name. */

/** Small, seeded, good enough for faults. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A source of its own for each name, so that one's draws do not move another's. */
export function seededBy(seed: number, name: string): () => number {
  let hash = 0x811c9dc5 ^ seed
  for (const letter of name) hash = Math.imul(hash ^ (letter.codePointAt(0) ?? 0), 0x01000193)
  return seeded(Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d))
}

export function seededBytes(seed: number, name: string): (length: number) => Uint8Array {
  const draw = seededBy(seed, name)
  return (length) => Uint8Array.from({ length }, () => Math.floor(draw() * 256))
}

/** One of the names, each as likely as its weight. */
export function weighted<K extends string>(
  weights: Readonly<Record<K, number>>,
  draw: () => number,
): K {
  const entries = Object.entries(weights) as [K, number][]
  let left = draw() * entries.reduce((sum, [, weight]) => sum + weight, 0)
  for (const [name, weight] of entries) if ((left -= weight) < 0) return name
  const last = entries.at(-1)
  if (last === undefined) throw new Error('nothing to choose from')
  return last[0]
}
