import { DoorOpen, Link, LogOut, Pencil, UserPlus, X } from 'lucide-react'
import type { Member, RoomDetails } from '../../src-shared/view-model/index.ts'
import { Button, IconButton } from '../design/Button.tsx'
import { useApp, useCore } from '../store/react.ts'
import { currentAccount } from '../store/session.ts'
import { t } from '../text/t.ts'
import { BadgeIcon } from './BadgeIcon.tsx'
import { roomBadge, serverBadge, type Badge } from './badges.ts'
import { MemberRow } from './MemberRow.tsx'
import './details.css'
import { RoomAvatar } from '../rooms/RoomAvatar.tsx'

function BadgeCard({ heading, badge }: { heading: string; badge: Badge }) {
  return (
    <section className="card" data-tone={badge.tone}>
      <h3 className="card__heading">{heading}</h3>
      <p className="card__title">
        <BadgeIcon icon={badge.icon} size={16} />
        {badge.text}
      </p>
      <p className="card__detail">{badge.detail}</p>
    </section>
  )
}

const order = (member: Member): number =>
  (member.me ? 0 : 10) + (member.membership === 'join' ? 0 : 5) - Math.min(4, member.power / 25)

/** Who may come in, and how they find the way. */
function Access({ room, details }: { room: string; details: RoomDetails }) {
  const core = useCore()
  const { joinRule, can } = details
  return (
    <section className="access" aria-label={t('access.title')}>
      <h3 className="aside__heading">{t('access.title')}</h3>
      <p className="small">{t(`access.${joinRule}.detail`)}</p>
      <div className="aside__actions">
        {can.setJoinRule ? (
          <Button size="small" onClick={() => core.showOverlay({ kind: 'room-access', room })}>
            <DoorOpen size={15} aria-hidden="true" />
            {t('access.change')}
          </Button>
        ) : null}
        {joinRule === 'invite' ? null : (
          <Button size="small" onClick={() => void core.rooms.copyLink(room)}>
            <Link size={15} aria-hidden="true" />
            {t('access.copyLink')}
          </Button>
        )}
      </div>
    </section>
  )
}

function Banned({ room, members }: { room: string; members: readonly Member[] }) {
  const core = useCore()
  return (
    <section aria-label={t('details.banned')}>
      <h3 className="aside__heading">{t('details.banned')}</h3>
      <ul className="members">
        {members.map(({ id, name, userId, can }) => (
          <li key={id} className="member member--out">
            <span className="member__text">
              <span className="truncate" dir="auto">
                {name}
              </span>
              <span className="small quiet truncate" dir="ltr">
                {userId}
              </span>
            </span>
            {can.unban ? (
              <Button
                size="small"
                aria-label={t('member.unbanNamed', { name })}
                onClick={() => void core.rooms.unban(room, id, name)}
              >
                {t('member.unban')}
              </Button>
            ) : null}
          </li>
        ))}
      </ul>
    </section>
  )
}

/** The right column: what a room is, who is in it, and on which servers and devices. */
export function Details() {
  const core = useCore()
  const { room, details } = useApp((state) => ({
    room: state.rooms[state.openRoom ?? ''],
    details: state.details[state.openRoom ?? ''],
  }))
  const account = useApp(currentAccount)
  if (!room) return null
  const group = room.kind === 'group'
  const banned = (details?.members ?? []).filter((member) => member.membership === 'ban')
  const members = (details?.members ?? [])
    .filter((member) => member.membership === 'join' || member.membership === 'invite')
    .sort((a, b) => order(a) - order(b) || a.name.localeCompare(b.name))
  return (
    <aside className="aside" aria-label={t('details.title')}>
      <div className="aside__close">
        <IconButton label={t('details.close')} onClick={() => core.toggleDetails(false)}>
          <X size={18} aria-hidden="true" />
        </IconButton>
      </div>
      <div className="aside__scroll">
        <div className="aside__top">
          <RoomAvatar room={room} size={76} />
          <h2 className="aside__name" dir="auto">
            {room.name}
          </h2>
          {room.topic ? (
            <p className="small quiet" dir="auto">
              {room.topic}
            </p>
          ) : null}
          <div className="aside__actions">
            {details?.can.invite && group ? (
              <Button
                size="small"
                onClick={() => core.showOverlay({ kind: 'invite', room: room.id })}
              >
                <UserPlus size={15} aria-hidden="true" />
                {t('details.invite')}
              </Button>
            ) : null}
            {details?.can.rename && group ? (
              <Button
                size="small"
                onClick={() => core.showOverlay({ kind: 'rename', room: room.id })}
              >
                <Pencil size={14} aria-hidden="true" />
                {t('details.rename')}
              </Button>
            ) : null}
          </div>
        </div>
        <BadgeCard heading={t('details.protection')} badge={roomBadge(room, details)} />
        {account ? <BadgeCard heading={t('details.server')} badge={serverBadge(account)} /> : null}
        {details ? (
          <>
            <section aria-label={t('details.people', { count: members.length })}>
              <h3 className="aside__heading">{t('details.people', { count: members.length })}</h3>
              <ul className="members">
                {members.map((member) => (
                  <MemberRow key={member.id} room={room.id} member={member} canPutOut={group} />
                ))}
              </ul>
            </section>
            {banned.length > 0 ? <Banned room={room.id} members={banned} /> : null}
            {group ? <Access room={room.id} details={details} /> : null}
            <section className="facts">
              <h3 className="aside__heading">{t('details.facts')}</h3>
              <ul>
                <li>{t(`details.history.${details.historyVisibility}`)}</li>
                <li>{details.hasBots ? t('details.bots.yes') : t('details.bots.no')}</li>
                <li>{details.hasBridges ? t('details.bridges.yes') : t('details.bridges.no')}</li>
                <li>
                  {t('details.servers', { count: details.servers.length })}
                  <span className="facts__servers" dir="ltr">
                    {details.servers.join(', ')}
                  </span>
                </li>
              </ul>
            </section>
          </>
        ) : null}
        <Button
          look="danger-quiet"
          wide
          onClick={() => core.showOverlay({ kind: 'leave', room: room.id })}
        >
          <LogOut size={16} aria-hidden="true" />
          {t('details.leave')}
        </Button>
      </div>
    </aside>
  )
}
