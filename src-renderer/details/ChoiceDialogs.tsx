import { useState } from 'react'
import type { CallResult } from '../../src-shared/ipc/index.ts'
import type { JoinRule, Role } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { Choices, type Choice } from '../design/Choices.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { useApp, useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'

/** One of several, saved or not. */
function ChoiceDialog<V extends string>({
  title,
  now,
  choices,
  warning,
  done,
  onSave,
}: {
  title: string
  now: V
  choices: readonly Choice<V>[]
  /** What cannot be undone about a choice. */
  warning?: (value: V) => string | null
  done: string
  onSave: (value: V) => Promise<CallResult<'rooms.setJoinRule' | 'rooms.setRole'>>
}) {
  const core = useCore()
  const [value, setValue] = useState(now)
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const close = (): void => core.showOverlay(null)
  const warned = value === now ? null : (warning?.(value) ?? null)

  async function save(): Promise<void> {
    if (value === now) {
      close()
      return
    }
    setBusy(true)
    setProblem(null)
    const result = await onSave(value)
    setBusy(false)
    if (result.ok) {
      close()
      core.toast(done)
    } else setProblem(errorText(result.error))
  }

  return (
    <Dialog title={title} onClose={close}>
      <Choices label={title} value={value} onChange={setValue} choices={choices} />
      {warned ? (
        <p className="small" role="status">
          {warned}
        </p>
      ) : null}
      {problem ? (
        <p className="field__error" role="alert">
          {problem}
        </p>
      ) : null}
      <div className="dialog__actions">
        <Button onClick={close}>{t('common.cancel')}</Button>
        <Button look="primary" busy={busy} onClick={() => void save()}>
          {t('common.save')}
        </Button>
      </div>
    </Dialog>
  )
}

const rules: readonly JoinRule[] = ['invite', 'knock', 'public']

/** Who may come in. */
export function RoomAccess({ room }: { room: string }) {
  const core = useCore()
  const now = useApp((state) => state.details[room]?.joinRule ?? 'invite')
  return (
    <ChoiceDialog
      title={t('access.title')}
      now={now}
      choices={rules.map((value) => ({
        value,
        label: t(`access.${value}`),
        detail: t(`access.${value}.detail`),
      }))}
      done={t('access.saved')}
      onSave={(rule) => core.rooms.setJoinRule(room, rule)}
    />
  )
}

const roles: readonly Role[] = ['admin', 'moderator', 'member']

/** What somebody may do here. */
export function MemberRole({ room, member }: { room: string; member: string }) {
  const core = useCore()
  const members = useApp((state) => state.details[room]?.members)
  const who = members?.find((each) => each.id === member)
  const own = members?.find((each) => each.me)?.role
  if (!who || who.role === 'creator') return null
  const now = who.role
  const { name } = who
  return (
    <ChoiceDialog
      title={who.me ? t('role.title.own') : t('role.title', { name })}
      now={now}
      choices={roles.map((value) => ({
        value,
        label: t(`role.${value}`),
        detail: t(`role.${value}.detail`),
        disabled: value !== now && !who.can.roles.includes(value),
      }))}
      warning={(role) =>
        who.me ? t('role.warning.own') : role === own ? t('role.warning', { name }) : null
      }
      done={t('role.saved')}
      onSave={(role) => core.rooms.setRole(room, member, role)}
    />
  )
}
