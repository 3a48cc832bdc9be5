/**
 * Structured values as JSON: what Electron's IPC would clone, packed into a tree that
 * `JSON.stringify` keeps. Used on both ends, so it must not refer to anything outside
 * the factory: the page gets this function's own source text.
 */

export interface Codec {
  /** Turns a structured-cloneable value into JSON-safe data. Throws a DataCloneError-like Error. */
  pack(value: unknown): unknown
  /** The inverse of `pack`. */
  unpack(packed: unknown): unknown
}

export interface Base64 {
  encode(bytes: Uint8Array): string
  decode(text: string): Uint8Array
}

export function createCodec(base64: Base64): Codec {
  const TAG = '$t'
  const VIEWS: Record<string, { new (buffer: ArrayBuffer): ArrayBufferView }> = {
    Uint8Array,
    Int8Array,
    Uint8ClampedArray,
    Uint16Array,
    Int16Array,
    Uint32Array,
    Int32Array,
    Float32Array,
    Float64Array,
    BigInt64Array,
    BigUint64Array,
    DataView,
  }
  const UNCLONEABLE = /^(Promise|WeakMap|WeakSet|WeakRef|Blob|File|FileList|Window|MessagePort)$/

  const typeName = (value: object): string => Object.prototype.toString.call(value).slice(8, -1)

  const bytesOf = (view: ArrayBufferView): Uint8Array =>
    new Uint8Array(view.buffer, view.byteOffset, view.byteLength)

  const refuse = (): never => {
    throw new Error('An object could not be cloned.')
  }

  function pack(root: unknown): unknown {
    // Preorder index of every object seen, so that cycles and shared references survive.
    const seen = new Map<object, number>()
    const walk = (value: unknown): unknown => {
      switch (typeof value) {
        case 'string':
        case 'boolean':
          return value
        case 'number':
          return Number.isFinite(value) && !Object.is(value, -0)
            ? value
            : { [TAG]: 'n', v: Object.is(value, -0) ? '-0' : String(value) }
        case 'undefined':
          return { [TAG]: 'u' }
        case 'bigint':
          return { [TAG]: 'i', v: String(value) }
        case 'object':
          break
        default:
          return refuse()
      }
      if (value === null) return null
      if (/^(Number|String|Boolean|BigInt)$/.test(typeName(value))) return walk(value.valueOf())
      const before = seen.get(value)
      if (before !== undefined) return { [TAG]: 'r', v: before }
      seen.set(value, seen.size)
      if (Array.isArray(value)) return Array.from(value, walk)
      if (ArrayBuffer.isView(value)) {
        const name = typeName(value)
        return { [TAG]: 'a', k: name, v: base64.encode(bytesOf(value)) }
      }
      const name = typeName(value)
      switch (name) {
        case 'ArrayBuffer':
          return { [TAG]: 'b', v: base64.encode(new Uint8Array(value as ArrayBuffer)) }
        case 'Date':
          return { [TAG]: 'd', v: (value as Date).getTime() }
        case 'RegExp':
          return { [TAG]: 'x', v: [(value as RegExp).source, (value as RegExp).flags] }
        case 'Map':
          return {
            [TAG]: 'm',
            v: Array.from(value as Map<unknown, unknown>, ([k, v]) => [walk(k), walk(v)]),
          }
        case 'Set':
          return { [TAG]: 's', v: Array.from(value as Set<unknown>, walk) }
        case 'Error':
        case 'DOMException': {
          const error = value as Error
          return { [TAG]: 'e', v: [error.name, error.message, error.stack ?? ''] }
        }
      }
      if (UNCLONEABLE.test(name)) return refuse()
      const entries = Object.entries(value)
      if (TAG in value) return { [TAG]: 'o', v: entries.map(([k, v]) => [k, walk(v)]) }
      const out: Record<string, unknown> = {}
      for (const [k, v] of entries) {
        const packed = walk(v)
        if (k === '__proto__') {
          Object.defineProperty(out, k, { value: packed, enumerable: true })
        } else out[k] = packed
      }
      return out
    }
    return walk(root)
  }

  const ERRORS: Record<string, ErrorConstructor> = {
    EvalError,
    RangeError,
    ReferenceError,
    SyntaxError,
    TypeError,
    URIError,
  }

  function unpack(root: unknown): unknown {
    const seen: unknown[] = []
    const walk = (packed: unknown): unknown => {
      if (typeof packed !== 'object' || packed === null) return packed
      if (Array.isArray(packed)) {
        const out: unknown[] = []
        seen.push(out)
        for (const item of packed) out.push(walk(item))
        return out
      }
      const node = packed as Record<string, unknown>
      const define = (out: object, key: string, value: unknown): void => {
        Object.defineProperty(out, key, {
          value,
          enumerable: true,
          configurable: true,
          writable: true,
        })
      }
      switch (node[TAG]) {
        case undefined: {
          const out: Record<string, unknown> = {}
          seen.push(out)
          for (const [k, v] of Object.entries(node)) {
            if (k === '__proto__') define(out, k, walk(v))
            else out[k] = walk(v)
          }
          return out
        }
        case 'n':
          return Number(node['v'])
        case 'u':
          return undefined
        case 'i':
          return BigInt(node['v'] as string)
        case 'r':
          return seen[node['v'] as number]
      }
      const keep = <T>(value: T): T => {
        seen.push(value)
        return value
      }
      switch (node[TAG]) {
        case 'd':
          return keep(new Date(node['v'] === null ? NaN : (node['v'] as number)))
        case 'x': {
          const [source, flags] = node['v'] as [string, string]
          return keep(new RegExp(source, flags))
        }
        case 'b':
          return keep(base64.decode(node['v'] as string).buffer)
        case 'a': {
          const bytes = base64.decode(node['v'] as string)
          const name = node['k'] as string
          if (name === 'Uint8Array') return keep(bytes)
          const View = VIEWS[name]
          return View === undefined ? refuse() : keep(new View(bytes.buffer as ArrayBuffer))
        }
        case 'm': {
          const out = keep(new Map<unknown, unknown>())
          for (const [k, v] of node['v'] as [unknown, unknown][]) {
            const key = walk(k)
            out.set(key, walk(v))
          }
          return out
        }
        case 's': {
          const out = keep(new Set<unknown>())
          for (const item of node['v'] as unknown[]) out.add(walk(item))
          return out
        }
        case 'e': {
          const [name, message, stack] = node['v'] as [string, string, string]
          const error = keep(new (ERRORS[name] ?? Error)(message))
          if (error.name !== name) define(error, 'name', name)
          define(error, 'stack', stack)
          return error
        }
        case 'o': {
          const out = keep({})
          for (const [k, v] of node['v'] as [string, unknown][]) define(out, k, walk(v))
          return out
        }
        default:
          return refuse()
      }
    }
    return walk(root)
  }

  return { pack, unpack }
}
