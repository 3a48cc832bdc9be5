/** Size and place of the main window between starts; on a screen that is still there. */
import { readFileSync } from 'node:fs'
import type { BrowserWindow, Rectangle, Screen } from 'electron'
import * as z from 'zod'
import { writeFileAtomicallySync } from '../../src-platform/atomic-file.ts'

const stateSchema = z.object({
  bounds: z.object({
    x: z.int(),
    y: z.int(),
    width: z.int().min(400).max(20_000),
    height: z.int().min(300).max(20_000),
  }),
  maximized: z.boolean(),
})
export type WindowState = z.infer<typeof stateSchema>

/** Enough of the title bar to take hold of. */
const VISIBLE = 80

export function readWindowState(path: string): WindowState | null {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(path, 'utf8')))
  } catch {
    return null
  }
}

/** Whether a window there could be seen and moved. */
export function isReachable(bounds: Rectangle, areas: readonly Rectangle[]): boolean {
  return areas.some(
    (area) =>
      bounds.x + bounds.width >= area.x + VISIBLE &&
      bounds.x <= area.x + area.width - VISIBLE &&
      bounds.y >= area.y &&
      bounds.y <= area.y + area.height - VISIBLE,
  )
}

export function workAreas(screen: Screen): Rectangle[] {
  return screen.getAllDisplays().map((display) => display.workArea)
}

export function rememberWindowState(window: BrowserWindow, path: string): void {
  window.on('close', () => {
    try {
      const state = { bounds: window.getNormalBounds(), maximized: window.isMaximized() }
      writeFileAtomicallySync(path, JSON.stringify(state))
    } catch {
      // A window that opens at its usual place is no loss worth a word.
    }
  })
}
