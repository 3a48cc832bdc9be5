import { Ban, ChevronDown, CircleCheck, Monitor, UserCog, UserMinus } from 'lucide-react'
import { useState } from 'react'
import type { Member, MemberDevice } from '../../src-shared/view-model/index.ts'
import { Avatar } from '../design/Avatar.tsx'
import { Button } from '../design/Button.tsx'
import { useCore } from '../store/react.ts'
import { t } from '../text/t.ts'

function Device({ device }: { device: MemberDevice }) {
  return (
    <li className="device" data-status={device.status}>
      <Monitor size={15} aria-hidden="true" />
      <div className="device__text">
        <span className="truncate">{device.name ?? t('device.unnamed')}</span>
        <span className="small quiet row">
          {device.status === 'pending' ? (
            t('device.pending')
          ) : device.status === 'removed' ? (
            t('device.removed')
          ) : device.verified ? (
            <>
              <CircleCheck size={13} aria-hidden="true" />
              {t('device.verified')}
            </>
          ) : (
            t('device.known')
          )}
        </span>
        <span className="device__code">
          <span className="unseen">{t('device.code')} </span>
          {device.keyDigest}
        </span>
      </div>
    </li>
  )
}

/** A person in a room; opens to their server and devices. */
export function MemberRow({
  room,
  member,
  canPutOut,
}: {
  room: string
  member: Member
  /** Not in a conversation of two. */
  canPutOut: boolean
}) {
  const core = useCore()
  const [open, setOpen] = useState(member.changed)
  const standing =
    member.membership === 'invite' ? t('member.invited') : t(`member.role.${member.role}`)
  const devices = member.devices.filter((device) => device.status !== 'removed')
  return (
    <li className="member">
      <button
        type="button"
        className="member__row"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <Avatar id={member.id} name={member.name} size={34} />
        <span className="member__text">
          <span className="member__name">
            <span className="truncate" dir="auto">
              {member.name}
            </span>
            {member.me ? <span className="quiet">({t('member.me')})</span> : null}
            {member.bot ? <span className="tag">{t('member.bot')}</span> : null}
          </span>
          {member.changed ? (
            <span className="member__changed">{t('member.changed')}</span>
          ) : (
            <span className="small quiet truncate" dir="ltr">
              {[standing, member.userId].filter(Boolean).join(' · ')}
            </span>
          )}
        </span>
        <ChevronDown size={16} aria-hidden="true" className="member__arrow" />
      </button>
      {open ? (
        <div className="member__more">
          {member.changed ? (
            <div className="member__notice">
              <p>{t('member.changed.detail', { name: member.name })}</p>
              <Button size="small" onClick={() => void core.rooms.memberSeen(room, member.id)}>
                {t('member.seen')}
              </Button>
            </div>
          ) : null}
          <p className="small quiet" dir="ltr">
            {t('member.server', { server: member.server })}
          </p>
          {devices.length > 0 ? (
            <ul aria-label={t('member.expand', { name: member.name })}>
              {devices.map((device) => (
                <Device key={device.id} device={device} />
              ))}
            </ul>
          ) : (
            <p className="small quiet">{t('member.noDevices')}</p>
          )}
          {canPutOut && member.can.roles.length > 0 ? (
            <Button
              size="small"
              onClick={() => core.showOverlay({ kind: 'member-role', room, member: member.id })}
            >
              <UserCog size={15} aria-hidden="true" />
              {member.me ? t('role.change.own') : t('role.change', { name: member.name })}
            </Button>
          ) : null}
          {canPutOut && member.can.remove ? (
            <Button
              size="small"
              look="danger-quiet"
              onClick={() => core.showOverlay({ kind: 'remove-member', room, member: member.id })}
            >
              <UserMinus size={15} aria-hidden="true" />
              {t('member.remove', { name: member.name })}
            </Button>
          ) : null}
          {canPutOut && member.can.ban ? (
            <Button
              size="small"
              look="danger-quiet"
              onClick={() => core.showOverlay({ kind: 'ban-member', room, member: member.id })}
            >
              <Ban size={15} aria-hidden="true" />
              {t('member.ban', { name: member.name })}
            </Button>
          ) : null}
        </div>
      ) : null}
    </li>
  )
}
