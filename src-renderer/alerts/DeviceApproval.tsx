import { MonitorSmartphone } from 'lucide-react'
import { useState } from 'react'
import type { Pairing } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { Spinner } from '../design/Spinner.tsx'
import { useCore, useNow } from '../store/react.ts'
import { t } from '../text/t.ts'
import { agoInWords } from '../text/times.ts'

/** A further device asks to join: the user compares both codes and says whether they are the same. */
export function DeviceApproval({ pairing }: { pairing: Pairing }) {
  const core = useCore()
  const now = useNow(30_000)
  const [answer, setAnswer] = useState<boolean | null>(null)
  const working = answer !== null || pairing.step === 'approving'

  async function say(same: boolean): Promise<void> {
    setAnswer(same)
    const done = await core.session.answerPairing(pairing.device, same)
    if (!done) setAnswer(null)
    else if (same) core.toast(t('pairing.approved', { device: pairing.deviceName }))
    else core.toast(t('pairing.refused'))
  }

  return (
    <Dialog
      title={t('pairing.title')}
      alert
      {...(working ? {} : { onClose: () => core.session.postponePairing(pairing.device) })}
    >
      <p className="row">
        <MonitorSmartphone size={20} aria-hidden="true" />
        {t('pairing.body', {
          device: pairing.deviceName,
          ago: agoInWords(pairing.requestedAt, now),
        })}
      </p>
      <div className="code" role="group" aria-label={t('pending.code')}>
        {pairing.code ? (
          <>
            <p className="small quiet">{t('pairing.compare')}</p>
            <p className="code__digits">{pairing.code}</p>
          </>
        ) : (
          <p className="row quiet">
            <Spinner /> {t('pairing.waiting')}
          </p>
        )}
      </div>
      <p className="small quiet">{t('pairing.notMine')}</p>
      <div className="dialog__actions">
        <Button
          look="danger-quiet"
          disabled={working}
          busy={answer === false}
          onClick={() => void say(false)}
        >
          {t('pairing.different')}
        </Button>
        <Button
          look="primary"
          disabled={pairing.code === null || answer === false}
          busy={answer === true || pairing.step === 'approving'}
          onClick={() => void say(true)}
        >
          {working && answer !== false ? t('pairing.approving') : t('pairing.same')}
        </Button>
      </div>
    </Dialog>
  )
}
