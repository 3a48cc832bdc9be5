/** The interface in a plain browser, on the fake. `?scene=…&theme=…` picks what is shown. Not shipped. */
import { createRoot } from 'react-dom/client'
import type { Alert } from '../../src-shared/view-model/index.ts'
import { App } from '../App.tsx'
import '../design/index.css'
import { createCore } from '../store/core.ts'
import { createFakeBridge } from './fake-bridge.ts'
import { pairing } from './fake-handlers.ts'
import type { FakeOptions } from './fake-state.ts'
import { account } from './fake-people.ts'

const now = Date.now()
const alert = (tier: Alert['tier'], what: Alert['alert'], room: string | null = null): Alert => ({
  id: `${what.what}-${tier}`,
  tier,
  room,
  time: now,
  alert: what,
})

const scenes: Record<string, FakeOptions> = {
  ready: {},
  onboarding: { app: { stage: 'onboarding', accounts: [] } },
  starting: { app: { stage: 'starting', accounts: [] } },
  passphrase: { app: { stage: 'needs_passphrase', keychain: 'none' } },
  locked: { app: { stage: 'locked' } },
  problem: {
    app: {
      stage: 'vault_problem',
      problem: {
        what: 'keychain_changed',
        canUsePassphrase: true,
        canStartFreshSessions: true,
        canStartOver: true,
      },
    },
  },
  pending: {
    app: { accounts: [{ ...account, state: 'pending_approval' }] },
    pairings: [pairing('new_device', now)],
  },
  empty: { rooms: [] },
  offline: {
    app: {
      accounts: [
        {
          ...account,
          queuedMessages: 2,
          connection: {
            state: 'offline',
            since: now,
            retryAt: now + 24_000,
            reason: 'unreachable',
          },
        },
      ],
    },
  },
  signedout: {
    app: {
      accounts: [{ ...account, connection: { state: 'signed_out', reason: 'device_removed' } }],
    },
  },
  certificate: {
    app: {
      accounts: [
        {
          ...account,
          personalNode: false,
          homeserver: 'chat.example.org',
          connection: { state: 'offline', since: now, retryAt: null, reason: 'certificate' },
        },
      ],
    },
  },
  approve: { pairings: [pairing('approver', now - 90_000)] },
  alerts: {
    alerts: [
      alert(2, { what: 'personal_node_down' }),
      alert(
        3,
        { what: 'contact_changed', userId: '@x', name: '林梅', change: 'identity_reset' },
        '!mei:home.example',
      ),
      alert(4, { what: 'toast', text: 'A short note that fades' }),
    ],
  },
  damaged: { alerts: [alert(1, { what: 'vault_damaged', records: 3 })] },
  whole: { alerts: [alert(0, { what: 'vault_rolled_back' })] },
}

const wanted = new URLSearchParams(window.location.search)
const theme = wanted.get('theme')
const bridge = createFakeBridge({
  ...scenes[wanted.get('scene') ?? 'ready'],
  settings: { theme: theme === 'light' || theme === 'dark' ? theme : 'system' },
})
const core = createCore(bridge)
Object.assign(window, { gallery: { core, bridge } })
const host = document.getElementById('root')
if (host) createRoot(host).render(<App core={core} />)
void core.session.load().then(() => {
  const room = wanted.get('room')
  if (room !== null) setTimeout(() => core.conversation.open(room), 60)
})
