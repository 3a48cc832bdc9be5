import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { Field } from '../design/Field.tsx'
import { useApp, useCore } from '../store/react.ts'
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
