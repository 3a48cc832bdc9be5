import { X } from 'lucide-react'
import { useState } from 'react'
import { Button } from '../design/Button.tsx'
import { Choices } from '../design/Choices.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { Field } from '../design/Field.tsx'
import type { GroupInput } from '../store/rooms.ts'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { namesInWords } from '../text/messages.ts'
import { t } from '../text/t.ts'
import './start.css'

export function NewGroup() {
  const core = useCore()
  const [name, setName] = useState('')
  const [topic, setTopic] = useState('')
  const [who, setWho] = useState('')
  const [people, setPeople] = useState<string[]>([])
  const [history, setHistory] = useState<GroupInput['historyVisibility']>('joined')
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const close = (): void => core.showOverlay(null)

  function withTyped(): string[] {
    const typed = who.trim()
    return typed && !people.includes(typed) ? [...people, typed] : people
  }

  async function create(): Promise<void> {
    setBusy(true)
    setProblem(null)
    const result = await core.rooms.createGroup({
      name: name.trim(),
      topic: topic.trim(),
      invite: withTyped(),
      historyVisibility: history,
    })
    setBusy(false)
    if (!result.ok) {
      setProblem(errorText(result.error))
      return
    }
    close()
    if (result.value.notInvited.length > 0) {
      core.toast(t('group.notInvited', { names: namesInWords(result.value.notInvited) }), {
        tone: 'error',
      })
    }
  }

  return (
    <Dialog title={t('group.title')} onClose={close} width={500}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          if (name.trim() && !busy) void create()
        }}
      >
        <Field
          label={t('group.name')}
          value={name}
          onChange={setName}
          maxLength={128}
          error={problem}
          autoFocus
        />
        <Field
          label={t('group.topic')}
          value={topic}
          onChange={setTopic}
          maxLength={1024}
          optional
        />
        <div className="stack stack--tight">
          <Field
            label={t('group.people')}
            placeholder={t('group.people.placeholder')}
            hint={t('group.people.hint')}
            value={who}
            onChange={setWho}
            maxLength={2048}
            onKeyDown={(event) => {
              if (event.key !== 'Enter' || event.nativeEvent.isComposing || !who.trim()) return
              event.preventDefault()
              setPeople(withTyped())
              setWho('')
            }}
            end={
              <Button
                size="small"
                look="quiet"
                disabled={!who.trim()}
                onClick={() => {
                  setPeople(withTyped())
                  setWho('')
                }}
              >
                {t('group.add')}
              </Button>
            }
          />
          {people.length > 0 ? (
            <ul className="chips" aria-label={t('group.people')}>
              {people.map((person) => (
                <li key={person} className="chip">
                  <span className="truncate" dir="ltr">
                    {person}
                  </span>
                  <button
                    type="button"
                    aria-label={t('group.remove', { name: person })}
                    onClick={() => setPeople(people.filter((each) => each !== person))}
                  >
                    <X size={14} aria-hidden="true" />
                  </button>
                </li>
              ))}
            </ul>
          ) : null}
        </div>
        <div className="field">
          <span className="field__label">{t('group.history')}</span>
          <Choices
            label={t('group.history')}
            value={history}
            onChange={setHistory}
            choices={[
              { value: 'joined', label: t('group.history.joined') },
              { value: 'invited', label: t('group.history.invited') },
              { value: 'shared', label: t('group.history.shared') },
            ]}
          />
        </div>
        <div className="dialog__actions">
          <Button onClick={close}>{t('common.cancel')}</Button>
          <Button look="primary" type="submit" busy={busy} disabled={!name.trim()}>
            {busy ? t('group.working') : t('group.create')}
          </Button>
        </div>
      </form>
    </Dialog>
  )
}
