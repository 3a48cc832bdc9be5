import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'

/** The last way out, asked twice: what nothing opens is put aside, and the app begins as if it were new. */
export function StartOver(props: {
  readonly ask: string
  readonly onFailed: (text: string | null) => void
}) {
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
        {props.ask}
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
