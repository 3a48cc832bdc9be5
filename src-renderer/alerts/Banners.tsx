import { CloudOff, MonitorSmartphone, ServerOff, ShieldAlert, X } from 'lucide-react'
import type { ReactNode } from 'react'
import type { AccountView } from '../../src-shared/view-model/index.ts'
import { Button, IconButton } from '../design/Button.tsx'
import { arrangeAlerts } from '../store/alerts.ts'
import { useApp, useCore, useNow } from '../store/react.ts'
import { currentAccount } from '../store/session.ts'
import { t } from '../text/t.ts'
import { alertText } from './alert-text.ts'
import './alerts.css'

function Banner({
  tone,
  icon,
  children,
  actions,
}: {
  tone: 'careful' | 'bad' | 'plain'
  icon: ReactNode
  children: ReactNode
  actions?: ReactNode
}) {
  return (
    <div className="banner" data-tone={tone}>
      {icon}
      <p className="banner__text">{children}</p>
      {actions}
    </div>
  )
}

function ConnectionBanner({ account }: { account: AccountView }) {
  const core = useCore()
  const { connection } = account
  const now = useNow(1_000, connection.state === 'offline')
  if (connection.state === 'signed_out') {
    return (
      <Banner
        tone="bad"
        icon={<ShieldAlert size={17} aria-hidden="true" />}
        actions={
          <Button size="small" onClick={() => core.showOverlay({ kind: 'sign-in' })}>
            {t('connection.signInAgain')}
          </Button>
        }
      >
        {t(`connection.signedOut.${connection.reason}`)}
      </Banner>
    )
  }
  if (connection.state !== 'offline') return null
  const seconds =
    connection.retryAt === null ? null : Math.max(0, Math.ceil((connection.retryAt - now) / 1000))
  const server = account.personalNode ? t('connection.own') : account.homeserver
  return (
    <Banner
      tone={connection.reason === 'certificate' ? 'bad' : 'careful'}
      icon={<CloudOff size={17} aria-hidden="true" />}
      actions={
        <Button size="small" onClick={() => void core.session.retryConnection()}>
          {t('connection.retryNow')}
        </Button>
      }
    >
      <strong>{t(`connection.${connection.reason}`, { server })}</strong>{' '}
      {seconds === null
        ? null
        : seconds === 0
          ? t('connection.retrying')
          : t('connection.retryIn', { seconds })}{' '}
      {account.queuedMessages > 0
        ? t('connection.queued', { count: account.queuedMessages })
        : null}
    </Banner>
  )
}

/** Tier 2: what stays until it is over, stacked above the columns. */
export function Banners() {
  const core = useCore()
  const account = useApp(currentAccount)
  const alerts = useApp((state) => state.alerts)
  const waiting = useApp((state) =>
    state.pairings.filter(
      (each) =>
        each.side === 'approver' &&
        state.postponed.includes(each.device) &&
        (each.step === 'waiting' || each.step === 'compare'),
    ),
  )
  const banners = arrangeAlerts(alerts, null).banners.filter(
    ({ alert }) => alert.what !== 'device_waiting',
  )
  return (
    <div className="banners" role="region" aria-label={t('alerts.region')}>
      {account ? <ConnectionBanner account={account} /> : null}
      {waiting.map((pairing) => (
        <Banner
          key={pairing.device}
          tone="plain"
          icon={<MonitorSmartphone size={17} aria-hidden="true" />}
          actions={
            <Button size="small" onClick={() => core.session.resumePairing(pairing.device)}>
              {t('alert.device_waiting.review')}
            </Button>
          }
        >
          {t('alert.device_waiting', { device: pairing.deviceName })}
        </Banner>
      ))}
      {banners.map((alert) => {
        const { title, body } = alertText(alert)
        return (
          <Banner
            key={alert.id}
            tone="careful"
            icon={<ServerOff size={17} aria-hidden="true" />}
            actions={
              <IconButton
                size="small"
                label={t('common.dismiss')}
                onClick={() => core.dismissAlert(alert.id)}
              >
                <X size={15} aria-hidden="true" />
              </IconButton>
            }
          >
            <strong>{title}</strong> {body}
          </Banner>
        )
      })}
    </div>
  )
}
