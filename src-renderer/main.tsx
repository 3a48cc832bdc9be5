/** Entry of the window: takes the bridge, makes the core, draws. */
import { createRoot } from 'react-dom/client'
import { App } from './App.tsx'
import { bridgeOfWindow } from './bridge.ts'
import './design/index.css'
import { createCore } from './store/core.ts'
import { t } from './text/t.ts'

const host = document.getElementById('root')
const bridge = bridgeOfWindow()
if (host && bridge) {
  const core = createCore(bridge)
  window.addEventListener('pagehide', () => core.stop())
  createRoot(host).render(<App core={core} />)
  void core.session.load()
} else if (host) {
  host.textContent = t('app.noBridge')
}
