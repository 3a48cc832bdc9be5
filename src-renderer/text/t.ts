/**
 * Looks up user-visible text. Owns placeholder filling and plural choice; does not know any screen.
 * `{name}` in a message is a parameter; a message with `one`/`other` is chosen by its `count`.
 */
import { en } from './en.ts'

type Catalogue = typeof en
export type TextKey = keyof Catalogue

type Placeholders<S> = S extends `${string}{${infer P}}${infer Rest}`
  ? P | Placeholders<Rest>
  : never
type Forms<K extends TextKey> = Catalogue[K] extends { one: infer A; other: infer B }
  ? Placeholders<A> | Placeholders<B> | 'count'
  : Placeholders<Catalogue[K]>
type Arguments<K extends TextKey> = [Forms<K>] extends [never]
  ? []
  : [values: Record<Forms<K>, string | number>]

/** Keys of messages without parameters: what tables of labels may hold. */
export type PlainKey = {
  [K in TextKey]: [Forms<K>] extends [never] ? K : never
}[TextKey]

const rightToLeft = /[\u0590-\u08FF\uFB1D-\uFDFF\uFE70-\uFEFC]/u
/** Keeps a name written from right to left from reordering the sentence around it. */
const isolate = (value: string): string =>
  rightToLeft.test(value) ? `\u2068${value}\u2069` : value

const plural = new Intl.PluralRules('en')

export function t<K extends TextKey>(key: K, ...args: Arguments<K>): string {
  const entry: string | { one: string; other: string } = en[key]
  const values: Record<string, string | number> = args[0] ?? {}
  const pattern =
    typeof entry === 'string'
      ? entry
      : entry[plural.select(Number(values['count'])) === 'one' ? 'one' : 'other']
  return pattern.replace(/\{(\w+)\}/g, (whole, name: string) =>
    isolate(String(values[name] ?? whole)),
  )
}
