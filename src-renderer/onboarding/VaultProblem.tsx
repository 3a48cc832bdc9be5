import { ShieldCheck } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'
import { UnlockForm } from './Unlock.tsx'

/** The last way out, asked twice: what nothing opens is put aside, and the app begins as if it were new. */
function StartOver(props: { onFailed: (text: string | null) => void }) {
  const core = useCore()
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)

  async function startOver(): Promise<void> {
    setBusy(true)
    props.onFailed(null)
    const result = await core.call('app.startOver', {})
    setBusy(false)
    if (result.ok) await core.session.load()
    else props.onFailed(errorText(result.error))
  }

  if (!asking)
    return (
      <Button look="danger-quiet" wide onClick={() => setAsking(true)}>
        {t('problem.startOver')}
      </Button>
    )
  return (
    <div className="frame__ask" role="group" aria-label={t('problem.startOver.title')}>
      <strong>{t('problem.startOver.title')}</strong>
      <p>{t('problem.startOver.detail')}</p>
      <div className="row row--end">
        <Button autoFocus onClick={() => setAsking(false)}>
          {t('common.cancel')}
        </Button>
        <Button look="danger" busy={busy} onClick={() => void startOver()}>
          {t('problem.startOver.submit')}
        </Button>
      </div>
    </div>
  )
}

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
        {problem?.canStartOver ? <StartOver onFailed={setFailed} /> : null}
      </div>
    </Frame>
  )
}
