import { Bell, Info, MonitorSmartphone, Palette, ShieldCheck, User } from 'lucide-react'
import { Tabs } from 'radix-ui'
import type { ReactNode } from 'react'
import { Choices } from '../design/Choices.tsx'
import { Dialog } from '../design/Dialog.tsx'
import type { SettingsSection } from '../store/state.ts'
import { useApp, useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import { About } from './About.tsx'
import { Devices } from './Devices.tsx'
import { Privacy } from './Privacy.tsx'
import { Profile } from './Profile.tsx'
import './settings.css'

const sections = [
  { id: 'profile', icon: User },
  { id: 'appearance', icon: Palette },
  { id: 'notifications', icon: Bell },
  { id: 'privacy', icon: ShieldCheck },
  { id: 'devices', icon: MonitorSmartphone },
  { id: 'about', icon: Info },
] as const satisfies readonly { id: SettingsSection; icon: unknown }[]

function Appearance() {
  const core = useCore()
  const theme = useApp((state) => state.settings.theme)
  return (
    <Choices
      label={t('settings.theme')}
      value={theme}
      onChange={(picked) => void core.session.changeSettings({ theme: picked })}
      choices={[
        { value: 'system', label: t('settings.theme.system') },
        { value: 'light', label: t('settings.theme.light') },
        { value: 'dark', label: t('settings.theme.dark') },
      ]}
    />
  )
}

function Notifications() {
  const core = useCore()
  const notifications = useApp((state) => state.settings.notifications)
  return (
    <>
      <p className="settings__label">{t('settings.notify')}</p>
      <Choices
        label={t('settings.notify')}
        value={notifications}
        onChange={(picked) => void core.session.changeSettings({ notifications: picked })}
        choices={[
          { value: 'full', label: t('settings.notify.full') },
          { value: 'name_only', label: t('settings.notify.name_only') },
          { value: 'none', label: t('settings.notify.none') },
        ]}
      />
    </>
  )
}

const panels: Record<SettingsSection, () => ReactNode> = {
  profile: () => <Profile />,
  appearance: () => <Appearance />,
  notifications: () => <Notifications />,
  privacy: () => <Privacy />,
  devices: () => <Devices />,
  about: () => <About />,
}

export function Settings({ section }: { section: SettingsSection }) {
  const core = useCore()
  return (
    <Dialog
      title={t('settings.title')}
      onClose={() => core.showOverlay(null)}
      width={780}
      className="settings"
    >
      <Tabs.Root
        className="settings__columns"
        orientation="vertical"
        value={section}
        onValueChange={(picked) => {
          const found = sections.find((each) => each.id === picked)
          if (found) core.showOverlay({ kind: 'settings', section: found.id })
        }}
      >
        <Tabs.List className="settings__list" aria-label={t('settings.sections')}>
          {sections.map(({ id, icon: Icon }) => (
            <Tabs.Trigger key={id} value={id} className="settings__tab">
              <Icon size={17} aria-hidden="true" />
              {t(`settings.${id}`)}
            </Tabs.Trigger>
          ))}
        </Tabs.List>
        {sections.map(({ id }) => (
          <Tabs.Content key={id} value={id} className="settings__panel">
            <h3 className="settings__title">{t(`settings.${id}`)}</h3>
            {panels[id]()}
          </Tabs.Content>
        ))}
      </Tabs.Root>
    </Dialog>
  )
}
