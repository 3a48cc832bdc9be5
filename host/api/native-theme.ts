/** `nativeTheme`: the colour scheme every page is shown in, by media emulation. */
import { EventEmitter } from 'node:events'
import { fenceClass } from '../host-error.ts'

type Source = 'system' | 'light' | 'dark'

const systemIsDark = process.env['ECCP_HOST_DARK'] === '1'

class NativeTheme extends EventEmitter {
  #source: Source = 'system'

  get themeSource(): Source {
    return this.#source
  }

  set themeSource(source: Source) {
    if (!['system', 'light', 'dark'].includes(source)) throw new TypeError('Invalid theme source')
    const before = this.shouldUseDarkColors
    this.#source = source
    this.emit('-changed')
    if (this.shouldUseDarkColors !== before) this.emit('updated')
  }

  get shouldUseDarkColors(): boolean {
    return this.#source === 'system' ? systemIsDark : this.#source === 'dark'
  }

  get shouldUseHighContrastColors(): boolean {
    return false
  }

  get shouldUseInvertedColorScheme(): boolean {
    return false
  }

  get prefersReducedTransparency(): boolean {
    return false
  }

  get inForcedColorsMode(): boolean {
    return false
  }
}

fenceClass('nativeTheme', NativeTheme.prototype)

export const nativeTheme = new NativeTheme()

/** What `Emulation.setEmulatedMedia` is given for the present theme. */
export function mediaFeatures(): { name: string; value: string }[] {
  const value = nativeTheme.shouldUseDarkColors ? 'dark' : 'light'
  return [{ name: 'prefers-color-scheme', value }]
}
