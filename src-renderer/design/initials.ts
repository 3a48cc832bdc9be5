/** Initials and a stable colour for a name that has no picture. Pure. */

const segmenter = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

function firstGrapheme(word: string): string {
  for (const { segment } of segmenter.segment(word)) return segment
  return ''
}

/** Up to two letters of the first and last word; a single sign for scripts without spaces, emoji. */
export function initialsOf(name: string): string {
  const words = name
    .replace(/^@/, '')
    .replace(/:.*$/, '')
    .split(/[\s._\-–]+/u)
    .filter((word) => /[\p{L}\p{N}\p{Extended_Pictographic}]/u.test(word))
  const first = firstGrapheme(words[0] ?? name.trim())
  const last = words.length > 1 ? firstGrapheme(words[words.length - 1] ?? '') : ''
  const cased = /^[\p{Lu}\p{Ll}\p{N}]+$/u
  if (!cased.test(first)) return first || '?'
  return (first + (cased.test(last) ? last : '')).toLocaleUpperCase()
}

export const hueCount = 10

/** 0 … hueCount − 1, the same for the same id on every device (FNV-1a). */
export function hueOf(id: string): number {
  let hash = 0x811c9dc5
  for (let index = 0; index < id.length; index++) {
    hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193) >>> 0
  }
  return hash % hueCount
}
