/** What a desktop notification shows of a message, by the user's choice. */
import type { Settings } from '../src-shared/ipc/index.ts'

export interface AppNotification {
  readonly title: string
  readonly body: string
}

const MAX_BODY = 240

/** Null where the user wants none. */
export function notificationOf(
  message: { readonly roomName: string; readonly sender: string; readonly text: string },
  how: Settings['notifications'],
): AppNotification | null {
  const { roomName, sender, text } = message
  const title = sender === roomName ? sender : `${sender} · ${roomName}`
  switch (how) {
    case 'none':
      return null
    case 'name_only':
      return { title: 'PrivChat', body: `New message from ${sender}` }
    case 'full': {
      const characters = [...text]
      const body =
        characters.length > MAX_BODY ? `${characters.slice(0, MAX_BODY - 1).join('')}…` : text
      return { title, body }
    }
  }
}
