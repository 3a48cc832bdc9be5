/** The host's one error class, and the fence around what it does not support. */

export type HostErrorCode =
  'not_supported' | 'no_chromium' | 'no_sandbox' | 'profile_in_use' | 'start_failed'

export class HostError extends Error {
  readonly code: HostErrorCode
  constructor(code: HostErrorCode, message: string) {
    super(message)
    this.name = 'HostError'
    this.code = code
  }
}

export function notSupported(what: string): HostError {
  return new HostError('not_supported', `${what} is not supported by the development host`)
}

// Names that languages, inspectors and feature checks look up on any object.
const PROBED = new Set([
  'then',
  'toJSON',
  'inspect',
  'dock',
  'asymmetricMatch',
  'nodeType',
  'tagName',
])

function trap(owner: string): ProxyHandler<object> {
  return {
    get(target, key, receiver) {
      const value: unknown = Reflect.get(target, key, receiver)
      if (value !== undefined || typeof key === 'symbol' || PROBED.has(key)) return value
      if (key.startsWith('_') || key in target) return value
      return () => {
        throw notSupported(`${owner}.${key}`)
      }
    },
  }
}

/** `object`, whose unknown members are functions that throw a clear error when called. */
export function fenced<T extends object>(owner: string, object: T): T {
  return new Proxy(object, trap(owner)) as T
}

/** Fences a class: unknown methods of its instances throw a clear error when called. */
export function fenceClass(owner: string, prototype: object): void {
  const parent = Object.getPrototypeOf(prototype) as object
  // An object of its own behind the proxy keeps `instanceof` of the parent class true.
  Object.setPrototypeOf(prototype, new Proxy(Object.create(parent) as object, trap(owner)))
}
