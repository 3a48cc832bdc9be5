import { shortcutKeys } from '../actions/keyboard.ts'
import { actions } from '../actions/registry.ts'
import { Dialog } from '../design/Dialog.tsx'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'
import './palette.css'

/** All keys, drawn from the registry, and those that live inside the conversation. */
export function Shortcuts() {
  const core = useCore()
  const rows: [string, string[]][] = [
    ...actions.flatMap((action): [string, string[]][] =>
      action.shortcut ? [[t(action.label), shortcutKeys(action.shortcut)]] : [],
    ),
    [t('shortcuts.send'), [t('key.enter')]],
    [t('shortcuts.newline'), [t('key.shift'), t('key.enter')]],
    [t('shortcuts.editLast'), [t('key.up')]],
    [t('shortcuts.messages'), [t('key.up'), t('key.down')]],
    [t('shortcuts.escape'), [t('key.esc')]],
  ]
  return (
    <Dialog title={t('shortcuts.title')} onClose={() => core.showOverlay(null)} width={480}>
      <table className="shortcuts">
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
    </Dialog>
  )
}
