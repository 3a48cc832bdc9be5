/**
 * What `import 'electron'` finds in the host. `developmentHost` is the host's own and absent in
 * Electron: the record of what stand-ins were asked, for tests.
 */
import { dialogAnswers, notifications, trays } from './api/stand-ins.ts'
import { recorded } from './environment.ts'
import { fenced } from './host-error.ts'

export { app } from './api/app.ts'
export { BrowserWindow } from './api/browser-window.ts'
export { ipcMain } from './api/ipc-main.ts'
export { MessageChannelMain } from './api/message-port.ts'
export { nativeTheme } from './api/native-theme.ts'
export { protocol, session } from './api/session.ts'
export { WebContents as webContents } from './api/web-contents.ts'
export {
  clipboard,
  dialog,
  Menu,
  MenuItem,
  nativeImage,
  net,
  Notification,
  powerMonitor,
  safeStorage,
  screen,
  shell,
  Tray,
} from './api/stand-ins.ts'

export const developmentHost = { recorded, dialogAnswers, notifications, trays }

const absent = (name: string): object => fenced(name, {})

export const autoUpdater = absent('autoUpdater')
export const contentTracing = absent('contentTracing')
export const crashReporter = absent('crashReporter')
export const desktopCapturer = absent('desktopCapturer')
export const globalShortcut = absent('globalShortcut')
export const inAppPurchase = absent('inAppPurchase')
export const powerSaveBlocker = absent('powerSaveBlocker')
export const pushNotifications = absent('pushNotifications')
export const systemPreferences = absent('systemPreferences')
export const utilityProcess = absent('utilityProcess')
export const webFrameMain = absent('webFrameMain')
export const contextBridge = undefined
export const ipcRenderer = undefined
