/**
 * Every action a user can take from anywhere, once: the palette, the shortcuts, the menus and the
 * list of shortcuts are all drawn from here. Knows the store core, not the components.
 */
import type { Core } from '../store/core.ts'
import { neighbourRoom } from '../store/rooms.ts'
import type { UiState } from '../store/state.ts'
import type { PlainKey } from '../text/t.ts'
import { t } from '../text/t.ts'

/** `mod` is Cmd on macOS and Ctrl elsewhere; `key` as in KeyboardEvent.key, lower case. */
export interface Shortcut {
  readonly key: string
  readonly mod?: boolean
  readonly alt?: boolean
  readonly shift?: boolean
}

export interface Action {
  readonly id: string
  readonly label: PlainKey
  readonly shortcut?: Shortcut
  /** Shown in the palette and run only when true. */
  readonly when?: (state: UiState) => boolean
  /** Left out of the palette: it makes sense as a key only. */
  readonly keyOnly?: boolean
  readonly run: (core: Core) => void
}

const ready = (state: UiState): boolean =>
  state.app?.stage === 'ready' &&
  state.app.accounts.some((view) => view.account === state.account && view.state === 'ready')
const roomOpen = (state: UiState): boolean => ready(state) && state.openRoom !== null
const joinedOpen = (state: UiState): boolean =>
  roomOpen(state) && state.rooms[state.openRoom ?? '']?.membership === 'join'

const walk =
  (step: 1 | -1) =>
  (core: Core): void => {
    const next = neighbourRoom(core.store.getState(), step)
    if (next !== null) core.conversation.open(next)
  }

/** Asks the component that owns a field to take the focus. */
function focusField(name: 'composer' | 'room-search'): void {
  document.querySelector<HTMLElement>(`[data-focus="${name}"]`)?.focus()
}

export async function copyInvitationLink(core: Core): Promise<void> {
  const { account } = core.store.getState()
  if (account === null) return
  const result = await core.call('account.invitationLink', { account })
  if (result.ok) await core.copy(result.value.link, t('start.linkCopied'))
  else core.fail(result.error)
}

export const actions: readonly Action[] = [
  {
    id: 'palette',
    label: 'action.palette',
    shortcut: { key: 'k', mod: true },
    when: ready,
    keyOnly: true,
    run: (core) =>
      core.showOverlay(
        core.store.getState().overlay?.kind === 'palette' ? null : { kind: 'palette' },
      ),
  },
  {
    id: 'new-conversation',
    label: 'action.newConversation',
    shortcut: { key: 'n', mod: true },
    when: ready,
    run: (core) => core.showOverlay({ kind: 'new-conversation' }),
  },
  {
    id: 'new-group',
    label: 'action.newGroup',
    shortcut: { key: 'n', mod: true, shift: true },
    when: ready,
    run: (core) => core.showOverlay({ kind: 'new-group' }),
  },
  {
    id: 'next-room',
    label: 'action.nextRoom',
    shortcut: { key: 'arrowdown', alt: true },
    when: ready,
    keyOnly: true,
    run: walk(1),
  },
  {
    id: 'previous-room',
    label: 'action.previousRoom',
    shortcut: { key: 'arrowup', alt: true },
    when: ready,
    keyOnly: true,
    run: walk(-1),
  },
  {
    id: 'search-rooms',
    label: 'action.focusSearch',
    shortcut: { key: 'f', mod: true, shift: true },
    when: ready,
    run: () => focusField('room-search'),
  },
  {
    id: 'write',
    label: 'action.focusComposer',
    shortcut: { key: 'l', mod: true },
    when: joinedOpen,
    run: () => focusField('composer'),
  },
  {
    id: 'details',
    label: 'action.toggleDetails',
    shortcut: { key: 'i', mod: true },
    when: roomOpen,
    run: (core) => core.toggleDetails(),
  },
  {
    id: 'invite',
    label: 'action.invite',
    when: joinedOpen,
    run: (core) => {
      const room = core.store.getState().openRoom
      if (room !== null) core.showOverlay({ kind: 'invite', room })
    },
  },
  {
    id: 'leave',
    label: 'action.leave',
    when: joinedOpen,
    run: (core) => {
      const room = core.store.getState().openRoom
      if (room !== null) core.showOverlay({ kind: 'leave', room })
    },
  },
  {
    id: 'copy-link',
    label: 'action.copyLink',
    when: ready,
    run: (core) => void copyInvitationLink(core),
  },
  {
    id: 'second-person',
    label: 'action.secondPerson',
    when: ready,
    run: (core) => void core.attempt('app.openSecondProfile', {}),
  },
  {
    id: 'settings',
    label: 'action.settings',
    shortcut: { key: ',', mod: true },
    when: ready,
    run: (core) => core.showOverlay({ kind: 'settings', section: 'profile' }),
  },
  {
    id: 'devices',
    label: 'action.devices',
    when: ready,
    run: (core) => core.showOverlay({ kind: 'settings', section: 'devices' }),
  },
  {
    id: 'theme-light',
    label: 'action.theme.light',
    when: (state) => state.settings.theme !== 'light',
    run: (core) => void core.session.changeSettings({ theme: 'light' }),
  },
  {
    id: 'theme-dark',
    label: 'action.theme.dark',
    when: (state) => state.settings.theme !== 'dark',
    run: (core) => void core.session.changeSettings({ theme: 'dark' }),
  },
  {
    id: 'theme-system',
    label: 'action.theme.system',
    when: (state) => state.settings.theme !== 'system',
    run: (core) => void core.session.changeSettings({ theme: 'system' }),
  },
  {
    id: 'shortcuts',
    label: 'action.shortcuts',
    shortcut: { key: '/', mod: true },
    when: ready,
    run: (core) => core.showOverlay({ kind: 'shortcuts' }),
  },
]

export function actionById(id: string): Action | undefined {
  return actions.find((action) => action.id === id)
}
