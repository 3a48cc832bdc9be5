import { Button } from '../design/Button.tsx'
import { Spinner } from '../design/Spinner.tsx'
import { useApp, useCore } from '../store/react.ts'
import { currentAccount } from '../store/session.ts'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'

/** Shown on a device that signed in but has not been let in yet. */
export function PendingApproval() {
  const core = useCore()
  const pairing = useApp((state) => state.pairings.find((each) => each.side === 'new_device'))
  const account = useApp(currentAccount)
  const step = pairing?.step ?? 'waiting'
  const over = step === 'refused' || step === 'expired' || step === 'failed'
  return (
    <Frame title={t('pending.title')} lead={t('pending.lead')}>
      <div className="frame__form">
        {over ? (
          <p className="frame__error" role="alert">
            {t(`pending.${step}`)}
          </p>
        ) : (
          <div className="code" role="group" aria-label={t('pending.code')}>
            {pairing?.code ? (
              <>
                <p className="small quiet">{t('pending.code')}</p>
                <p className="code__digits">{pairing.code}</p>
              </>
            ) : (
              <p className="row quiet">
                <Spinner />
                {step === 'approving' || step === 'approved'
                  ? t('pending.approving')
                  : t('pending.waiting')}
              </p>
            )}
          </div>
        )}
        {pairing?.code && !over ? <p className="small">{t('pending.compare')}</p> : null}
        <p className="small quiet">{t('pending.why')}</p>
        {account ? (
          <p className="small quiet" dir="ltr">
            {account.userId} · {account.deviceName}
          </p>
        ) : null}
        <Button look="quiet" wide onClick={() => void core.session.signOut()}>
          {t('pending.cancel')}
        </Button>
      </div>
    </Frame>
  )
}
