import { useState } from 'react'
import type { IpcError } from '../../src-shared/ipc/index.ts'
import { Button } from '../design/Button.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { Field } from '../design/Field.tsx'
import { useApp, useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'

/** A dialog with one text field, one button, and the error at the field. */
function AskText({
  title,
  label,
  submit,
  initial = '',
  maxLength,
  onSubmit,
  done,
}: {
  title: string
  label: string
  submit: string
  initial?: string
  maxLength: number
  onSubmit: (text: string) => Promise<{ ok: true } | { ok: false; error: IpcError }>
  done: string
}) {
  const core = useCore()
  const [text, setText] = useState(initial)
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const close = (): void => core.showOverlay(null)

  async function run(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await onSubmit(text.trim())
    setBusy(false)
    if (result.ok) {
      close()
      core.toast(done)
    } else setProblem(errorText(result.error))
  }

  return (
    <Dialog title={title} onClose={close}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (text.trim() && !busy) void run()
        }}
      >
        <Field
          label={label}
          value={text}
          onChange={setText}
          error={problem}
          maxLength={maxLength}
          autoFocus
        />
        <div className="dialog__actions">
          <Button onClick={close}>{t('common.cancel')}</Button>
          <Button look="primary" type="submit" busy={busy} disabled={!text.trim()}>
            {submit}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}

export function InviteToRoom({ room }: { room: string }) {
  const core = useCore()
  const name = useApp((state) => state.rooms[room]?.name ?? '')
  return (
    <AskText
      title={t('invite.title', { room: name })}
      label={t('invite.who')}
      submit={t('invite.submit')}
      done={t('invite.sent')}
      maxLength={2048}
      onSubmit={(who) => core.rooms.invite(room, who)}
    />
  )
}

export function RenameRoom({ room }: { room: string }) {
  const core = useCore()
  const name = useApp((state) => state.rooms[room]?.name ?? '')
  return (
    <AskText
      title={t('rename.title')}
      label={t('rename.name')}
      submit={t('common.save')}
      done={t('rename.done')}
      initial={name}
      maxLength={128}
      onSubmit={(text) => core.rooms.rename(room, text)}
    />
  )
}

/** Asks before doing something that others notice. */
function Confirm({
  title,
  body,
  submit,
  onSubmit,
}: {
  title: string
  body: string
  submit: string
  onSubmit: () => Promise<unknown>
}) {
  const core = useCore()
  const [busy, setBusy] = useState(false)
  const close = (): void => core.showOverlay(null)
  return (
    <Dialog title={title} onClose={close} alert width={420}>
      <p className="quiet">{body}</p>
      <div className="dialog__actions">
        <Button onClick={close} autoFocus>
          {t('common.cancel')}
        </Button>
        <Button
          look="danger"
          busy={busy}
          onClick={() => {
            setBusy(true)
            void onSubmit().then(close)
          }}
        >
          {submit}
        </Button>
      </div>
    </Dialog>
  )
}

export function LeaveRoom({ room }: { room: string }) {
  const core = useCore()
  const name = useApp((state) => state.rooms[room]?.name ?? '')
  return (
    <Confirm
      title={t('leave.title', { room: name })}
      body={t('leave.body')}
      submit={t('leave.submit')}
      onSubmit={() => core.rooms.leave(room)}
    />
  )
}
