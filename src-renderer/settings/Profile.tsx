import { Copy, Link } from 'lucide-react'
import { useState } from 'react'
import { copyInvitationLink } from '../actions/registry.ts'
import { Avatar } from '../design/Avatar.tsx'
import { Button } from '../design/Button.tsx'
import { Field } from '../design/Field.tsx'
import { useApp, useCore } from '../store/react.ts'
import { currentAccount } from '../store/session.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'

function SignOut() {
  const core = useCore()
  const unsent = useApp((state) => currentAccount(state)?.queuedMessages ?? 0)
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  if (!asking) {
    return (
      <div className="settings__row">
        <div>
          <span className="settings__label">{t('settings.leaveHere')}</span>
          <p className="small quiet">{t('settings.leaveHere.detail')}</p>
        </div>
        <Button look="danger-quiet" onClick={() => setAsking(true)}>
          {t('settings.signOut')}
        </Button>
      </div>
    )
  }
  return (
    <div className="settings__ask" role="group" aria-label={t('settings.signOut.title')}>
      <strong>{t('settings.signOut.title')}</strong>
      <p>{t('settings.signOut.body')}</p>
      {unsent > 0 ? <p>{t('settings.signOut.unsent', { count: unsent })}</p> : null}
      <div className="row row--end">
        <Button autoFocus onClick={() => setAsking(false)}>
          {t('common.cancel')}
        </Button>
        <Button
          look="danger"
          busy={busy}
          onClick={() => {
            setBusy(true)
            void core.session.signOut().then((done) => {
              if (done) core.showOverlay(null)
              setBusy(false)
            })
          }}
        >
          {t('settings.signOut')}
        </Button>
      </div>
    </div>
  )
}

export function Profile() {
  const core = useCore()
  const account = useApp(currentAccount)
  const [name, setName] = useState(account?.displayName ?? '')
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  if (!account) return null
  const changed = name.trim() !== '' && name.trim() !== account.displayName

  async function save(): Promise<void> {
    if (!account || !changed) return
    setBusy(true)
    setProblem(null)
    const displayName = name.trim()
    const result = await core.call('account.setDisplayName', {
      account: account.account,
      displayName,
    })
    setBusy(false)
    if (result.ok) core.toast(t('settings.displayName.saved'))
    else setProblem(errorText(result.error))
  }

  return (
    <>
      <div className="settings__me">
        <Avatar id={account.account} name={name || account.displayName} size={64} />
        <form
          className="settings__name"
          onSubmit={(event) => {
            event.preventDefault()
            void save()
          }}
        >
          <Field
            label={t('settings.displayName')}
            value={name}
            onChange={setName}
            maxLength={128}
            error={problem}
            end={
              <Button size="small" look="quiet" type="submit" busy={busy} disabled={!changed}>
                {t('common.save')}
              </Button>
            }
          />
        </form>
      </div>
      <div className="settings__row">
        <div>
          <span className="settings__label">{t('settings.address')}</span>
          <p dir="ltr" className="settings__value">
            {account.userId}
          </p>
        </div>
        <Button
          aria-label={t('settings.copyAddress')}
          onClick={() => void core.copy(account.userId, t('settings.addressCopied'))}
        >
          <Copy size={15} aria-hidden="true" />
          {t('common.copy')}
        </Button>
      </div>
      <div className="settings__row">
        <div>
          <span className="settings__label">{t('settings.link')}</span>
          <p className="small quiet">{t('settings.link.detail')}</p>
        </div>
        <Button onClick={() => void copyInvitationLink(core)}>
          <Link size={15} aria-hidden="true" />
          {t('start.copyLink')}
        </Button>
      </div>
      <div className="settings__row">
        <div>
          <span className="settings__label">{t('settings.server')}</span>
          <p className="settings__value">
            {account.personalNode ? t('settings.server.own') : account.homeserver}
          </p>
        </div>
      </div>
      <SignOut />
    </>
  )
}
