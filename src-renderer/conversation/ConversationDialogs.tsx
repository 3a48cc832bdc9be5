import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { SwitchRow } from '../design/Choices.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'

export function DeleteMessage({ room, envelope }: { room: string; envelope: string }) {
  const core = useCore()
  const [busy, setBusy] = useState(false)
  const message = core.conversation.find(room, envelope)
  const close = (): void => core.showOverlay(null)
  return (
    <Dialog title={t('delete.title')} onClose={close} alert width={420}>
      {message ? (
        <blockquote className="cited" dir="auto">
          {message.text}
        </blockquote>
      ) : null}
      <p className="quiet">{t('delete.body')}</p>
      <div className="dialog__actions">
        <Button onClick={close} autoFocus>
          {t('common.cancel')}
        </Button>
        <Button
          look="danger"
          busy={busy}
          onClick={() => {
            setBusy(true)
            void core.conversation.remove(room, envelope).then(close)
          }}
        >
          {t('delete.submit')}
        </Button>
      </div>
    </Dialog>
  )
}

/** Shows where a link really leads before anything opens. */
export function OpenLink({ url }: { url: string }) {
  const core = useCore()
  const [never, setNever] = useState(false)
  const close = (): void => core.showOverlay(null)
  const parts = URL.canParse(url) ? new URL(url) : null
  // The parsed host: look-alike letters show up as what they are.
  const host = parts?.host ?? ''
  const at = host === '' ? -1 : (parts?.href.indexOf(host) ?? -1)
  const href = parts?.href ?? url
  return (
    <Dialog title={t('link.title')} onClose={close} alert width={440}>
      <p className="cited cited--link" dir="ltr">
        {at < 0 ? (
          href
        ) : (
          <>
            {href.slice(0, at)}
            <strong>{host}</strong>
            {href.slice(at + host.length)}
          </>
        )}
      </p>
      <p className="quiet small">{t('link.body')}</p>
      <SwitchRow label={t('link.never')} on={never} onChange={setNever} />
      <div className="dialog__actions">
        <Button
          onClick={() => {
            void core.copy(href, t('link.copied'))
            close()
          }}
        >
          {t('link.copy')}
        </Button>
        <Button
          look="primary"
          autoFocus
          onClick={() => {
            if (never) void core.session.changeSettings({ confirmLinks: false })
            void core.attempt('app.openExternal', { url: href })
            close()
          }}
        >
          {t('link.open')}
        </Button>
      </div>
    </Dialog>
  )
}
