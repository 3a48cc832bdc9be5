import { UserPlus } from 'lucide-react'
import { Button } from '../design/Button.tsx'
import { Brand } from '../onboarding/Brand.tsx'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'

export function About() {
  const core = useCore()
  const version = useApp((state) => state.app?.version ?? '')
  return (
    <>
      <div className="settings__me">
        <Brand size={56} />
        <div>
          <strong>{t('app.name')}</strong>
          <p className="small quiet">{t('settings.version', { version })}</p>
          <p className="small quiet">{t('settings.about.lead')}</p>
        </div>
      </div>
      <div className="settings__row">
        <div>
          <span className="settings__label">{t('settings.second')}</span>
          <p className="small quiet">{t('settings.second.detail')}</p>
        </div>
        <Button onClick={() => void core.attempt('app.openSecondProfile', {})}>
          <UserPlus size={16} aria-hidden="true" />
          {t('settings.second')}
        </Button>
      </div>
    </>
  )
}
