import { Link, MessageSquarePlus, UserPlus } from 'lucide-react'
import { shortcutKeys } from '../actions/keyboard.ts'
import { actionById } from '../actions/registry.ts'
import { Button } from '../design/Button.tsx'
import { Brand } from '../onboarding/Brand.tsx'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'

/** No conversation open: either pick one, or there is none yet and this helps to begin. */
export function Placeholder() {
  const core = useCore()
  const { any, status } = useApp((state) => ({
    any: Object.keys(state.rooms).length > 0,
    status: state.roomsStatus,
  }))
  const run = (id: string): void => actionById(id)?.run(core)
  const palette = actionById('palette')?.shortcut
  if (status === 'loading') return <main className="sheet sheet--centre" aria-busy="true" />
  if (any) {
    return (
      <main className="sheet sheet--centre">
        <Brand size={72} />
        <h1 className="sheet__title">{t('home.title')}</h1>
        <p className="quiet">
          {t('home.body', { shortcut: palette ? shortcutKeys(palette).join('+') : '' })}
        </p>
      </main>
    )
  }
  return (
    <main className="sheet sheet--centre">
      <Brand size={84} />
      <h1 className="sheet__title">{t('home.first.title')}</h1>
      <p className="quiet sheet__lead">{t('home.first.body')}</p>
      <div className="row sheet__actions">
        <Button look="primary" size="large" onClick={() => run('new-conversation')}>
          <MessageSquarePlus size={18} aria-hidden="true" />
          {t('home.first.start')}
        </Button>
        <Button size="large" onClick={() => run('copy-link')}>
          <Link size={17} aria-hidden="true" />
          {t('home.first.copyLink')}
        </Button>
      </div>
      <div className="sheet__aside">
        <Button look="quiet" onClick={() => run('second-person')}>
          <UserPlus size={17} aria-hidden="true" />
          {t('home.first.second')}
        </Button>
        <p className="small quiet">{t('home.first.second.detail')}</p>
      </div>
    </main>
  )
}
