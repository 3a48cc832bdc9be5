/**
 * The chapters of the draft as data: headings, links, tables and fenced JSON. It knows the form of the text,
 * not what is true in it.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseJson, toUtf8 } from '../src-shared/protocol/index.ts'
import type { Json } from '../src-shared/protocol/index.ts'

const folder = import.meta.dirname

/** A fenced `json` block; `attributes` are the `name=value` words after the language. */
export interface Example {
  readonly file: string
  /** Of the opening fence, from 1. */
  readonly line: number
  readonly attributes: Readonly<Record<string, string>>
  /** Throws `EncodingError` where it is not the JSON of section 1.2. */
  value(): Json
}

export interface Chapter {
  readonly file: string
  readonly text: string
  readonly headings: readonly { readonly number: string | null; readonly anchor: string }[]
  readonly links: readonly string[]
  readonly examples: readonly Example[]
}

const FENCED = /^```(\S*)([^\n]*)\n([\s\S]*?)^```$/gm
const MAX_EXAMPLE = 64 * 1024

/** The numbered chapters in order, and the index last. */
export function readChapters(): Chapter[] {
  const files = readdirSync(folder).filter((file) => /^([0-9]{2}-.*|README)\.md$/.test(file))
  return files.sort().map((file) => readChapter(file, readFileSync(join(folder, file), 'utf8')))
}

function readChapter(file: string, text: string): Chapter {
  const prose = text.replace(FENCED, '')
  return {
    file,
    text,
    headings: [...prose.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => ({
      number: /^[0-9]+(\.[0-9]+)*(?= )/.exec(heading)?.[0] ?? null,
      anchor: anchorOf(heading),
    })),
    links: [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target),
    examples: [...text.matchAll(FENCED)].flatMap(({ 1: language, 2: words, 3: body, index }) =>
      language === 'json'
        ? [
            {
              file,
              line: text.slice(0, index).split('\n').length,
              attributes: attributesOf(words ?? ''),
              value: () => parseJson(toUtf8(body ?? ''), { maxBytes: MAX_EXAMPLE }),
            },
          ]
        : [],
    ),
  }
}

/** As the usual renderers make it. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replace(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')
}

function attributesOf(words: string): Record<string, string> {
  return Object.fromEntries(
    words
      .split(' ')
      .filter((word) => word !== '')
      .map((word) => {
        const at = word.indexOf('=')
        return at < 0 ? [word, ''] : [word.slice(0, at), word.slice(at + 1)]
      }),
  )
}

/** Rows of the first table under a heading that begins with `number`, cells trimmed, without its head. */
export function tableUnder(chapter: Chapter, number: string): string[][] {
  const start = chapter.text.search(new RegExp(`^#+ ${number.replaceAll('.', '\\.')} `, 'm'))
  if (start < 0) throw new Error(`${chapter.file} has no section ${number}`)
  const rows: string[][] = []
  for (const line of chapter.text.slice(start).split('\n').slice(1)) {
    if (line.startsWith('|'))
      rows.push(
        line
          .slice(1, -1)
          .split('|')
          .map((cell) => cell.trim()),
      )
    else if (rows.length > 0 || line.startsWith('#')) break
  }
  return rows.slice(2)
}

/** The prose under the heading `number`, up to the next heading, without fenced blocks. */
export function sectionText(chapters: readonly Chapter[], number: string): string {
  const heading = new RegExp(`^#+ ${number.replaceAll('.', '\\.')} .*$`, 'm')
  for (const { text } of chapters) {
    const start = heading.exec(text)
    if (start === null) continue
    const rest = text
      .slice(start.index + start[0].length)
      .replace(FENCED, (block, language) => (language === 'json' ? '' : block))
    const end = rest.search(/^#+ /m)
    return end < 0 ? rest : rest.slice(0, end)
  }
  throw new Error(`there is no section ${number}`)
}
