/** The application menu: what the platforms expect, and nothing that opens a developer's door. */
import type { MenuItemConstructorOptions } from 'electron'

export function menuTemplate(platform: NodeJS.Platform): MenuItemConstructorOptions[] {
  const view: MenuItemConstructorOptions = {
    label: 'View',
    submenu: [
      { role: 'resetZoom' },
      { role: 'zoomIn' },
      { role: 'zoomOut' },
      { type: 'separator' },
      { role: 'togglefullscreen' },
    ],
  }
  const common: MenuItemConstructorOptions[] = [{ role: 'editMenu' }, view, { role: 'windowMenu' }]
  return platform === 'darwin'
    ? [{ role: 'appMenu' }, ...common]
    : [{ label: 'PrivChat', submenu: [{ role: 'quit' }] }, ...common]
}
