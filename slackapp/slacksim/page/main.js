// The page: a sidebar with people, the app with its tabs, and modals above them.

import { h, patch, icon, appIcon } from './dom.js'
import { state, draw, onDraw, dismiss } from './state.js'
import { live, go, address } from './live.js'
import { pending, flush } from './actions.js'
import { drawSidebar } from './sidebar.js'
import { drawHome, drawMessages, drawBelow, scroll, onscroll } from './messages.js'
import { drawModals, drawConfirm, keepFocus, place } from './modal.js'
import { drawTraffic } from './traffic.js'
import { drawHint } from './hint.js'

const at = (id) => document.getElementById(id)

function drawAll() {
  if (!state.workspace) return
  const covered = !!state.confirm || !!(state.page && state.page.screen.modals.length)
  const starting = document.querySelector('.starting')
  if (starting) starting.remove()
  at('page').inert = covered
  patch(at('page'), h('div', { class: state.traffic.open ? 'layout with-traffic' : 'layout' }, drawSidebar(), drawMain(), drawTraffic()))
  patch(at('modals'), drawModals())
  patch(at('confirm'), drawConfirm())
  patch(at('toasts'), [
    !state.connected && h('div', { key: 'connection', id: 'connection', class: 'toast lost', role: 'status' }, h('span', { class: 'spinner', 'aria-hidden': 'true' }), 'Not connected. Trying again…'),
    state.page && state.page.away && h('div', { key: 'away', class: 'toast lost', role: 'status' }, 'Slack is unavailable, as a test requested. It answers no calls.'),
    state.toasts.map((t) => h('div', { key: t.id, class: `toast ${t.kind}`, role: 'alert' },
      h('div', {}, h('div', {}, t.text), t.cause && h('div', { class: 'cause' }, t.cause)),
      h('button', { type: 'button', class: 'quiet', 'aria-label': 'Dismiss', onclick: () => dismiss(t.id) }, icon('close')))),
  ])
  const user = state.page && state.page.screen.user
  Object.assign(document.body.dataset, {
    as: user ? user.email || user.id : '', tab: state.tab, connected: String(state.connected), start: state.workspace.start,
    seq: state.page ? state.page.seq : '', pending: String(pending()),
  })
  keepFocus()
  scroll()
  place()
}

function drawMain() {
  const unread = state.page ? state.page.unread : 0
  const tab = (id, text, badge) => h('button', {
    type: 'button', role: 'tab', id: 'tab-' + id, 'aria-selected': String(state.tab === id), 'aria-controls': 'panel-' + id, tabindex: state.tab === id ? '0' : '-1',
    onclick: () => go(state.as, id), onkeydown: (e) => {
      if (e.key !== 'ArrowLeft' && e.key !== 'ArrowRight') return
      const other = id === 'home' ? 'messages' : 'home'
      go(state.as, other)
      setTimeout(() => at('tab-' + other).focus())
    },
  }, text, badge > 0 && [h('span', { class: 'hidden' }, ', '), h('span', { class: 'badge' }, String(badge)), h('span', { class: 'hidden' }, ' unread')])
  return h('main', { id: 'main', tabindex: '-1' },
    h('header', { class: 'app' },
      h('div', { class: 'app-name' }, appIcon(), h('h2', {}, state.workspace.app), h('span', { class: 'app-badge' }, 'APP')),
      h('div', { role: 'tablist', 'aria-label': state.workspace.app }, tab('home', 'Home', 0), tab('messages', 'Messages', unread))),
    drawHint(),
    h('div', {
      key: 'panel-' + state.tab, role: 'tabpanel', id: 'panel-' + state.tab, 'aria-labelledby': 'tab-' + state.tab, class: 'panel', tabindex: '0', onscroll,
    }, drawPanel()),
    drawBelow())
}

function drawPanel() {
  if (state.unknown) {
    return h('div', { class: 'empty' }, h('p', { dir: 'auto' }, `There is no user ${state.unknown}.`),
      h('button', { type: 'button', class: 'button primary', onclick: () => go(state.workspace.as, 'home') }, `Switch to ${state.workspace.as}`))
  }
  if (!state.page) return h('p', { class: 'empty', role: 'status' }, 'Loading…')
  return state.tab === 'home' ? drawHome() : drawMessages()
}

// read returns the person, tab and message in the page's address.
function read() {
  const q = new URLSearchParams(location.search)
  return { as: q.get('as') || '', tab: q.get('tab') === 'messages' ? 'messages' : 'home', message: q.get('message') || '' }
}

window.addEventListener('popstate', () => {
  const { as, tab, message } = read()
  go(as || state.workspace.as, tab, { message, replace: true })
})
window.addEventListener('pagehide', flush)

let minute = 0
setInterval(() => { // update the clocks
  const now = Math.floor(Date.now() / 60000)
  if (now !== minute) draw()
  minute = now
}, 1000)

try {
  const theme = localStorage.getItem('theme')
  if (theme) document.documentElement.dataset.theme = theme
  state.recent = JSON.parse(sessionStorage.getItem('recent') || '[]')
  state.hints = localStorage.getItem('hints') !== 'off'
} catch { /* the browser stores nothing */ }

onDraw(drawAll)
const begin = read()
Object.assign(state, { as: begin.as, tab: begin.tab, jump: begin.message })
live().catch((e) => console.error(e))

let addressed = false
onDraw(() => { // once the page knows which person to show
  if (addressed || !state.as) return
  addressed = true
  address(true)
})
