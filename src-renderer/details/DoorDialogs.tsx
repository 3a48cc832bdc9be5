import { useState } from 'react'
import type { JoinRule } from '../../src-shared/view-model/index.ts'
import { Button } from '../design/Button.tsx'
import { Choices } from '../design/Choices.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { Field } from '../design/Field.tsx'
import { useApp, useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'

/** Says what putting somebody out does, and takes a word on why. */
function PutOut({
  title,
  body,
  submit,
  onSubmit,
}: {
  title: string
  body: string
  submit: string
  onSubmit: (reason: string) => Promise<unknown>
}) {
  const core = useCore()
  const [reason, setReason] = useState('')
  const [busy, setBusy] = useState(false)
  const close = (): void => core.showOverlay(null)
  return (
    <Dialog title={title} onClose={close} alert width={440}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (busy) return
          setBusy(true)
          void onSubmit(reason.trim()).then(close)
        }}
      >
        <p className="quiet">{body}</p>
        <Field
          label={t('member.reason')}
          hint={t('member.reason.hint')}
          optional
          value={reason}
          onChange={setReason}
          maxLength={512}
        />
        <div className="dialog__actions">
          <Button onClick={close} autoFocus>
            {t('common.cancel')}
          </Button>
          <Button look="danger" type="submit" busy={busy}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

function useNameOf(room: string, member: string): string {
  return useApp(
    (state) => state.details[room]?.members.find((each) => each.id === member)?.name ?? '',
  )
}

export function RemoveMember({ room, member }: { room: string; member: string }) {
  const core = useCore()
  const name = useNameOf(room, member)
  return (
    <PutOut
      title={t('member.remove.title', { name })}
      body={t('member.remove.body')}
      submit={t('member.remove.submit')}
      onSubmit={(reason) => core.rooms.removeMember(room, member, reason)}
    />
  )
}

export function BanMember({ room, member }: { room: string; member: string }) {
  const core = useCore()
  const name = useNameOf(room, member)
  return (
    <PutOut
      title={t('member.ban.title', { name })}
      body={t('member.ban.body')}
      submit={t('member.ban.submit')}
      onSubmit={(reason) => core.rooms.ban(room, member, reason)}
    />
  )
}

const rules: readonly JoinRule[] = ['invite', 'knock', 'public']

/** Who may come in. */
export function RoomAccess({ room }: { room: string }) {
  const core = useCore()
  const now = useApp((state) => state.details[room]?.joinRule ?? 'invite')
  const [rule, setRule] = useState<JoinRule>(now)
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const close = (): void => core.showOverlay(null)

  async function save(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await core.rooms.setJoinRule(room, rule)
    setBusy(false)
    if (result.ok) {
      close()
      core.toast(t('access.saved'))
    } else setProblem(errorText(result.error))
  }

  return (
    <Dialog title={t('access.title')} onClose={close}>
      <Choices
        label={t('access.title')}
        value={rule}
        onChange={setRule}
        choices={rules.map((value) => ({
          value,
          label: t(`access.${value}`),
          detail: t(`access.${value}.detail`),
        }))}
      />
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
