/** What a person types as name, address or server, taken apart. Pure; main checks it for good. */

const nameGrammar = /^[a-z0-9][a-z0-9._=-]{0,63}$/

export const isValidName = (name: string): boolean => nameGrammar.test(name)

/** `@name:server` taken apart; null if it is not a full address. */
export function splitAddress(text: string): { name: string; server: string } | null {
  const found = /^@?([^:@\s]+):(\S+)$/.exec(text.trim())
  return found?.[1] !== undefined && found[2] !== undefined
    ? { name: found[1].toLowerCase(), server: found[2] }
    : null
}

/** Suggests a name from a display name: "Zoë Q." gives "zoe.q". */
export function suggestName(displayName: string): string {
  return displayName
    .normalize('NFKD')
    .replace(/\p{Mn}/gu, '')
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '.')
    .replace(/^\.+|\.+$/g, '')
    .slice(0, 64)
}
