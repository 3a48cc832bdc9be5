import { useState } from 'react'
import { TriangleAlert } from 'lucide-react'
import { Button } from '../design/Button.tsx'
import { Field } from '../design/Field.tsx'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { Frame } from './Frame.tsx'

/** Where no keychain holds the key, a passphrase must. */
export function SetPassphrase() {
  const core = useCore()
  const [passphrase, setPassphrase] = useState('')
  const [repeat, setRepeat] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [differs, setDiffers] = useState(false)
  const [busy, setBusy] = useState(false)

  async function submit(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await core.call('app.setPassphrase', { passphrase, current: null })
    setBusy(false)
    if (result.ok) await core.session.load()
    else
      setProblem(
        result.error.code === 'weak_password' ? t('error.weak_password') : errorText(result.error),
      )
  }

  return (
    <Frame title={t('passphrase.title')} lead={t('passphrase.lead')}>
      <form
        className="frame__form"
        onSubmit={(event) => {
          event.preventDefault()
          const same = passphrase === repeat
          setDiffers(!same)
          if (same && passphrase && !busy) void submit()
        }}
      >
        <Field
          label={t('passphrase.field')}
          type="password"
          autoComplete="new-password"
          value={passphrase}
          onChange={setPassphrase}
          hint={t('passphrase.hint')}
          error={problem}
          maxLength={1024}
          autoFocus
        />
        <Field
          label={t('passphrase.repeat')}
          type="password"
          autoComplete="new-password"
          value={repeat}
          onChange={(text) => {
            setRepeat(text)
            setDiffers(false)
          }}
          error={differs ? t('passphrase.differs') : null}
          maxLength={1024}
        />
        <p className="frame__note">
          <TriangleAlert size={17} aria-hidden="true" />
          {t('passphrase.warning')}
        </p>
        <Button look="primary" size="large" type="submit" wide busy={busy} disabled={!passphrase}>
          {busy ? t('passphrase.working') : t('passphrase.submit')}
        </Button>
      </form>
    </Frame>
  )
}
