/**
 * Wakes waiting syncs of this process. What other processes of the node write is heard of by the storage, which
 * wakes them here as well.
 */
export interface Notifier {
  /** Null: everyone. */
  wake(members: ReadonlySet<string> | null): void
  /** Calls back whenever there may be news; returns the function that takes the listener back. */
  subscribe(member: string, listener: () => void): () => void
}

export function createLocalNotifier(): Notifier {
  const listeners = new Map<string, Set<() => void>>()
  return {
    wake(members) {
      for (const member of members ?? [...listeners.keys()])
        for (const call of listeners.get(member) ?? []) call()
    },
    subscribe(member, listener) {
      const own = listeners.get(member) ?? new Set()
      listeners.set(member, own)
      own.add(listener)
      return () => {
        own.delete(listener)
        if (own.size === 0 && listeners.get(member) === own) listeners.delete(member)
      }
    },
  }
}
