/** Binds the registry's shortcuts to the window, and Escape to what is open. */
import type { Core } from '../store/core.ts'
import { t } from '../text/t.ts'
import { actions, type Shortcut } from './registry.ts'

/** In a narrow window the details lie over the conversation (see workspace.css). */
export const detailsAreDrawer = (): boolean => window.matchMedia('(max-width: 1139px)').matches

const mac = /mac/i.test(navigator.platform)

function matchesShortcut(event: KeyboardEvent, shortcut: Shortcut): boolean {
  const mod = mac ? event.metaKey : event.ctrlKey
  const other = mac ? event.ctrlKey : event.metaKey
  return (
    event.key.toLowerCase() === shortcut.key &&
    mod === (shortcut.mod ?? false) &&
    event.altKey === (shortcut.alt ?? false) &&
    event.shiftKey === (shortcut.shift ?? false) &&
    !other
  )
}

/** The keys of a shortcut as they are written on the keyboard. */
export function shortcutKeys(shortcut: Shortcut): string[] {
  const names: Record<string, string> = { arrowup: t('key.up'), arrowdown: t('key.down') }
  return [
    ...(shortcut.mod ? [mac ? t('key.cmd') : t('key.ctrl')] : []),
    ...(shortcut.alt ? [t('key.alt')] : []),
    ...(shortcut.shift ? [t('key.shift')] : []),
    names[shortcut.key] ?? shortcut.key.toUpperCase(),
  ]
}

/** What Escape closes when nothing nearer took it: reply or edit first, then the details drawer. */
function escape(core: Core): boolean {
  const { openRoom } = core.store.getState()
  if (openRoom === null) return false
  const composer = core.composers.get(openRoom)
  if (composer.editing !== null) core.composers.stopEditing(openRoom)
  else if (composer.replyTo !== null) core.composers.reply(openRoom, null)
  else if (core.store.getState().detailsOpen && detailsAreDrawer()) core.toggleDetails(false)
  else return false
  return true
}

export function bindKeyboard(core: Core): () => void {
  function onKey(event: KeyboardEvent): void {
    if (event.defaultPrevented || event.isComposing) return
    const state = core.store.getState()
    const modal = document.querySelector('dialog[open]') !== null
    if (event.key === 'Escape' && !modal) {
      if (escape(core)) event.preventDefault()
      return
    }
    for (const action of actions) {
      if (!action.shortcut || !matchesShortcut(event, action.shortcut)) continue
      // Behind an open dialog nothing else may happen; the palette may replace or close one.
      if (modal && (action.id !== 'palette' || state.overlay === null)) return
      if (action.when && !action.when(state)) return
      event.preventDefault()
      action.run(core)
      return
    }
    // A letter typed while nothing has the focus belongs into the message.
    const letter = event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey
    if (letter && !modal && document.activeElement === document.body) {
      document.querySelector<HTMLElement>('[data-focus="composer"]')?.focus()
    }
  }
  window.addEventListener('keydown', onKey)
  return () => window.removeEventListener('keydown', onKey)
}
