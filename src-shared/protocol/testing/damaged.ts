/** Copies of a JSON value with one thing wrong: what a schema has to refuse, member by member. */
import type { Json } from '../encoding/index.ts'

export interface Damaged {
  /** As `a.b[0] missing`. */
  readonly what: string
  readonly value: Json
}

/**
 * Each member in turn, at any depth, missing or of another type; texts also a character short and one too
 * long, numbers also negative and broken. Of an array the first item stands for all.
 */
export function damagedCopies(value: Json): readonly Damaged[] {
  return [...damagedAt(value, '', (changed) => changed)]
}

/** What of it `reads` lets pass all the same. */
export function damageNotSeen(value: Json, reads: (value: Json) => boolean): readonly string[] {
  if (!reads(value)) throw new Error('the value itself does not pass')
  return damagedCopies(value)
    .filter((damaged) => reads(damaged.value))
    .map(({ what }) => what)
}

type Put = (changed: Json) => Json

function* damagedAt(value: Json, path: string, put: Put): Generator<Damaged> {
  if (typeof value === 'string') {
    yield { what: `${path} short`, value: put(value.slice(1)) }
    yield { what: `${path} long`, value: put(`${value}A`) }
    yield { what: `${path} not text`, value: put(7) }
  } else if (typeof value === 'number') {
    yield { what: `${path} negative`, value: put(-1) }
    yield { what: `${path} broken`, value: put(0.5) }
    yield { what: `${path} not a number`, value: put(String(value)) }
  } else if (value === null || typeof value === 'boolean') {
    yield { what: `${path} of another type`, value: put('A') }
  } else {
    yield { what: `${path} of another type`, value: put(7) }
    if (isArray(value)) {
      const [first, ...others] = value
      if (first === undefined) return
      yield* damagedAt(first, `${path}[0]`, (changed) => put([changed, ...others]))
    } else {
      for (const [key, member] of Object.entries(value)) {
        const { [key]: _, ...others } = value
        const name = path === '' ? key : `${path}.${key}`
        yield { what: `${name} missing`, value: put(others) }
        yield* damagedAt(member, name, (changed) => put({ ...value, [key]: changed }))
      }
    }
  }
}

function isArray(value: Json): value is readonly Json[] {
  return Array.isArray(value)
}
