/**
 * How much fetching may cost (Federation §15.8). Who gives events decides how they are cut into pages and what comes
 * after; so every page has to pay for the next one with what it tells.
 */

/** New events that are fetched for one that is pushed; the rest is fetched when it is pushed again. */
export const MAX_FETCHED = 20_000
/** Pages that may be thin. */
export const FREE_PAGES = 16
/** Events that a page tells on average, beyond those: the largest there may be fill a page with 20. */
export const LEAST_TOLD = 10
/** However much is told, also where everything is asked for. */
export const MAX_PAGES = 5000

export interface Spent {
  /** Asked for so far. */
  readonly pages: number
  /** Events told that were new here. */
  readonly fresh: number
  /** Events told that were here already. */
  readonly again: number
}

export interface Purse {
  /** Of the room's events, before the first page that told some of them again. */
  readonly held: number
  /** For an event that was pushed, rather than for all of a room. */
  readonly pushed: boolean
}

/** Whether one more page may be asked for. */
export function mayGoOn({ pages, fresh, again }: Spent, { held, pushed }: Purse): boolean {
  if (pages >= MAX_PAGES || (pushed && fresh >= MAX_FETCHED)) return false
  // Told from the beginning, everything comes once.
  if (again > held + fresh) return false
  return pages < FREE_PAGES + (fresh + again) / LEAST_TOLD
}
