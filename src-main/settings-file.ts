/** The user's settings: one small plain file per profile, without anything secret, read by schema. */
import { readFileSync } from 'node:fs'
import { writeFileAtomically } from '../src-platform/atomic-file.ts'
import { settingsSchema } from '../src-shared/ipc/index.ts'
import type { Settings } from '../src-shared/ipc/index.ts'

const defaults: Settings = {
  theme: 'system',
  notifications: 'full',
  sendReadReceipts: true,
  sendTyping: true,
  confirmLinks: true,
}

function read(path: string): Settings {
  try {
    // Each setting by itself: one that is missing or no longer understood must not reset the others.
    const stored: unknown = JSON.parse(readFileSync(path, 'utf8'))
    const settings: Record<string, unknown> = { ...defaults }
    for (const [name, schema] of Object.entries(settingsSchema.shape)) {
      const value = (stored as Record<string, unknown> | null)?.[name]
      const parsed = schema.safeParse(value)
      if (parsed.success) settings[name] = parsed.data
    }
    return settingsSchema.parse(settings)
  } catch {
    return defaults
  }
}

export class SettingsFile {
  readonly #path: string
  #settings: Settings

  constructor(path: string) {
    this.#path = path
    this.#settings = read(path)
  }

  get current(): Settings {
    return this.#settings
  }

  async change(changes: { [K in keyof Settings]?: Settings[K] | undefined }): Promise<Settings> {
    const given = Object.entries(changes).filter(([, value]) => value !== undefined)
    const next = settingsSchema.parse({ ...this.#settings, ...Object.fromEntries(given) })
    await writeFileAtomically(this.#path, JSON.stringify(next, null, 2))
    this.#settings = next
    return next
  }
}
