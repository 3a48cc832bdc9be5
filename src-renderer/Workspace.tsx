import { useEffect } from 'react'
import { detailsAreDrawer } from './actions/keyboard.ts'
import { Banners } from './alerts/Banners.tsx'
import { Conversation } from './conversation/Conversation.tsx'
import { Details } from './details/Details.tsx'
import { Overlays } from './Overlays.tsx'
import { Sidebar } from './rooms/Sidebar.tsx'
import { useApp, useCore } from './store/react.ts'
import { t } from './text/t.ts'
import './workspace.css'

/** The three columns, with banners above them. A developer's view will be a sibling of this. */
export function Workspace() {
  const core = useCore()
  // Where they would cover the conversation, the details wait until they are asked for.
  useEffect(() => {
    const fit = (): void => core.toggleDetails(!detailsAreDrawer())
    fit()
    const narrow = window.matchMedia('(max-width: 1139px)')
    narrow.addEventListener('change', fit)
    return () => narrow.removeEventListener('change', fit)
  }, [core])
  const { details, shell } = useApp((state) => ({
    details: state.detailsOpen && state.rooms[state.openRoom ?? '']?.membership === 'join',
    shell: state.app?.developmentShell ?? false,
  }))
  return (
    <div className="workspace">
      <Banners />
      <div className="workspace__columns" data-details={details}>
        <Sidebar />
        <Conversation />
        {details ? <Details /> : null}
      </div>
      {shell ? <footer className="workspace__shell">{t('app.developmentShell')}</footer> : null}
      <Overlays />
    </div>
  )
}
