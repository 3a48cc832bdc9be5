import { Button } from '../design/Button.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { arrangeAlerts } from '../store/alerts.ts'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { alertText } from './alert-text.ts'
import { DeviceApproval } from './DeviceApproval.tsx'

/** Tiers 0 and 1, and devices that ask to be let in: one at a time, the loudest first. */
export function Interruptions() {
  const core = useCore()
  const { alerts, pairings, postponed, usable } = useApp((state) => ({
    alerts: state.alerts,
    pairings: state.pairings,
    postponed: state.postponed,
    usable: state.app?.stage === 'ready',
  }))
  if (!usable) return null
  const { blocking } = arrangeAlerts(alerts, null)
  const pairing = pairings.find(
    (each) =>
      each.side === 'approver' &&
      !postponed.includes(each.device) &&
      (each.step === 'waiting' || each.step === 'compare' || each.step === 'approving'),
  )
  if (blocking && blocking.alert.what !== 'device_waiting') {
    const { title, body } = alertText(blocking)
    return (
      <Dialog
        key={blocking.id}
        title={title}
        alert
        {...(blocking.tier === 0 ? { className: 'dialog--whole' } : {})}
      >
        <p>{body}</p>
        <div className="dialog__actions">
          <Button look="primary" onClick={() => core.dismissAlert(blocking.id)}>
            {t('alert.understood')}
          </Button>
        </div>
      </Dialog>
    )
  }
  return pairing ? <DeviceApproval key={pairing.device} pairing={pairing} /> : null
}
