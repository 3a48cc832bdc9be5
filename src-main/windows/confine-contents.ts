/** What no page of the app may do: navigate away, open windows, embed others. */
import type { App } from 'electron'

export function confineAllContents(app: App): void {
  app.on('web-contents-created', (_event, contents) => {
    contents.setWindowOpenHandler(() => ({ action: 'deny' }))
    contents.on('will-attach-webview', (event) => event.preventDefault())
    contents.on('will-navigate', (event) => {
      // Reloading is the one navigation a page may begin.
      if (event.url !== contents.getURL()) event.preventDefault()
    })
    contents.on('will-frame-navigate', (event) => {
      if (!event.isMainFrame) event.preventDefault()
    })
    contents.on('will-redirect', (event) => event.preventDefault())
  })
}
