import { ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'
import { StartOver } from './StartOver.tsx'
import { UnlockForm } from './Unlock.tsx'

/** Says why stored messages can't be opened, and what can be done. Never starts over by itself. */
export function VaultProblem() {
  const core = useCore()
  const problem = useApp((state) => state.app?.problem ?? null)
  const [failed, setFailed] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const [looked, setLooked] = useState(false)
  const canGoOn = problem?.canUsePassphrase === true || problem?.canStartFreshSessions === true

  async function startFresh(): Promise<void> {
    setBusy(true)
    setFailed(null)
    const result = await core.call('app.startFreshSessions', {})
    setBusy(false)
    if (result.ok) await core.session.load()
    else setFailed(errorText(result.error))
  }

  async function checkAgain(): Promise<void> {
    setLooked(false)
    await core.call('app.checkAgain', {})
    await core.session.load()
    setLooked(true)
  }

  return (
    <Frame title={t('problem.title')} lead={problem ? t(`problem.${problem.what}`) : ''}>
      <div className="frame__form">
        <p className="frame__kept">
          <ShieldCheck size={18} aria-hidden="true" />
          {t('problem.kept')}
        </p>
        {problem?.canUsePassphrase ? <UnlockForm label={t('problem.usePassphrase')} /> : null}
        {problem?.canStartFreshSessions ? (
          <div className="frame__indent">
            <Button
              look={problem.canUsePassphrase ? 'plain' : 'primary'}
              size="large"
              wide
              busy={busy}
              onClick={() => void startFresh()}
            >
              {t('problem.fresh')}
            </Button>
            <p className="small quiet">{t('problem.fresh.detail')}</p>
          </div>
        ) : null}
        {failed ? (
          <p className="frame__error" role="alert">
            {failed}
          </p>
        ) : null}
        <Button
          look={canGoOn ? 'quiet' : 'primary'}
          size={canGoOn ? 'medium' : 'large'}
          wide
          onClick={() => void checkAgain()}
        >
          {t('problem.check')}
        </Button>
        <p className="small quiet" role="status">
          {looked ? t('problem.same') : null}
        </p>
        {problem?.canStartOver ? (
          <StartOver ask={t('problem.startOver')} onFailed={setFailed} />
        ) : null}
      </div>
    </Frame>
  )
}
