import { Keyboard, Link, MonitorSmartphone, Settings, UserPlus } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import { useState, type ReactNode } from 'react'
import { shortcutKeys } from '../actions/keyboard.ts'
import { actionById } from '../actions/registry.ts'
import { Avatar } from '../design/Avatar.tsx'
import { useApp, useCore } from '../store/react.ts'
import { currentAccount } from '../store/session.ts'
import { t } from '../text/t.ts'

const entries: readonly { id: string; icon: ReactNode }[] = [
  { id: 'settings', icon: <Settings size={16} aria-hidden="true" /> },
  { id: 'devices', icon: <MonitorSmartphone size={16} aria-hidden="true" /> },
  { id: 'copy-link', icon: <Link size={16} aria-hidden="true" /> },
  { id: 'second-person', icon: <UserPlus size={16} aria-hidden="true" /> },
  { id: 'shortcuts', icon: <Keyboard size={16} aria-hidden="true" /> },
]

/** Who I am here, whether I am connected, and what belongs to my account. */
export function AccountMenu() {
  const core = useCore()
  const [open, setOpen] = useState(false)
  const account = useApp(currentAccount)
  const others = useApp((state) =>
    (state.app?.accounts ?? []).filter((view) => view.account !== state.account),
  )
  if (!account) return null
  const online = account.connection.state
  const status =
    online === 'online'
      ? t('connection.online')
      : online === 'connecting'
        ? t('connection.connecting')
        : online === 'signed_out'
          ? t('connection.signedOut')
          : t('connection.offline')
  return (
    <DropdownMenu.Root modal={false} open={open} onOpenChange={setOpen}>
      <DropdownMenu.Trigger className="me">
        <span className="me__avatar">
          <Avatar id={account.account} name={account.displayName} size={36} />
          <i className="me__dot" data-state={online} />
        </span>
        <span className="unseen">{t('rooms.menu')}: </span>
        <span className="me__text">
          <span className="me__name truncate" dir="auto">
            {account.displayName}
          </span>
          <span className="me__status truncate">{status}</span>
        </span>
      </DropdownMenu.Trigger>
      {/* Inside the landmark, so that nothing on the page lies outside one. */}
      <DropdownMenu.Portal container={document.querySelector('nav')}>
        <DropdownMenu.Content className="menu" align="start" sideOffset={6} collisionPadding={8}>
          <div className="menu__head">
            <strong dir="auto">{account.displayName}</strong>
            <p className="small quiet" dir="ltr">
              {account.userId}
            </p>
          </div>
          <div className="menu__line" />
          {others.map((view) => (
            <DropdownMenu.Item
              key={view.account}
              className="menu__item"
              onSelect={() => core.session.show(view.account)}
            >
              <Avatar id={view.account} name={view.displayName} size={20} />
              {view.displayName}
            </DropdownMenu.Item>
          ))}
          {entries.map(({ id, icon }) => {
            const action = actionById(id)
            if (!action) return null
            return (
              <DropdownMenu.Item key={id} className="menu__item" onSelect={() => action.run(core)}>
                {icon}
                {t(action.label)}
                {action.shortcut ? <kbd>{shortcutKeys(action.shortcut).join('+')}</kbd> : null}
              </DropdownMenu.Item>
            )
          })}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
