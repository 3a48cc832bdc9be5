/**
 * The part of Vitest's interface that the unit tests of `protocol` use, for the mutation run: `describe`,
 * `it`, their `each`, and `expect` with Vitest's own matchers. A file that uses anything else fails to
 * link, so no test is left out silently.
 */
import { format } from 'node:util'

export interface CollectedTest {
  readonly id: string
  readonly name: string
  readonly file: string
  /** Where `it` was called, counted from 0, as Stryker does; null where the stack does not tell. */
  readonly position: { readonly line: number; readonly column: number } | null
  readonly body: () => unknown
}

type Body = (...values: never[]) => unknown
/** Vitest takes options or a time limit before or after the body; a mutation run has limits of its own. */
type Rest = readonly unknown[]

/** Collects the tests of the files that are evaluated between two calls of `take`. */
export class TestCollector {
  readonly #root: string
  #file = ''
  #groups: string[] = []
  #tests: CollectedTest[] = []
  #ids = new Set<string>()

  /** `root` is the folder that file names in test ids are relative to, with a slash at its end. */
  constructor(root: string) {
    this.#root = root
  }

  begin(file: string): void {
    this.#file = file
    this.#groups = []
  }

  take(): CollectedTest[] {
    const tests = this.#tests
    this.#tests = []
    this.#ids = new Set()
    return tests
  }

  readonly describe = Object.assign(
    (name: string, ...rest: Rest) => {
      this.#group(name, bodyOf(rest))
    },
    {
      each: (rows: readonly unknown[]) => (name: string, body: Body) => {
        rows.forEach((row, index) => {
          this.#group(titleOf(name, row, index), bound(body, row))
        })
      },
    },
  )

  readonly it = Object.assign(
    (name: string, ...rest: Rest) => {
      this.#add(name, bodyOf(rest))
    },
    {
      each:
        (rows: readonly unknown[]) =>
        (name: string, ...rest: Rest) => {
          rows.forEach((row, index) => {
            this.#add(titleOf(name, row, index), bound(bodyOf(rest), row))
          })
        },
    },
  )

  #group(name: string, body: () => unknown): void {
    this.#groups.push(name)
    const result = body()
    if (result instanceof Promise) throw new TypeError(`${this.#file}: an asynchronous describe`)
    this.#groups.pop()
  }

  #add(title: string, body: () => unknown): void {
    const name = [...this.#groups, title].join(' > ')
    const relative = this.#file.slice(this.#root.length)
    let id = `${relative}#${name}`
    for (let again = 2; this.#ids.has(id); again++) id = `${relative}#${name} (${String(again)})`
    this.#ids.add(id)
    this.#tests.push({ id, name, file: this.#file, position: this.#position(), body })
  }

  #position(): CollectedTest['position'] {
    const line = (new Error().stack ?? '').split('\n').find((frame) => frame.includes(this.#file))
    const match = /:(\d+):(\d+)\)?$/.exec(line ?? '')
    return match === null ? null : { line: Number(match[1]) - 1, column: Number(match[2]) - 1 }
  }
}

function bodyOf(rest: Rest): () => unknown {
  const body = rest.find((one) => typeof one === 'function')
  if (body === undefined) throw new TypeError('a test or group without a body')
  return body as () => unknown
}

function bound(body: Body, row: unknown): () => unknown {
  const values = (Array.isArray(row) ? row : [row]) as never[]
  return () => body(...values)
}

/** `%s` and its kin take the values in turn, `$field` names one of the first value, `%#` the index. */
function titleOf(name: string, row: unknown, index: number): string {
  const values: unknown[] = Array.isArray(row) ? row : [row]
  const first = values[0]
  const named = name
    .replaceAll('%#', String(index))
    .replaceAll(/\$(\w+)/g, (whole, field: string) =>
      typeof first === 'object' && first !== null && field in first
        ? String((first as Record<string, unknown>)[field])
        : whole,
    )
  const places = named.match(/%[sdifjoO]/g)?.length ?? 0
  return format(named, ...values.slice(0, places))
}

/** Vitest's `expect`, put together from the package that holds its matchers. */
export async function createExpect(): Promise<unknown> {
  // Named at run time: these packages are there only where the mutation run has installed them.
  const [chaiName, expectName] = ['chai', '@vitest/expect']
  const chai = (await import(chaiName)) as {
    use(plugin: unknown): void
    expect: ((value: unknown, message?: string) => unknown) & object
  }
  const matchers = (await import(expectName)) as {
    readonly JestExtend: unknown
    readonly JestChaiExpect: unknown
    readonly JestAsymmetricMatchers: unknown
    readonly GLOBAL_EXPECT: symbol
    setState(state: object, expect: unknown): void
  }
  chai.use(matchers.JestExtend)
  chai.use(matchers.JestChaiExpect)
  chai.use(matchers.JestAsymmetricMatchers)
  const expect = Object.assign(
    (value: unknown, message?: string) => chai.expect(value, message),
    chai.expect,
  )
  Object.assign(globalThis, { [matchers.GLOBAL_EXPECT]: expect })
  matchers.setState({ assertionCalls: 0, isExpectingAssertions: false }, expect)
  return expect
}
