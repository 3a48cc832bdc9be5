import { describe, expect, it } from 'vitest'
import { FREE_PAGES, LEAST_TOLD, MAX_FETCHED, MAX_PAGES, mayGoOn } from './fetch-budget.ts'

/** Pages that are asked for until it ends, each of which tells so much. */
function pagesOf(
  each: { fresh?: number; again?: number },
  purse: { held?: number; pushed?: boolean } = {},
): number {
  const { fresh = 0, again = 0 } = each
  const spent = { pages: 0, fresh: 0, again: 0 }
  do {
    spent.pages++
    spent.fresh += fresh
    spent.again += again
  } while (mayGoOn(spent, { held: 0, pushed: true, ...purse }))
  return spent.pages
}

describe('what an event that is pushed may cost', () => {
  it('is twenty thousand events, in full pages or in the smallest that large events make', () => {
    expect(pagesOf({ fresh: 200 })).toBe(MAX_FETCHED / 200)
    expect(pagesOf({ fresh: 20 })).toBe(MAX_FETCHED / 20)
  })

  it('is few pages where they tell little', () => {
    expect(pagesOf({})).toBe(FREE_PAGES)
    expect(pagesOf({ fresh: 1 })).toBe(18)
    expect(pagesOf({ fresh: LEAST_TOLD - 1 })).toBe(FREE_PAGES * LEAST_TOLD)
  })

  it('is what is here told once more, and no more of it', () => {
    const held = 10_000
    expect(pagesOf({ again: 200 }, { held })).toBe(held / 200 + 1)
    expect(pagesOf({ again: 1 }, { held })).toBe(18)
    expect(pagesOf({ again: 200 }, { held: 150 })).toBe(1)
    expect(pagesOf({ fresh: 100, again: 100 }, { held })).toBe(MAX_FETCHED / 100)
  })

  it('has no such bound for a room that somebody here comes into', () => {
    expect(pagesOf({ fresh: 200 }, { pushed: false })).toBe(MAX_PAGES)
    expect(pagesOf({ fresh: 1 }, { pushed: false })).toBe(18)
  })
})
