import { describe, expect, it } from 'vitest'
import { readChapters, sectionText } from './chapters.ts'
import { quantities, sizes, worstPadding } from './numbers.ts'

const chapters = readChapters()
const known = quantities()

/** Tables that `tables.test.ts` compares row by row. */
const COMPARED = /^(10\.11|10\.12|14\.1|14\.2|14\.3|14\.4|14\.5|15\.10)$/
/** A number with what it counts. Fixed lengths of keys, ids and nonces are forms, which the fixtures pin. */
const QUANTITY =
  /(?<![\w.§^[(#-])\d[\d,]*(?: ?%| (?:[a-z-]+ )?(?:KiB|MiB|days?|hours?|minutes?|seconds|characters|items|events|rooms|devices|words|messages|entries|records|chains|keys|ids|pairs|wraps|ends|descriptors|fingerprints|prekeys|windows|Ks|receipts|bytes))\b/g
const FORM = /^\d{1,2} ((random|zero|recipient) )?bytes$/

/** What the node of this implementation does not do yet, and what is someone else's. */
const NOT_OURS = new Set(['11.5', '5.4', '18.2'])

describe('the numbers of the draft', () => {
  it.each(known.map((one) => [one.section, one.words, one] as const))(
    '%s says %s',
    (_, __, one) => {
      expect(sectionText(chapters, one.section)).toContain(one.words)
    },
  )

  it('are all known', () => {
    const sections = chapters.flatMap(({ headings }) =>
      headings.flatMap(({ number }) => number ?? []),
    )
    const found: string[] = []
    for (const section of sections) {
      if (COMPARED.test(section) || NOT_OURS.has(section)) continue
      const text = sectionText(chapters, section)
      const said = known.filter((one) => one.section === section).map(({ words }) => words)
      for (const { 0: quantity, index } of text.matchAll(QUANTITY)) {
        const covered = said.some((words) =>
          occurrences(text, words).some((at) => at <= index && index < at + words.length),
        )
        if (!covered && !FORM.test(quantity)) found.push(`${section}: ${quantity}`)
      }
    }
    expect(found).toEqual([])
    expect(known.length).toBeGreaterThan(100)
  })

  it('say what padding costs at most: just under a sixteenth, one byte beyond a power of two', () => {
    const { size, percent } = worstPadding()
    expect(size).toBe(2 ** 15 + 1)
    expect(percent).toBeLessThan(6.25)
    expect(percent).toBeCloseTo(6.25, 2)
  })
})

describe('the sizes of 14.5', () => {
  it('are those of the fixtures', () => {
    const text = sectionText(chapters, '14.5')
    const listed = [...text.matchAll(/^\| ([^|]+?) +\| `([^`]+)` +\| ([\d,]+) +\|$/gm)].map(
      ([, what = '', at = '', bytes = '']) => ({
        what,
        at,
        bytes: Number(bytes.replaceAll(',', '')),
      }),
    )
    expect(listed).toEqual(sizes())
  })
})

function occurrences(text: string, words: string): number[] {
  const places: number[] = []
  for (let at = text.indexOf(words); at >= 0; at = text.indexOf(words, at + 1)) places.push(at)
  return places
}
