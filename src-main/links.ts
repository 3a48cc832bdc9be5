/** Which addresses may leave the app, and how: only ones that open a page or a letter, never a program. */

const SCHEMES = new Set(['https:', 'http:', 'mailto:'])

/** The address as it will be opened, or null where it may not be. */
export function externalUrl(text: string): string | null {
  if (!URL.canParse(text)) return null
  const url = new URL(text)
  if (!SCHEMES.has(url.protocol)) return null
  // A name and password before the host are used to make an address look like another's.
  if (url.username !== '' || url.password !== '') return null
  return url.href
}
