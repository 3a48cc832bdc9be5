/** What a fake peer puts into a room: forged, backdated, forked, moved, repeated, withheld. */
import { strict as assert } from 'node:assert'
import {
  banBody,
  inviteBody,
  joinBody,
  joinRulesBody,
  kickBody,
  memberPowerBody,
  nameBody,
  stateEvent,
  topicBody,
} from '../../src-shared/protocol/index.ts'
import type { Pdu, RoomEvent, StateBody } from '../../src-shared/protocol/index.ts'
import type { HostileCase } from '../case.ts'
import { fakeWrap, stateFrom } from '../device.ts'
import type { TestDevice } from '../device.ts'
import { eventItem, follow, newKey } from '../fake-peer.ts'
import { pairOf } from '../setting.ts'
import { expectRefused, nothingSigned, randomBody, Scene, withOneMoreDevice } from './scene.ts'

/** Power to name the room, and no more. */
const moderator = (user: TestDevice): StateBody[] => [
  {
    type: 'e.room.power',
    stateKey: '',
    content: {
      members: { [user.member]: 50 },
      default: 0,
      events: { 'e.room.power': 100 },
      invite: 0,
      kick: 50,
      ban: 50,
      redact: 50,
      state_default: 50,
    },
  },
]

export const hostileEvents: readonly HostileCase[] = [
  {
    name: 'refuses an event whose server has not signed it, and takes the honest copy all the same',
    section: '8.6',
    peers: ['evil'],
    without: ['bad_event_signature'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const good = scene.message('mine')
      const { pdu } = good
      const unsigned: Pdu = { ...pdu, event_sig: { ...pdu.event_sig, sig: nothingSigned() } }
      expectRefused(await scene.pushEvent({ pdu: unsigned }), 'bad_event_signature')
      const other = scene.message('under another key', { nodeKey: newKey(scene.peer.key.keyId) })
      expectRefused(await scene.pushEvent(other), 'bad_event_signature')
      await scene.neverSees(other)
      await scene.refresh()
      await scene.honest(good)
      await scene.sees(good)
    },
  },
  {
    name: 'refuses an envelope that its device has not signed, and takes the honest copy all the same',
    section: '5.3',
    peers: ['evil'],
    without: ['bad_envelope_signature'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const good = scene.message('mine')
      const { pdu } = good
      expectRefused(await scene.pushEvent({ pdu: { ...pdu, envelope_sig: null } }), 'bad_shape')
      const forged: Pdu = { ...pdu, envelope_sig: nothingSigned() }
      expectRefused(await scene.pushEvent({ pdu: forged }), 'bad_envelope_signature')
      await scene.neverSees(good)
      await scene.refresh()
      await scene.honest(good)
    },
  },
  {
    name: 'refuses a body that the envelope does not hash, and an id that is not the envelope’s',
    section: '5.10',
    peers: ['evil'],
    without: ['wrong_body'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const good = scene.message('mine')
      const { pdu } = good
      const another: Pdu = {
        ...pdu,
        event: { ...pdu.event, envelope_id: scene.message('x').envelopeId },
      }
      expectRefused(await scene.pushEvent({ pdu: another }), 'wrong_envelope_id')
      expectRefused(await scene.pushEvent({ pdu: { ...pdu, body: randomBody() } }), 'wrong_body')
      await scene.neverSees(good)
      await scene.refresh()
      await scene.honest(good)
    },
  },
  {
    name: 'lets a server speak for its own users only, and its own users speak on',
    section: '8.5',
    peers: ['evil', 'third'],
    without: ['wrong_origin'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, room, alice } = scene
      // Whoever could use up another's numbers would silence it (5.8).
      const sealed = alice.sealMessage(room.id, room.state, 'as alice')
      const envelope = { ...sealed.envelope, seq: Number.MAX_SAFE_INTEGER - 1 }
      const forged = peer.order(room, { ...sealed, envelope })
      expectRefused(await scene.pushEvent(forged), 'wrong_origin', 'bad_envelope_signature')
      const copied = peer.order(room, alice.sealMessage(room.id, room.state, 'as alice again'))
      expectRefused(await scene.pushEvent(copied), 'wrong_origin')
      const third = setting.peer('third')
      const relayed = scene.message('by a third', { origin: third.name, nodeKey: third.key })
      expectRefused(await scene.pushEvent(relayed), 'wrong_origin')
      await scene.neverSees(forged, copied, relayed)
    },
  },
  {
    name: 'refuses an event in its own name under a key that is not its own',
    section: '8.6',
    peers: ['evil'],
    without: ['unknown_origin_key', 'bad_event_signature'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, room, alice } = scene
      const sealed = alice.sealMessage(room.id, room.state, 'as alice')
      const claimed = peer.order(room, sealed, { origin: setting.node.serverName })
      expectRefused(await scene.pushEvent(claimed), 'unknown_origin_key', 'bad_event_signature')
      await scene.neverSees(claimed)
    },
  },
  {
    name: 'refuses removing someone of greater power',
    section: '8.5.3',
    peers: ['evil'],
    without: ['not_outranked'],
    async run(setting) {
      const scene = await Scene.open(setting, { about: moderator })
      const { room, alice } = scene
      for (const body of [kickBody(room.state, alice.member), banBody(room.state, alice.member)])
        expectRefused(await scene.pushEvent(scene.state(body)), 'not_outranked')
      await setting.membership(alice, room.id, alice, 'join')
    },
  },
  {
    name: 'refuses state beyond the sender’s power',
    section: '8.4',
    peers: ['evil'],
    without: ['power_too_low'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { room, eve } = scene
      const name = scene.state(nameBody('Mine'))
      expectRefused(await scene.pushEvent(name), 'power_too_low')
      const power = scene.state(memberPowerBody(room.state, eve.member, 100))
      expectRefused(await scene.pushEvent(power), 'power_too_low')
      await scene.neverSees(name, power)
    },
  },
  {
    name: 'refuses auth events that are not those of its own parents',
    section: '8.7',
    peers: ['evil'],
    without: ['wrong_auth_events'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { room } = scene
      const power = stateEvent(room.state, 'e.room.power', '')
      const due = scene.message('x').pdu.event.auth_events
      const few = scene.message('few', { authEvents: due.filter((id) => id !== power?.id) })
      expectRefused(await scene.pushEvent(few), 'wrong_auth_events')
      const other = stateEvent(room.state, 'e.room.history_visibility', '')
      const many = scene.message('many', { authEvents: [...due, other?.id ?? ''].sort() })
      expectRefused(await scene.pushEvent(many), 'wrong_auth_events')
      const none = scene.message('none', { authEvents: [] })
      expectRefused(await scene.pushEvent(none), 'no_room')
      await scene.neverSees(few, many, none)
    },
  },
  {
    name: 'takes the time of an event for a claim, and refuses one that is older than its parents',
    section: '8.7',
    peers: ['evil'],
    without: ['earlier_than_parent'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const past = scene.message('backdated', { originTs: 1 })
      expectRefused(await scene.pushEvent(past), 'earlier_than_parent')
      const future = scene.message('from tomorrow', { originTs: Date.now() + 86_400_000 })
      await scene.honest(future)
      await scene.sees(future)
      await scene.neverSees(past)
      await scene.refresh()
      const older = scene.message('older than its parent', { originTs: Date.now() })
      expectRefused(await scene.pushEvent(older), 'earlier_than_parent')
    },
  },
  {
    name: 'refuses what rests on something refused',
    section: '8.6',
    peers: ['evil'],
    without: ['rests_on_rejected'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const bad = scene.message('backdated', { originTs: 1 })
      expectRefused(await scene.pushEvent(bad))
      scene.room = follow(scene.room, bad)
      const onTop = scene.message('on top')
      scene.peer.answers.missing = () => ({ events: [bad.pdu], more: false, next: null })
      expectRefused(await scene.pushEvent(onTop), 'rests_on_rejected')
      await scene.neverSees(bad, onTop)
    },
  },
  {
    name: 'refuses an event without parents that does not begin a room',
    section: '8.7',
    peers: ['evil'],
    without: ['no_parents'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const orphan = scene.message('orphan', { prevEvents: [] })
      expectRefused(await scene.pushEvent(orphan), 'no_parents')
      await scene.neverSees(orphan)
    },
  },
  {
    name: 'refuses state that is put elsewhere than where its device has signed it',
    section: '8.7',
    peers: ['evil'],
    without: ['replaces_stale'],
    async run(setting) {
      const scene = await Scene.open(setting, { about: moderator })
      const { peer, room, eve, alice } = scene
      const sealed = eve.sealState(room.id, room.state, nameBody('Long ago'))
      assert.equal((await alice.setState(room.id, nameBody('Now'))).status, 200)
      const moved = peer.order(await scene.refresh(), sealed)
      expectRefused(await scene.pushEvent(moved), 'replaces_stale')
      await scene.neverSees(moved)
    },
  },
  {
    name: 'refuses state that rests on power which is no longer in force',
    section: '8.7',
    peers: ['evil'],
    without: ['basis_stale'],
    async run(setting) {
      const scene = await Scene.open(setting, { about: moderator })
      const { peer, room, eve, alice } = scene
      const sealed = eve.sealState(room.id, room.state, topicBody('Before'))
      const changed = memberPowerBody(await alice.state(room.id), eve.member, 60)
      assert.equal((await alice.setState(room.id, changed)).status, 200)
      const moved = peer.order(await scene.refresh(), sealed)
      expectRefused(await scene.pushEvent(moved), 'basis_stale')
      await scene.neverSees(moved)
    },
  },
  {
    name: 'refuses a message put before recipients that its device has not meant',
    section: '8.7',
    peers: ['evil'],
    without: ['roster_mismatch'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, room, eve, alice } = scene
      const bob = await setting.regular('bob')
      const sealed = eve.sealMessage(room.id, room.state, 'for two')
      assert.equal((await alice.setState(room.id, inviteBody(bob.member, bob.userId))).status, 200)
      assert.equal((await bob.setState(room.id, joinBody(bob.member, bob.userId))).status, 200)
      const moved = peer.order(await scene.refresh(), sealed)
      expectRefused(await scene.pushEvent(moved), 'roster_mismatch')
      await scene.neverSees(moved)
    },
  },
  {
    name: 'refuses a roster older than the one before',
    section: '8.5.2',
    peers: ['evil'],
    without: ['roster_rollback'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, eve } = scene
      const before = eve.manifest
      const grown = withOneMoreDevice(eve)
      eve.manifest = grown.state
      await scene.honest(peer.roster(scene.room, eve))
      eve.manifest = before
      const back = peer.roster(scene.room, eve)
      expectRefused(await scene.pushEvent(back), 'roster_rollback')
      await scene.neverSees(back)
    },
  },
  {
    name: 'comes to the state that resolution gives, whichever side of a fork is told last',
    section: '8.8',
    peers: ['evil'],
    without: ['resolution'],
    async run(setting) {
      const scene = await Scene.open(setting, { about: moderator })
      const { peer, alice, room, target } = scene
      const names = ['first', 'second', 'third'].map((name, index) =>
        scene.state(nameBody(name), { originTs: Date.now() + 1000 * (3 - index) }),
      )
      const outcomes = await scene.push(...names.map((event) => eventItem(event)))
      assert.deepEqual(outcomes, ['taken', 'taken', 'taken'])
      for (const event of names) peer.remember(event)
      const own = stateEvent(peer.room(room.id).state, 'e.room.name', '')
      assert.equal(own?.id, names[0]?.id, 'the suite resolves to the latest')
      const told = stateEvent(await alice.state(room.id), 'e.room.name', '')
      assert.equal(told?.id, own?.id, 'the node resolves to another state')
      const said = await alice.say(room.id, 'together')
      const again = await peer.fetchRoom(target, room.id)
      const ends = again.ends.find(({ envelopeId }) => envelopeId === said.envelope_id)
      assert.deepEqual(ends?.pdu.event.prev_events, names.map(({ id }) => id).sort())
    },
  },
  {
    name: 'marks what was overruled, and is told only because current state rests on it',
    section: '9.3',
    peers: ['evil'],
    without: ['resolution'],
    async run(setting) {
      const scene = await Scene.open(setting, { about: moderator })
      const { peer, alice, eve, room } = scene
      // What Eve sets while her power is taken from her; and then her server states a new roster, which stands.
      const rule = scene.state(joinRulesBody('knock'))
      eve.manifest = withOneMoreDevice(eve).state
      const roster = peer.roster(follow(room, rule), eve)
      const demotion = memberPowerBody(await alice.state(room.id), eve.member, 0)
      assert.equal((await alice.setState(room.id, demotion)).status, 200)
      assert.deepEqual(await scene.push(eventItem(rule), eventItem(roster)), ['taken', 'taken'])
      const { events, lapsed } = await alice.ok('state', { params: { roomId: room.id } })
      const given = events.map(({ event_sig: { sig } }) => sig)
      for (const { pdu } of [rule, roster]) assert.ok(given.includes(pdu.event_sig.sig))
      assert.deepEqual(lapsed, [rule.id], 'an overruled event is told as if it were current')
      const state = stateFrom(events, lapsed)
      assert.equal(stateEvent(state, 'e.room.roster', eve.member)?.id, roster.id)
      assert.equal(stateEvent(state, 'e.room.join_rules'), undefined)
    },
  },
  {
    name: 'bounds the ends of a flooded graph, and takes the rest once they are joined',
    section: '15.8',
    peers: ['evil'],
    slow: true,
    without: ['too_many_ends'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice, room } = scene
      const events = Array.from({ length: 90 }, (_, index) => scene.message(`end ${index}`))
      const items = events.map((event) => eventItem(event))
      const words = (await scene.push(...items)).map((outcome) => outcome.split(' ')[0])
      const first = words.indexOf('later')
      assert.ok(first > 0, 'ninety ends of a graph were taken')
      assert.deepEqual(new Set(words.slice(0, first)), new Set(['taken']))
      assert.deepEqual(new Set(words.slice(first)), new Set(['later']))
      // Each event of the node joins up to twenty of them (5.9).
      for (let turn = 0; turn < 5; turn++) await alice.say(room.id, `turn ${turn}`)
      const rest = await scene.push(...items.slice(first))
      assert.deepEqual(new Set(rest), new Set(['taken']))
      await scene.sees(events.at(-1) ?? scene.message('none'))
    },
  },
  {
    name: 'shows an envelope once, in however many events its server puts it, and both halves of an equivocation',
    section: '5.8',
    peers: ['evil'],
    without: ['envelope_repeated'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, room, eve, follower } = scene
      const sealed = eve.sealMessage(room.id, room.state, 'once')
      const one = peer.order(room, sealed)
      const two = peer.order(room, sealed, { originTs: one.pdu.event.origin_ts + 1 })
      assert.notEqual(one.id, two.id)
      const outcomes = await scene.push(eventItem(one), eventItem(two))
      assert.equal(outcomes[0], 'taken')
      await scene.refresh()
      const left = eve.sealMessage(room.id, scene.room.state, 'one half')
      const same = resealedAs(eve, room.id, scene, left.envelope.seq)
      const told = [peer.order(scene.room, left), same]
      assert.deepEqual(await scene.push(...told.map((event) => eventItem(event))), [
        'taken',
        'taken',
      ])
      for (const event of told) await scene.sees(event)
      await scene.neverSees()
      assert.equal(follower.seen(one.envelopeId)?.times, 1, 'one envelope was told as two events')
    },
  },
  {
    name: 'shows nothing that someone who was removed says beside the removal or after it',
    section: '8.10',
    peers: ['evil'],
    without: ['soft_failure'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { alice, eve, room } = scene
      const beside = scene.message('before the end')
      const removal = kickBody(await alice.state(room.id), eve.member)
      assert.equal((await alice.setState(room.id, removal)).status, 200)
      // Good at its own place, so every node keeps it; too late to be shown.
      assert.deepEqual(await scene.pushEvent(beside), ['taken'])
      const more = scene.message('and another')
      assert.deepEqual(await scene.pushEvent(more), ['taken'])
      await scene.neverSees(beside, more)
      await setting.membership(alice, room.id, eve, 'leave')
    },
  },
  {
    name: 'refuses what rests on events that are withheld, and takes it once they are given',
    section: '15.5',
    peers: ['evil'],
    without: ['missing_events'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer } = scene
      const hidden = scene.message('hidden')
      scene.room = follow(scene.room, hidden)
      const onTop = scene.message('on top')
      expectRefused(await scene.pushEvent(onTop), 'missing_events')
      const asked = peer.asked
      peer.answers.missing = () => ({ events: [hidden.pdu], more: false, next: null })
      assert.deepEqual(await scene.pushEvent(onTop), ['taken'])
      assert.ok(peer.asked > asked, 'the pusher was not asked for what is missing')
      await scene.sees(hidden)
      await scene.sees(onTop)
      peer.behave()
    },
  },
  {
    name: 'asks no more for what an event rests on than the answers tell it',
    section: '15.8',
    peers: ['evil'],
    without: ['fetch_budget'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, room, alice } = scene
      await scene.refresh()
      const known = peer.eventsIn(room.id)
      const hidden = scene.message('hidden')
      const onTop = scene.message('on top', { prevEvents: [hidden.id] })
      const told: Record<string, readonly RoomEvent[]> = { nothing: [], 'what it has': known }
      for (const [what, events] of Object.entries(told)) {
        let pages = 0
        let ended = false
        peer.answers.missing = () => {
          pages++
          ended ||= pages > 100
          const next = ended ? null : `p${pages}`
          return { events: events.map(({ pdu }) => pdu), more: !ended, next }
        }
        expectRefused(await scene.pushEvent(onTop), 'missing_events')
        assert.ok(
          pages <= 16 + (pages * events.length) / 10 && !ended,
          `told ${what}, asked ${pages} times`,
        )
      }
      await alice.ok('whoami')
      peer.behave()
      await scene.sees(await scene.honest(scene.message('after it')))
    },
  },
  {
    name: 'takes nothing on the strength of an answer that makes no sense, is too deep or too large',
    section: '15.8',
    peers: ['evil'],
    without: ['answer_size'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, alice, room } = scene
      const hidden = scene.message('hidden')
      scene.room = follow(scene.room, hidden)
      const onTop = scene.message('on top')
      const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`
      const given = JSON.stringify(hidden.pdu)
      const odd: string[] = [
        'no JSON at all',
        '{"events":"many","more":false,"next":null}',
        '{"events":[{"event":"odd"},7,null],"more":false,"next":null}',
        `{"events":[${deep}],"more":false,"next":null}`,
        `{"events":[${given}],"more":false,"next":null,"next":null}`,
        `{"events":[${given}],"more":false,"next":null,"pad":"${'x'.repeat(5 * 1024 * 1024)}"}`,
        JSON.stringify({ events: [onTop.pdu], more: false, next: null }),
      ]
      for (const text of odd) {
        peer.answers.missing = ({ response }) => void response.writeHead(200).end(text)
        const [outcome = ''] = await scene.pushEvent(onTop)
        assert.match(outcome, /^(refused|later)/, `after the answer ${text.slice(0, 60)}`)
      }
      // The same page for ever: it has to come to an end.
      let pages = 0
      peer.answers.missing = () =>
        ++pages > 20
          ? { events: [], more: false, next: null }
          : { events: [], more: true, next: null }
      const [outcome = ''] = await scene.pushEvent(onTop)
      assert.match(outcome, /^(refused|later)/)
      peer.behave()
      assert.match((await alice.say(room.id, 'still here')).event_id, /^\$/)
      await scene.neverSees(hidden, onTop)
    },
  },
  {
    name: 'takes wraps from the event’s own server only, so that none is swapped or added on the way',
    section: '15.5',
    peers: ['evil'],
    without: ['wrap_origin'],
    async run(setting) {
      const bob = await setting.regular('bob')
      const scene = await Scene.open(setting, { others: [bob] })
      const { alice, room, follower, peer } = scene
      await scene.refresh()
      const said = await bob.say(room.id, 'from home', [fakeWrap(pairOf(alice))])
      const genuine = await follower.sees(said.envelope_id)
      assert.equal(genuine.wraps.length, 1)
      const again = await bob.say(room.id, 'without wraps')
      await follower.sees(again.envelope_id)
      await scene.refresh()
      const events = peer.eventsIn(room.id)
      for (const event of [said, again]) {
        const pdu = events.find(({ id }) => id === event.event_id)?.pdu
        assert.ok(pdu !== undefined, 'the peer is given the room’s events')
        assert.deepEqual(await scene.pushEvent({ pdu }, [fakeWrap(pairOf(alice))]), ['taken'])
      }
      await scene.neverSees()
      assert.deepEqual(follower.seen(said.envelope_id)?.wraps, genuine.wraps)
      assert.deepEqual(follower.seen(again.envelope_id)?.wraps, [])
      peer.behave()
      await scene.refresh()
      const own = scene.message('with a wrap')
      const wrap = fakeWrap(pairOf(alice))
      assert.deepEqual(await scene.pushEvent(own, [wrap]), ['taken'])
      assert.deepEqual((await follower.sees(own.envelopeId)).wraps, [wrap])
    },
  },
  {
    name: 'refuses events of rooms in which nobody of its own is',
    section: '15.5',
    peers: ['evil'],
    without: ['unknown_room'],
    async run(setting) {
      const scene = await Scene.open(setting)
      const { peer, eve } = scene
      const { submissions } = eve.createRoomBody()
      const [create] = submissions
      assert.ok(create !== undefined)
      const event = peer.beginRoom(create)
      expectRefused(await scene.pushEvent(event), 'unknown_room')
    },
  },
]

/** Another envelope of the device under a number that it has used. */
function resealedAs(eve: TestDevice, room: string, scene: Scene, seq: number): RoomEvent {
  eve.rewind(room, seq)
  return scene.message('the other half')
}
