/**
 * Whether a page may go where it asked: `will-navigate` for the page, `will-frame-navigate` for
 * every frame. Chromium names a page's own wishes before their requests; a navigation that the
 * app or a test began has no such wish and is not asked about.
 */
import type { EventEmitter } from 'node:events'
import { origins } from '../environment.ts'

export class NavigationConsent {
  readonly #wishes = new Set<string>()
  readonly #emitter: EventEmitter

  constructor(emitter: EventEmitter) {
    this.#emitter = emitter
  }

  /** The frame asked to go to Chromium's address `url`. */
  wish(frameId: string, url: string): void {
    this.#wishes.add(`${frameId} ${url}`)
  }

  /** Wishes that never became requests are void once the app navigates by itself. */
  clear(): void {
    this.#wishes.clear()
  }

  /** The app's answer to a wish, which it consumes; true where there was none. */
  allows(frameId: string, url: string, isMainFrame: boolean): boolean {
    if (!this.#wishes.delete(`${frameId} ${url}`)) return true
    let prevented = false
    const seen = origins.fromChromium(url)
    const event = {
      url: seen,
      isSameDocument: false,
      isMainFrame,
      frame: null,
      initiator: null,
      preventDefault: () => {
        prevented = true
      },
      get defaultPrevented() {
        return prevented
      },
    }
    if (isMainFrame) this.#emitter.emit('will-navigate', event, seen, false, true)
    this.#emitter.emit('will-frame-navigate', event)
    return !prevented
  }
}
