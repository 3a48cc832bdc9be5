/** Decides which screen is shown; ties theme, keyboard and announcements to the page. */
import { Component, useEffect, type ReactNode } from 'react'
import { bindKeyboard } from './actions/keyboard.ts'
import { Announcer } from './alerts/Announcer.tsx'
import { Interruptions } from './alerts/Interruptions.tsx'
import { Toasts } from './alerts/Toasts.tsx'
import { Button } from './design/Button.tsx'
import { Tips } from './design/Tips.tsx'
import { Brand } from './onboarding/Brand.tsx'
import { Frame } from './onboarding/Frame.tsx'
import { Onboarding } from './onboarding/Onboarding.tsx'
import { PendingApproval } from './onboarding/PendingApproval.tsx'
import { SetPassphrase } from './onboarding/SetPassphrase.tsx'
import { SignIn } from './onboarding/SignIn.tsx'
import { Unlock } from './onboarding/Unlock.tsx'
import { VaultProblem } from './onboarding/VaultProblem.tsx'
import type { Core } from './store/core.ts'
import { CoreProvider, useApp, useCore } from './store/react.ts'
import { currentAccount } from './store/session.ts'
import { t } from './text/t.ts'
import { Workspace } from './Workspace.tsx'

function Splash() {
  return (
    <main className="splash">
      <Brand size={64} />
      <h1 className="unseen">{t('app.name')}</h1>
      <p role="status">{t('app.starting')}</p>
    </main>
  )
}

function StartFailed() {
  const core = useCore()
  return (
    <Frame title={t('app.startFailed.title')} lead={t('app.startFailed.body')}>
      <Button look="primary" wide onClick={() => void core.session.load()}>
        {t('common.tryAgain')}
      </Button>
    </Frame>
  )
}

function Screen() {
  const core = useCore()
  const { stage, failed, overlay } = useApp((state) => ({
    stage: state.app?.stage ?? 'starting',
    failed: state.startError !== null && state.app === null,
    overlay: state.overlay?.kind ?? null,
  }))
  const account = useApp(currentAccount)
  const letIn = useApp((state) => !state.pairings.some((each) => each.side === 'new_device'))
  if (failed) return <StartFailed />
  switch (stage) {
    case 'starting':
      return <Splash />
    case 'onboarding':
      return <Onboarding />
    case 'needs_passphrase':
      return <SetPassphrase />
    case 'locked':
      return <Unlock />
    case 'vault_problem':
      return <VaultProblem />
    case 'ready':
      if (!account) return <Onboarding />
      if (overlay === 'sign-in') {
        const close = (): void => core.showOverlay(null)
        return <SignIn address={account.userId} onBack={close} onDone={close} />
      }
      if (account.state === 'pending_approval') return <PendingApproval />
      if (account.state === 'signed_out' && !letIn) return <PendingApproval />
      if (account.state === 'locked') return <Unlock />
      return <Workspace />
  }
}

function useTheme(): void {
  const theme = useApp((state) => state.settings.theme)
  useEffect(() => {
    if (theme === 'system') delete document.documentElement.dataset['theme']
    else document.documentElement.dataset['theme'] = theme
  }, [theme])
}

/** The window's title tells how much is unread, and nothing else about it. */
function useTitle(): void {
  const unread = useApp((state) =>
    Object.values(state.rooms).reduce((sum, room) => sum + room.unread, 0),
  )
  useEffect(() => {
    document.title = unread > 0 ? t('app.titleUnread', { unread }) : t('app.name')
  }, [unread])
}

function Shell() {
  const core = useCore()
  useTitle()
  useTheme()
  useEffect(() => bindKeyboard(core), [core])
  return (
    <>
      <Screen />
      <Toasts />
      <Interruptions />
      <Announcer />
      <Tips />
    </>
  )
}

class CrashScreen extends Component<{ children: ReactNode }, { crashed: boolean }> {
  override state = { crashed: false }
  static getDerivedStateFromError(): { crashed: boolean } {
    return { crashed: true }
  }
  override render(): ReactNode {
    if (!this.state.crashed) return this.props.children
    return (
      <main className="splash" role="alert">
        <h1>{t('app.crashed.title')}</h1>
        <p>{t('app.crashed.body')}</p>
        <Button look="primary" onClick={() => window.location.reload()}>
          {t('app.reload')}
        </Button>
      </main>
    )
  }
}

export function App({ core }: { core: Core }) {
  return (
    <CrashScreen>
      <CoreProvider value={core}>
        <Shell />
      </CoreProvider>
    </CrashScreen>
  )
}
