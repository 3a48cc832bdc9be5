/**
 * What the app asked of the desktop around it. Links, notifications and the clipboard are caught in main,
 * the same way in every shell, so that no test opens a browser or disturbs a clipboard.
 */
import type { RunningApp } from './app.ts'

export interface Notified {
  readonly title: string
  readonly body: string
}

export interface Asked {
  readonly opened: readonly string[]
  readonly copied: readonly string[]
  readonly notified: readonly Notified[]
}

interface Kept {
  opened: string[]
  copied: string[]
  notified: { title: string; body: string; emit: (event: string) => boolean }[]
}

type WithKept = typeof globalThis & { askedOfDesktop?: Kept }

export async function watchDesktop(app: RunningApp): Promise<void> {
  await app.electron.evaluate(({ shell, clipboard, Notification }) => {
    const kept: Kept = { opened: [], copied: [], notified: [] }
    ;(globalThis as WithKept).askedOfDesktop = kept
    shell.openExternal = (url) => {
      kept.opened.push(url)
      return Promise.resolve()
    }
    clipboard.writeText = (text) => {
      kept.copied.push(text)
      return Promise.resolve()
    }
    Notification.prototype.show = function () {
      kept.notified.push(this)
    }
  })
}

export function askedOf(app: RunningApp): Promise<Asked> {
  return app.electron.evaluate(() => {
    const kept = (globalThis as WithKept).askedOfDesktop
    return {
      opened: kept?.opened ?? [],
      copied: kept?.copied ?? [],
      notified: (kept?.notified ?? []).map(({ title, body }) => ({ title, body })),
    }
  })
}

/** Clicks the newest notification. */
export async function clickNotification(app: RunningApp): Promise<void> {
  await app.electron.evaluate(() => {
    ;(globalThis as WithKept).askedOfDesktop?.notified.at(-1)?.emit('click')
  })
}
