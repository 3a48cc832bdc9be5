import { Monitor } from 'lucide-react'
import { useEffect, useState } from 'react'
import type { OwnDevice } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { useApp, useCore, useNow } from '../store/react.ts'
import { t } from '../text/t.ts'
import { agoInWords } from '../text/times.ts'

function DeviceRow({
  device,
  account,
  onRemoved,
}: {
  device: OwnDevice
  account: string
  onRemoved: () => void
}) {
  const core = useCore()
  const now = useNow(60_000)
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  const name = device.name ?? t('device.unnamed')

  async function remove(): Promise<void> {
    setBusy(true)
    const done = await core.attempt('account.removeDevice', { account, device: device.id })
    setBusy(false)
    if (!done) return
    core.toast(t('settings.devices.removed'))
    onRemoved()
  }

  return (
    <li className="settings__device">
      <div className="settings__row">
        <Monitor size={20} aria-hidden="true" />
        <div>
          <span className="settings__label">{name}</span>
          <p className="small quiet">
            {device.current
              ? t('settings.devices.this')
              : device.status === 'pending'
                ? t('device.pending')
                : device.lastSeen === null
                  ? t('settings.devices.never')
                  : t('settings.devices.seen', { ago: agoInWords(device.lastSeen, now) })}
          </p>
          <p className="device__code">
            <span className="unseen">{t('device.code')} </span>
            {device.keyDigest}
          </p>
        </div>
        {device.current || asking ? null : (
          <Button
            look="danger-quiet"
            size="small"
            aria-label={t('settings.devices.removeNamed', { device: name })}
            onClick={() => setAsking(true)}
          >
            {t('settings.devices.remove')}
          </Button>
        )}
      </div>
      {asking ? (
        <div
          className="settings__ask"
          role="group"
          aria-label={t('settings.devices.remove.title', { device: name })}
        >
          <strong>{t('settings.devices.remove.title', { device: name })}</strong>
          <p>{t('settings.devices.remove.body')}</p>
          <div className="row row--end">
            <Button autoFocus onClick={() => setAsking(false)}>
              {t('common.cancel')}
            </Button>
            <Button look="danger" busy={busy} onClick={() => void remove()}>
              {t('settings.devices.remove')}
            </Button>
          </div>
        </div>
      ) : null}
    </li>
  )
}

export function Devices() {
  const core = useCore()
  const { account, pairings } = useApp((state) => ({
    account: state.account,
    pairings: state.pairings,
  }))
  const [devices, setDevices] = useState<readonly OwnDevice[] | null>(null)
  const [failed, setFailed] = useState(false)

  const [turn, setTurn] = useState(0)
  const load = (): void => setTurn(turn + 1)

  // A device that was just let in or turned away changes the list.
  useEffect(() => {
    if (account === null) return
    let wanted = true
    void core.call('account.devices', { account }).then((result) => {
      if (!wanted) return
      setFailed(!result.ok)
      if (result.ok) setDevices(result.value)
    })
    return () => {
      wanted = false
    }
  }, [core, account, pairings, turn])

  return (
    <>
      <p className="quiet">{t('settings.devices.lead')}</p>
      {failed ? (
        <div className="row">
          <p>{t('settings.devices.failed')}</p>
          <Button size="small" onClick={load}>
            {t('common.tryAgain')}
          </Button>
        </div>
      ) : null}
      <ul className="settings__devices" aria-label={t('settings.devices')}>
        {(devices ?? [])
          .filter((device) => device.status !== 'removed')
          .map((device) => (
            <DeviceRow key={device.id} device={device} account={account ?? ''} onRemoved={load} />
          ))}
      </ul>
    </>
  )
}
