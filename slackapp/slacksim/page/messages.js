// The app's two tabs.

import { h, icon, appIcon } from './dom.js'
import { drawBlocks } from './blocks.js'
import { mrkdwn } from './text.js'
import { state, draw, zone, toast } from './state.js'
import { clockOf, dateOf, day, whole, ofTS } from './times.js'
import { revisit, again } from './live.js'

export function drawHome() {
  const home = state.page.screen.home
  if (home) {
    const surface = { target: { view_id: home.id }, state: home.state, errors: null, blocks: home.blocks }
    return h('div', { key: home.id, class: 'home', 'data-view-id': home.id, 'data-view-type': 'home', 'data-hash': home.hash }, drawBlocks(surface, home.blocks))
  }
  if (state.visit === 'asked' || state.visit === '') return h('p', { class: 'empty', role: 'status' }, 'Opening the app…')
  if (state.visit === 'acked') return h('p', { class: 'empty', role: 'status' }, 'The app has not published a Home tab yet.')
  return h('div', { class: 'empty', role: 'status' },
    h('p', {}, 'The app did not answer. It may still be starting.'), h('p', { class: 'cause' }, state.visit),
    h('button', { type: 'button', class: 'button', onclick: revisit }, 'Try again'))
}

export function drawMessages() {
  const { messages } = state.page.screen
  const z = zone()
  const now = Date.now()
  const all = []
  if (state.page.earlier > 0) {
    all.push(h('button', {
      key: 'earlier', type: 'button', class: 'button earlier', onclick: () => {
        state.messages += 200
        again()
      },
    }, `Show earlier messages (${state.page.earlier})`))
  }
  let date = ''
  let marked = !state.divider
  for (const m of messages || []) {
    const at = ofTS(m.ts)
    if (dateOf(at, z) !== date) {
      date = dateOf(at, z)
      all.push(h('div', { key: 'day ' + date, class: 'divider day', role: 'separator', 'aria-label': day(at, now, z) }, h('span', {}, day(at, now, z))))
    }
    if (!marked && !m.ephemeral && after(m.ts, state.divider)) {
      marked = true
      all.push(h('div', { key: 'new', class: 'divider new', role: 'separator', 'aria-label': 'New' }, h('span', {}, 'New')))
    }
    all.push(message(m, at, z))
  }
  if (!(messages || []).length) {
    return h('div', { class: 'empty' }, appIcon('large'), h('p', {}, `Messages from ${state.workspace.app} to ${state.page.screen.user.name} appear here. There are none yet.`))
  }
  return h('div', { class: 'messages', key: 'messages' }, all)
}

const after = (a, b) => (a.length !== b.length ? a.length > b.length : a > b)

function message(m, at, z) {
  const surface = { target: { ts: m.ts, channel: m.channel }, state: m.state, errors: null, blocks: m.blocks }
  return h('article', {
    key: m.ts + m.channel, class: m.ephemeral ? 'message ephemeral' : 'message', 'data-ts': m.ts, 'data-channel': m.channel,
    'data-ephemeral': m.ephemeral ? 'true' : null, tabindex: '-1',
    'aria-label': `${state.workspace.app}, ${whole(at, z)}`,
  },
  appIcon(),
  h('div', { class: 'message-body' },
    m.ephemeral && h('div', { class: 'only-you' }, icon('eye'), 'Only visible to you'),
    h('div', { class: 'who' },
      h('b', {}, state.workspace.app), h('span', { class: 'app-badge' }, 'APP'),
      h('time', { datetime: new Date(at).toISOString(), title: whole(at, z) }, clockOf(at, z)),
      m.edited && h('span', { class: 'edited', title: whole(ofTS(m.edited), z) }, '(edited)')),
    m.blocks && m.blocks.length ? drawBlocks(surface, m.blocks) : h('div', { class: 'text', dir: 'auto' }, mrkdwn(m.text))))
}

let shown = '' // the person whose messages were scrolled before
let newest = ''

// scroll is called after each drawing. It scrolls to new messages when the tab is opened, and follows them while the reader is
// at the end.
export function scroll() {
  const box = document.getElementById('panel-messages')
  if (!box || !state.page) {
    shown = ''
    return
  }
  const messages = state.page.screen.messages || []
  const last = messages.length ? messages[messages.length - 1].ts : ''
  if (state.jump) {
    const found = box.querySelector(`article[data-ts="${CSS.escape(state.jump)}"]`)
    if (found) {
      state.jump = ''
      found.scrollIntoView({ block: 'center' })
      found.focus({ preventScroll: true })
      found.classList.add('found')
      setTimeout(() => found.classList.remove('found'), 2500)
    } else if (state.page.earlier > 0) {
      state.messages = 100000
      again()
    } else {
      state.jump = ''
      toast(`That message was deleted, or is not in ${state.page.screen.user.name}'s conversation with the app.`, '', 'info')
    }
    shown = state.as
    newest = last
    return
  }
  if (shown !== state.as) {
    shown = state.as
    newest = last
    const line = box.querySelector('.divider.new')
    if (line) line.scrollIntoView({ block: 'start' })
    else box.scrollTop = box.scrollHeight
  } else if (last !== newest) {
    newest = last
    if (atEnd) box.scrollTop = box.scrollHeight
    else state.below = true
    draw()
  }
}

let atEnd = true

export function onscroll(e) {
  const box = e.target
  atEnd = box.scrollHeight - box.scrollTop - box.clientHeight < 120
  if (atEnd && state.below) {
    state.below = false
    draw()
  }
}

export function drawBelow() {
  return state.below && state.tab === 'messages' && h('button', {
    key: 'below', type: 'button', class: 'below', onclick: () => {
      const box = document.getElementById('panel-messages')
      box.scrollTop = box.scrollHeight
    },
  }, 'New messages below')
}
