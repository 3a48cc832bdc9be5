/** Finds links and tells text that is nothing but a few emoji. Pure. */
import { LinkifyIt } from 'linkify-it'

const linkify = new LinkifyIt({ fuzzyLink: true, fuzzyEmail: true })
linkify.add('ftp:', null).add('//', null)

export type Piece = { readonly text: string; readonly url: string | null }

export function splitLinks(text: string): Piece[] {
  const found = linkify.match(text)
  if (!found) return [{ text, url: null }]
  const pieces: Piece[] = []
  let at = 0
  for (const match of found) {
    if (match.index > at) pieces.push({ text: text.slice(at, match.index), url: null })
    // A name without a scheme gets the safe one.
    const url = match.schema === '' ? match.url.replace(/^http:/, 'https:') : match.url
    pieces.push({ text: match.raw, url })
    at = match.lastIndex
  }
  if (at < text.length) pieces.push({ text: text.slice(at), url: null })
  return pieces
}

const emojiOnly =
  /^(?:\s*(?:\p{Regional_Indicator}{2}|\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F?)(?:\p{Emoji_Modifier}|\u200D(?:\p{Extended_Pictographic})\uFE0F?)*){1,4}\s*$/u

/** True for one to four emoji and nothing else: they are shown large. */
export const isEmojiOnly = (text: string): boolean => text.length < 60 && emojiOnly.test(text)
