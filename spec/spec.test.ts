/** The draft holds together: examples are true, links lead somewhere, schemas are those of the code. */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { readChapters } from './chapters.ts'
import { faultsOf } from './examples.ts'
import { bySection } from './numbers.ts'
import { jsonSchemaText, schemas } from './schemas.ts'

const folder = import.meta.dirname
const chapters = readChapters()
const index = chapters.find(({ file }) => file === 'README.md')

describe('the examples', () => {
  const examples = chapters.flatMap((chapter) => chapter.examples)

  it('are there', () => {
    expect(examples.length).toBeGreaterThan(0)
  })

  it.each(examples.map((example) => [`${example.file}:${example.line}`, example] as const))(
    '%s is true',
    (_, example) => {
      expect(faultsOf(example)).toEqual([])
    },
  )
})

describe('the chapters', () => {
  const numbered = chapters.filter(({ file }) => file !== 'README.md')
  // The index names the chapters that are still to be written.
  const unwritten = [...(index?.text ?? '').matchAll(/^\| ([0-9]+) .*to be written/gm)].map(
    ([, number]) => Number(number),
  )

  it('number their sections by their own number, each once and in order', () => {
    for (const { file, headings } of numbered) {
      const numbers = headings.flatMap(({ number }) => (number === null ? [] : [number]))
      expect([file, numbers.length]).toEqual([file, headings.length])
      expect([file, new Set(numbers).size]).toEqual([file, numbers.length])
      expect([file, numbers]).toEqual([file, numbers.toSorted(bySection)])
      const own = String(Number(file.slice(0, 2)))
      expect(numbers.every((number) => number.split('.')[0] === own)).toBe(true)
    }
  })

  it('are all in the index', () => {
    for (const { file } of numbered) expect(index?.links).toContain(file)
  })

  it('link to sections, schemas and files that are there', () => {
    const anchors = new Map(
      chapters.map(({ file, headings }) => [file, new Set(headings.map(({ anchor }) => anchor))]),
    )
    const dead = chapters.flatMap(({ file, links }) =>
      links.flatMap((link) => {
        if (/^https?:/.test(link) || link.startsWith('../')) return []
        const [path = '', anchor] = link.split('#')
        const target = path === '' ? file : path
        const schema = /^schemas\/(.+)\.json$/.exec(target)?.[1]
        if (schema !== undefined) return Object.hasOwn(schemas, schema) ? [] : [`${file}: ${link}`]
        if (unwritten.includes(Number(target.slice(0, 2)))) return []
        const known = anchors.get(target)
        const found = known !== undefined && (anchor === undefined || known.has(anchor))
        return found ? [] : [`${file}: ${link}`]
      }),
    )
    expect(dead).toEqual([])
  })
})

describe('the JSON Schemas', () => {
  it('are those that the code validates with', () => {
    const names = Object.keys(schemas).map((name) => `${name}.json`)
    expect(readdirSync(join(folder, 'schemas')).sort()).toEqual(names.sort())
  })

  it.each(Object.keys(schemas))('%s is up to date', (name) => {
    const stored = readFileSync(join(folder, 'schemas', `${name}.json`), 'utf8')
    expect(JSON.parse(stored)).toEqual(JSON.parse(jsonSchemaText(name)))
  })
})
