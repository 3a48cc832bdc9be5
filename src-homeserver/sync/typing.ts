/**
 * Who is writing where (Sync §8): in memory alone, for seconds, bounded. What is lost is lost; nothing else
 * depends on it.
 */
const MAX_IN_ROOM = 20
const MAX_ROOMS = 10_000
const MAX_DEVICES = 50_000

/** By room, members in the order in which they began. */
type TypingLists = Readonly<Record<string, readonly string[]>>

export interface Typing {
  /** Somebody writes for `ms` from now on; 0: no longer. */
  say(room: string, member: string, ms: number): void
  members(room: string): readonly string[]
  /** Calls back when who writes in one of the rooms may have changed; returns what ends it. */
  watch(rooms: readonly string[], listener: () => void): () => void
  /** Whether the lists, which it is told now, are others than those that the device was told last. */
  isNews(device: string, lists: TypingLists): boolean
  close(): void
}

/** `after` calls back once; what comes back from it calls it off. */
export function createTyping(after: (ms: number, work: () => void) => () => void): Typing {
  const rooms = new Map<string, Map<string, () => void>>()
  const listeners = new Map<string, Set<() => void>>()
  const told = new Map<string, string>()

  const tell = (room: string): void => {
    for (const call of listeners.get(room) ?? []) call()
  }

  function stop(room: string, member: string): void {
    const here = rooms.get(room)
    const callOff = here?.get(member)
    if (here === undefined || callOff === undefined) return
    callOff()
    here.delete(member)
    if (here.size === 0) rooms.delete(room)
    tell(room)
  }

  return {
    say(room, member, ms) {
      const here = rooms.get(room)
      const known = here?.get(member)
      if (ms === 0) {
        stop(room, member)
        return
      }
      if (here === undefined ? rooms.size >= MAX_ROOMS : !known && here.size >= MAX_IN_ROOM) return
      known?.()
      const callOff = after(ms, () => stop(room, member))
      rooms.set(room, (here ?? new Map<string, () => void>()).set(member, callOff))
      if (known === undefined) tell(room)
    },
    members: (room) => [...(rooms.get(room)?.keys() ?? [])],
    watch(asked, listener) {
      for (const room of asked) {
        const here = listeners.get(room) ?? new Set()
        listeners.set(room, here.add(listener))
      }
      return () => {
        for (const room of asked) {
          const here = listeners.get(room)
          here?.delete(listener)
          if (here?.size === 0) listeners.delete(room)
        }
      }
    },
    isNews(device, lists) {
      const text = JSON.stringify(lists)
      const before = told.get(device)
      if (text === before) return false
      told.delete(device)
      told.set(device, text)
      const [oldest] = told.keys()
      if (told.size > MAX_DEVICES && oldest !== undefined) told.delete(oldest)
      const nobody = Object.values(lists).every((members) => members.length === 0)
      return before !== undefined || !nobody
    },
    close() {
      for (const here of rooms.values()) for (const callOff of here.values()) callOff()
      rooms.clear()
    },
  }
}
