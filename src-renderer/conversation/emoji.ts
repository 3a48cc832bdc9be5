/** The emoji list, loaded when first needed, and its search. */

export interface Emoji {
  readonly sign: string
  readonly label: string
  readonly tags: readonly string[]
  readonly group: number
}

interface Entry {
  unicode: string
  label: string
  tags?: string[]
  group?: number
  order?: number
}

/** Groups on show, in order; 2 holds skin tones and hair only. */
export const emojiGroups = [0, 1, 3, 4, 5, 6, 7, 8, 9] as const

let loaded: Promise<readonly Emoji[]> | null = null

export function loadEmoji(): Promise<readonly Emoji[]> {
  loaded ??= import('emojibase-data/en/compact.json').then(({ default: entries }) =>
    (entries as Entry[])
      .filter((entry) => entry.group !== undefined && entry.group !== 2)
      .sort((a, b) => (a.order ?? 0) - (b.order ?? 0))
      .map(({ unicode, label, tags = [], group = 0 }) => ({ sign: unicode, label, tags, group })),
  )
  return loaded
}

/** Emoji whose label or tags hold every word; those whose label begins with the query come first. */
export function searchEmoji(all: readonly Emoji[], query: string): readonly Emoji[] {
  const words = query.trim().toLowerCase().split(/\s+/)
  const first = words[0] ?? ''
  const rank = (emoji: Emoji): number =>
    emoji.label.startsWith(first) ? 0 : emoji.tags.includes(first) ? 1 : 2
  return all
    .filter((emoji) =>
      words.every(
        (word) => emoji.label.includes(word) || emoji.tags.some((tag) => tag.startsWith(word)),
      ),
    )
    .sort((a, b) => rank(a) - rank(b))
    .slice(0, 120)
}
