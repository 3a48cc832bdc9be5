import { Button } from '../design/Button.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { useApp, useCore } from '../store/react.ts'
import { deliveryText, namesInWords, protectionText } from '../text/messages.ts'
import { t } from '../text/t.ts'
import { fullTime } from '../text/times.ts'

/** Everything known about one message, in words. */
export function MessageDetails({ room, itemKey }: { room: string; itemKey: string }) {
  const core = useCore()
  const item = useApp((state) => {
    const found = state.timelines[room]?.items.find(({ key }) => key === itemKey)
    return found?.kind === 'message' ? found : null
  })
  const close = (): void => core.showOverlay(null)
  if (!item) return null
  const delivery = deliveryText(item)
  const rows: [string, string][] = [
    [t('messageDetails.from'), `${item.senderName} (${item.senderUserId})`],
    [t('messageDetails.sent'), fullTime(item.time)],
    [t('messageDetails.protection'), protectionText(item)],
    ...(delivery ? [[t('messageDetails.delivery'), delivery] satisfies [string, string]] : []),
    ...(item.deliveredTo.length > 0
      ? [
          [t('messageDetails.deliveredTo'), namesInWords(item.deliveredTo)] satisfies [
            string,
            string,
          ],
        ]
      : []),
    ...item.warnings.map((warning): [string, string] => [
      t('messageDetails.warnings'),
      t(`warning.${warning}`),
    ]),
  ]
  return (
    <Dialog title={t('messageDetails.title')} onClose={close}>
      <dl className="facts-list">
        {rows.map(([term, value], index) => (
          <div key={index}>
            <dt>{term}</dt>
            <dd dir="auto">{value}</dd>
          </div>
        ))}
      </dl>
      <div className="dialog__actions">
        <Button onClick={close} autoFocus>
          {t('common.close')}
        </Button>
      </div>
    </Dialog>
  )
}
