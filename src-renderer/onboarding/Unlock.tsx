import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { Field } from '../design/Field.tsx'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'
import { StartOver } from './StartOver.tsx'

/** The passphrase form, here and wherever a vault can be opened with it. */
export function UnlockForm({ label }: { label: string }) {
  const core = useCore()
  const [passphrase, setPassphrase] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)

  async function submit(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await core.call('app.unlock', { passphrase })
    setBusy(false)
    if (result.ok) await core.session.load()
    else setProblem(errorText(result.error))
  }

  return (
    <form
      className="frame__form"
      onSubmit={(event) => {
        event.preventDefault()
        if (passphrase && !busy) void submit()
      }}
    >
      <Field
        label={label}
        type="password"
        autoComplete="current-password"
        value={passphrase}
        onChange={setPassphrase}
        error={problem}
        maxLength={1024}
        autoFocus
      />
      <Button look="primary" size="large" type="submit" wide busy={busy} disabled={!passphrase}>
        {busy ? t('unlock.working') : t('unlock.submit')}
      </Button>
    </form>
  )
}

/** Nobody but the passphrase opens what it seals; who has forgotten it can begin anew beside it. */
export function Unlock() {
  const [failed, setFailed] = useState<string | null>(null)
  return (
    <Frame title={t('unlock.title')} lead={t('unlock.lead')}>
      <UnlockForm label={t('unlock.field')} />
      {failed ? (
        <p className="frame__error" role="alert">
          {failed}
        </p>
      ) : null}
      <StartOver ask={t('unlock.forgotten')} onFailed={setFailed} />
    </Frame>
  )
}
