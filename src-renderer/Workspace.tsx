import { Banners } from './alerts/Banners.tsx'
import { Conversation } from './conversation/Conversation.tsx'
import { Details } from './details/Details.tsx'
import { Overlays } from './Overlays.tsx'
import { Sidebar } from './rooms/Sidebar.tsx'
import { useApp } from './store/react.ts'
import { t } from './text/t.ts'
import './workspace.css'

/** The three columns, with banners above them. A developer's view will be a sibling of this. */
export function Workspace() {
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
      {shell ? <p className="workspace__shell">{t('app.developmentShell')}</p> : null}
      <Overlays />
    </div>
  )
}
