import { shortcutKeys } from '../actions/keyboard.ts'
import { actions } from '../actions/registry.ts'
import { Dialog } from '../design/Dialog.tsx'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import './palette.css'

type Row = readonly [what: string, keys: readonly string[]]

/** All keys, drawn from the registry, and those that live inside the conversation. */
export function Shortcuts() {
  const core = useCore()
  const groups: readonly (readonly [string, readonly Row[]])[] = [
    [
      t('shortcuts.anywhere'),
      [
        ...actions.flatMap((action): Row[] =>
          action.shortcut ? [[t(action.label), shortcutKeys(action.shortcut)]] : [],
        ),
        [t('shortcuts.escape'), [t('key.esc')]],
      ],
    ],
    [
      t('shortcuts.writing'),
      [
        [t('shortcuts.send'), [t('key.enter')]],
        [t('shortcuts.newline'), [t('key.shift'), t('key.enter')]],
        [t('shortcuts.editLast'), [t('key.up')]],
      ],
    ],
    [
      t('shortcuts.onMessage'),
      [
        [t('shortcuts.messages'), [t('key.up'), t('key.down')]],
        [t('message.reply'), [t('key.reply')]],
        [t('message.edit'), [t('key.edit')]],
        [t('message.copy'), [t('key.copy')]],
        [t('message.details'), [t('key.enter')]],
        [t('delete.submit'), [t('key.delete')]],
      ],
    ],
  ]
  return (
    <Dialog title={t('shortcuts.title')} onClose={() => core.showOverlay(null)} width={860} still>
      <div className="shortcuts__groups">
        {groups.map(([heading, rows]) => (
          <table key={heading} className="shortcuts">
            <caption>{heading}</caption>
            <thead className="unseen">
              <tr>
                <th scope="col">{t('shortcuts.does')}</th>
                <th scope="col">{t('shortcuts.key')}</th>
              </tr>
            </thead>
            <tbody>
              {rows.map(([label, keys]) => (
                <tr key={label}>
                  <th scope="row">{label}</th>
                  <td>
                    {keys.map((key) => (
                      <span key={key}>
                        <kbd>{key}</kbd>{' '}
                      </span>
                    ))}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        ))}
      </div>
    </Dialog>
  )
}
