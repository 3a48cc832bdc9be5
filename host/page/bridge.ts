/**
 * Carries values and calls between a page's two worlds, as `contextBridge` does: values are
 * cloned, functions and promises become proxies. Synchronous events on the document do the
 * work; Blink clones an event's `detail` when the other world reads it. Runs in both worlds
 * from its own source text, so it refers to nothing outside but its arguments.
 */
import type { PageGlobal } from './dom.ts'

export interface Bridge {
  /** Gives the other world `value` under `key`. */
  expose(key: string, value: unknown): void
}

/** The globals are captured at the start, before page scripts can replace them. */
export function createBridge(
  scope: PageGlobal,
  incoming: string,
  outgoing: string,
  onExpose: (key: string, value: unknown) => void,
): Bridge {
  type Path = (string | number)[]
  type Hole = { path: Path; kind: 'function' | 'promise'; id: number }
  type Packed = { value: unknown; holes: Hole[] }
  type Message =
    | { op: 'hello' }
    | { op: 'expose'; key: string; packed: Packed }
    | { op: 'call'; call: number; target: number; args: Packed }
    | { op: 'result'; call: number; ok: boolean; packed: Packed }
    | { op: 'settle'; target: number; ok: boolean; packed: Packed }
    | { op: 'release'; target: number }

  const { document, CustomEvent } = scope
  const dispatch = document.dispatchEvent.bind(document)
  const functions = new Map<number, (...args: unknown[]) => unknown>()
  const awaited = new Map<number, { resolve(v: unknown): void; reject(e: unknown): void }>()
  const results = new Map<number, { ok: boolean; packed: Packed }>()
  const unsent: Message[] = []
  const released = new FinalizationRegistry<number>((target) => post({ op: 'release', target }))
  let lastId = 0
  let heard = 0
  let connected = false

  const uncloneable = (): Error => new Error('An object could not be cloned.')

  /** Returns whether the other world could read the message. */
  function post(message: Message): boolean {
    const before = heard
    dispatch(new CustomEvent(outgoing, { detail: { message } }))
    return heard > before
  }

  function pack(root: unknown): Packed {
    const holes: Hole[] = []
    const copies = new Map<object, unknown>()
    const walk = (value: unknown, path: Path): unknown => {
      if (typeof value === 'function') {
        const id = ++lastId
        functions.set(id, value as (...args: unknown[]) => unknown)
        holes.push({ path, kind: 'function', id })
        return undefined
      }
      if (typeof value !== 'object' || value === null) return value
      if (value instanceof Promise) {
        const id = ++lastId
        holes.push({ path, kind: 'promise', id })
        value.then(
          (result) => settle(id, true, result),
          (error: unknown) => settle(id, false, error),
        )
        return undefined
      }
      const known = copies.get(value)
      if (known !== undefined) return known
      if (Array.isArray(value)) {
        const copy: unknown[] = []
        copies.set(value, copy)
        value.forEach((item, i) => (copy[i] = walk(item, [...path, i])))
        return copy
      }
      if (Object.prototype.toString.call(value) !== '[object Object]') return value
      const copy: Record<string, unknown> = {}
      copies.set(value, copy)
      for (const [k, v] of Object.entries(value)) copy[k] = walk(v, [...path, k])
      return copy
    }
    const value = walk(root, [])
    return { value, holes }
  }

  function settle(target: number, ok: boolean, value: unknown): void {
    if (post({ op: 'settle', target, ok, packed: pack(value) })) return
    post({ op: 'settle', target, ok: false, packed: pack(uncloneable()) })
  }

  function unpack({ value, holes }: Packed): unknown {
    const root: { value: unknown } = { value }
    for (const { path, kind, id } of holes) {
      const steps = ['value', ...path]
      const last = steps.pop() as string
      let node = root as Record<string, unknown>
      for (const step of steps) node = node[step] as Record<string, unknown>
      node[last] = kind === 'function' ? proxy(id) : promise(id)
    }
    return root.value
  }

  function proxy(target: number): (...args: unknown[]) => unknown {
    const call = (...args: unknown[]): unknown => {
      const id = ++lastId
      post({ op: 'call', call: id, target, args: pack(args) })
      const result = results.get(id)
      results.delete(id)
      if (result === undefined) throw uncloneable()
      const value = unpack(result.packed)
      if (!result.ok) throw value
      return value
    }
    released.register(call, target)
    return call
  }

  function promise(id: number): Promise<unknown> {
    return new Promise((resolve, reject) => awaited.set(id, { resolve, reject }))
  }

  function run(message: Extract<Message, { op: 'call' }>): void {
    const { call, target, args } = message
    const answer = (ok: boolean, value: unknown): boolean =>
      post({ op: 'result', call, ok, packed: pack(value) })
    try {
      const fn = functions.get(target)
      if (fn === undefined) throw new Error('The function was released')
      answer(true, fn(...(unpack(args) as unknown[])))
    } catch (error) {
      if (!answer(false, error)) answer(false, new Error(String(error)))
    }
  }

  function connect(): void {
    if (connected) return
    connected = true
    post({ op: 'hello' })
    for (const message of unsent.splice(0)) post(message)
  }

  document.addEventListener(incoming, (event) => {
    const detail = event.detail as { message: Message } | null
    // Null where Blink could not clone it: the sender notices by `heard`.
    if (detail === null) return
    const { message } = detail
    dispatch(new CustomEvent(`${outgoing}-heard`, { detail: null }))
    switch (message.op) {
      case 'hello':
        return connect()
      case 'expose':
        return onExpose(message.key, unpack(message.packed))
      case 'call':
        return run(message)
      case 'result':
        results.set(message.call, message)
        return
      case 'settle': {
        const waiting = awaited.get(message.target)
        awaited.delete(message.target)
        const value = unpack(message.packed)
        if (message.ok) waiting?.resolve(value)
        else waiting?.reject(value)
        return
      }
      case 'release':
        functions.delete(message.target)
    }
  })
  document.addEventListener(`${incoming}-heard`, () => {
    heard++
  })
  if (post({ op: 'hello' })) connect()

  return {
    expose(key, value) {
      const message: Message = { op: 'expose', key, packed: pack(value) }
      if (!connected) unsent.push(message)
      else if (!post(message)) throw uncloneable()
    },
  }
}
