import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { SwitchRow } from '../design/Choices.tsx'
import { Field } from '../design/Field.tsx'
import { useApp, useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'

function AppLock() {
  const core = useCore()
  const [open, setOpen] = useState(false)
  const [current, setCurrent] = useState('')
  const [passphrase, setPassphrase] = useState('')
  const [problem, setProblem] = useState<{ at: 'current' | 'new'; text: string } | null>(null)
  const [busy, setBusy] = useState(false)

  async function save(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await core.call('app.setPassphrase', { passphrase, current: current || null })
    setBusy(false)
    if (!result.ok) {
      const at = result.error.code === 'wrong_passphrase' ? 'current' : 'new'
      setProblem({ at, text: errorText(result.error) })
      return
    }
    setOpen(false)
    setCurrent('')
    setPassphrase('')
    core.toast(t('settings.lock.saved'))
  }

  return (
    <section className="settings__section">
      <div className="settings__row">
        <div>
          <span className="settings__label">{t('settings.lock')}</span>
          <p className="small quiet">{t('settings.lock.detail')}</p>
        </div>
        <Button onClick={() => void core.attempt('app.lock', {})}>{t('settings.lock.now')}</Button>
      </div>
      {open ? (
        <form
          className="stack"
          onSubmit={(event) => {
            event.preventDefault()
            if (passphrase && !busy) void save()
          }}
        >
          <Field
            label={t('settings.lock.current')}
            type="password"
            autoComplete="current-password"
            value={current}
            onChange={setCurrent}
            error={problem?.at === 'current' ? problem.text : null}
            maxLength={1024}
            autoFocus
          />
          <Field
            label={t('passphrase.field')}
            type="password"
            autoComplete="new-password"
            value={passphrase}
            onChange={setPassphrase}
            hint={t('passphrase.hint')}
            error={problem?.at === 'new' ? problem.text : null}
            maxLength={1024}
          />
          <div className="row row--end">
            <Button onClick={() => setOpen(false)}>{t('common.cancel')}</Button>
            <Button look="primary" type="submit" busy={busy} disabled={!passphrase}>
              {t('common.save')}
            </Button>
          </div>
        </form>
      ) : (
        <div>
          <Button onClick={() => setOpen(true)}>{t('settings.lock.set')}</Button>
        </div>
      )}
    </section>
  )
}

export function Privacy() {
  const core = useCore()
  const settings = useApp((state) => state.settings)
  return (
    <>
      <SwitchRow
        label={t('settings.receipts')}
        detail={t('settings.receipts.detail')}
        on={settings.sendReadReceipts}
        onChange={(sendReadReceipts) => void core.session.changeSettings({ sendReadReceipts })}
      />
      <SwitchRow
        label={t('settings.typing')}
        detail={t('settings.typing.detail')}
        on={settings.sendTyping}
        onChange={(sendTyping) => void core.session.changeSettings({ sendTyping })}
      />
      <SwitchRow
        label={t('settings.confirmLinks')}
        detail={t('settings.confirmLinks.detail')}
        on={settings.confirmLinks}
        onChange={(confirmLinks) => void core.session.changeSettings({ confirmLinks })}
      />
      <AppLock />
    </>
  )
}
