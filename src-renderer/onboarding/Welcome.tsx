import { HardDrive, KeyRound, LockKeyhole } from 'lucide-react'
import { Button } from '../design/Button.tsx'
import { useApp } from '../store/react.ts'
import { t } from '../text/t.ts'
import { Brand } from './Brand.tsx'

export function Welcome({ onCreate, onSignIn }: { onCreate: () => void; onSignIn: () => void }) {
  const shell = useApp((state) => state.app?.developmentShell ?? false)
  return (
    <main className="frame">
      <div className="welcome">
        <div>
          <div className="row">
            <Brand size={44} />
            <strong>{t('app.name')}</strong>
          </div>
          <h1 className="welcome__title">{t('welcome.title')}</h1>
          <p className="welcome__lead">{t('welcome.lead')}</p>
          <div className="welcome__actions">
            <Button look="primary" size="large" onClick={onCreate} autoFocus>
              {t('welcome.create')}
            </Button>
            <Button size="large" onClick={onSignIn}>
              {t('welcome.signIn')}
            </Button>
          </div>
          <ul className="welcome__points">
            <li>
              <HardDrive size={17} aria-hidden="true" />
              {t('welcome.point.yours')}
            </li>
            <li>
              <LockKeyhole size={17} aria-hidden="true" />
              {t('welcome.point.private')}
            </li>
            <li>
              <KeyRound size={17} aria-hidden="true" />
              {t('welcome.point.words')}
            </li>
          </ul>
        </div>
        <div className="welcome__picture" aria-hidden="true">
          <p className="welcome__bubble" data-mine="false">
            {t('welcome.picture.1')}
          </p>
          <p className="welcome__bubble" data-mine="true">
            {t('welcome.picture.2')}
          </p>
          <p className="welcome__bubble" data-mine="false">
            {t('welcome.picture.3')}
          </p>
          <p className="welcome__bubble" data-mine="true">
            {t('welcome.picture.4')}
          </p>
          <p className="welcome__sealed">
            <LockKeyhole size={13} />
            {t('welcome.picture.sealed')}
          </p>
        </div>
      </div>
      {shell ? <p className="frame__shell">{t('app.developmentShell')}</p> : null}
    </main>
  )
}
