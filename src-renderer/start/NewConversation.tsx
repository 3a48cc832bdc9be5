import { Link, Users } from 'lucide-react'
import { useRef, useState } from 'react'
import { copyInvitationLink } from '../actions/registry.ts'
import { Avatar } from '../design/Avatar.tsx'
import { Button } from '../design/Button.tsx'
import { Dialog } from '../design/Dialog.tsx'
import { Field } from '../design/Field.tsx'
import type { FoundPerson, FoundRoom } from '../store/rooms.ts'
import { useCore } from '../store/react.ts'
import { errorText } from '../text/errors.ts'
import { t } from '../text/t.ts'
import { FoundRoomCard } from './FoundRoomCard.tsx'
import './start.css'

/** Links to rooms and their ids; whatever else is meant is a person. */
const isRoom = (text: string): boolean => /^(eccp:room\/|!)/.test(text)

/** Find somebody by name, address or invitation link, look at who it is, and begin. */
export function NewConversation(props: { who: string }) {
  const core = useCore()
  const [who, setWho] = useState(props.who)
  const [found, setFound] = useState<FoundPerson | null>(null)
  const [room, setRoom] = useState<FoundRoom | null>(null)
  const [problem, setProblem] = useState<string | null>(null)
  const [busy, setBusy] = useState<'find' | 'start' | null>(null)
  const asked = useRef('')
  const close = (): void => core.showOverlay(null)

  async function find(): Promise<void> {
    const text = who.trim()
    if (!text || busy) return
    asked.current = text
    setBusy('find')
    setProblem(null)
    const looked = isRoom(text) ? await lookUpRoom(text) : await lookUpPerson(text)
    setBusy(null)
    if (asked.current === text) looked()
  }

  async function lookUpPerson(text: string): Promise<() => void> {
    const result = await core.rooms.lookUp(text)
    return () => (result.ok ? setFound(result.value) : setProblem(errorText(result.error)))
  }

  async function lookUpRoom(text: string): Promise<() => void> {
    const result = await core.rooms.lookUpRoom(text)
    return () => (result.ok ? setRoom(result.value) : setProblem(errorText(result.error)))
  }

  async function enter(): Promise<void> {
    if (!room) return
    if (room.standing !== 'none') {
      close()
      core.conversation.open(room.room)
      return
    }
    setBusy('start')
    const result = await core.rooms.enter(asked.current)
    setBusy(null)
    if (result.ok) {
      close()
      core.toast(result.value.joined ? t('start.room.joined') : t('start.room.sent'))
    } else setProblem(errorText(result.error))
  }

  async function start(): Promise<void> {
    if (!found) return
    if (found.existingRoom !== null) {
      close()
      core.conversation.open(found.existingRoom)
      return
    }
    setBusy('start')
    const result = await core.rooms.startDirect(asked.current)
    setBusy(null)
    if (result.ok) close()
    else setProblem(errorText(result.error))
  }

  return (
    <Dialog title={t('start.title')} onClose={close}>
      <form
        className="stack"
        onSubmit={(event) => {
          event.preventDefault()
          void (found ? start() : room ? enter() : find())
        }}
      >
        <Field
          label={t('start.who')}
          placeholder={t('start.who.placeholder')}
          value={who}
          hint={t('start.who.hint')}
          error={problem}
          maxLength={2048}
          autoFocus
          onChange={(text) => {
            setWho(text)
            setFound(null)
            setRoom(null)
            setProblem(null)
            asked.current = ''
          }}
        />
        {room ? (
          <FoundRoomCard room={room} busy={busy === 'start'} />
        ) : found ? (
          <div className="person" role="group" aria-label={found.name}>
            <Avatar id={found.userId} name={found.name} size={46} />
            <div className="person__text">
              <strong className="truncate" dir="auto">
                {found.name}
              </strong>
              <span className="small quiet truncate" dir="ltr">
                {found.userId}
              </span>
              <span className="small quiet">
                {found.known ? t('start.found.known') : t('start.found.new')}
              </span>
            </div>
            <Button look="primary" type="submit" busy={busy === 'start'}>
              {found.existingRoom === null ? t('start.talk') : t('start.openExisting')}
            </Button>
          </div>
        ) : (
          <div className="row row--end">
            <Button look="primary" type="submit" busy={busy === 'find'} disabled={!who.trim()}>
              {busy === 'find' ? t('start.searching') : t('start.find')}
            </Button>
          </div>
        )}
      </form>
      <div className="ways">
        <button
          type="button"
          className="way"
          onClick={() => core.showOverlay({ kind: 'new-group' })}
        >
          <Users size={19} aria-hidden="true" />
          <span>
            <strong>{t('start.group')}</strong>
          </span>
        </button>
        <button type="button" className="way" onClick={() => void copyInvitationLink(core)}>
          <Link size={19} aria-hidden="true" />
          <span>
            <strong>{t('action.copyLink')}</strong>
            <span className="small quiet">{t('start.yourLink.detail')}</span>
          </span>
        </button>
      </div>
    </Dialog>
  )
}
