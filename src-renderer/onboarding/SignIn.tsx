import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { Field } from '../design/Field.tsx'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { splitAddress } from './addresses.ts'
import { Frame } from './Frame.tsx'

/** Signing in with a password: on a further device, or once more after being signed out. */
export function SignIn({
  onBack,
  address = '',
  onDone,
}: {
  onBack: () => void
  /** The account's address, where it is known. */
  address?: string
  onDone?: () => void
}) {
  const core = useCore()
  const [who, setWho] = useState(address)
  const [server, setServer] = useState('')
  const [password, setPassword] = useState('')
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const full = splitAddress(who)

  async function submit(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await core.call('account.signIn', {
      server: server.trim() || full?.server || null,
      name: full?.name ?? who.trim().replace(/^@/, '').toLowerCase(),
      password,
    })
    setBusy(false)
    if (!result.ok) {
      setProblem(errorText(result.error))
      return
    }
    core.session.accountChanged(result.value)
    await core.session.load()
    onDone?.()
  }

  return (
    <Frame
      title={t('signIn.title')}
      lead={address ? t('signIn.again.lead') : t('signIn.lead')}
      onBack={onBack}
    >
      <form
        className="frame__form"
        onSubmit={(event) => {
          event.preventDefault()
          if (who.trim() && password && !busy) void submit()
        }}
      >
        <Field
          label={t('signIn.name')}
          value={who}
          onChange={setWho}
          placeholder={t('signIn.name.placeholder')}
          autoComplete="username"
          maxLength={320}
          dir="ltr"
          autoFocus={!address}
        />
        <Field
          label={t('signIn.server')}
          value={server}
          onChange={setServer}
          placeholder={full?.server ?? ''}
          hint={full ? undefined : t('signIn.server.hint')}
          optional
          maxLength={512}
          inputMode="url"
          dir="ltr"
        />
        <Field
          label={t('signIn.password')}
          type="password"
          autoComplete="current-password"
          value={password}
          onChange={setPassword}
          maxLength={1024}
          autoFocus={address !== ''}
        />
        {problem ? (
          <p className="frame__error" role="alert">
            {problem}
          </p>
        ) : null}
        <Button
          look="primary"
          size="large"
          type="submit"
          wide
          busy={busy}
          disabled={!who.trim() || !password}
        >
          {busy ? t('signIn.working') : t('signIn.submit')}
        </Button>
      </form>
    </Frame>
  )
}
