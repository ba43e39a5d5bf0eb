// The current person, and other people with unread messages.

import { h, icon, avatar, appIcon } from './dom.js'
import { get } from './server.js'
import { state, draw, zone } from './state.js'
import { go } from './live.js'
import { clockOf, zoneName } from './times.js'
import { link } from './text.js'
import { place } from './modal.js'
import { toggleTraffic } from './traffic.js'

export function drawSidebar() {
  const user = state.page && state.page.screen.user
  const others = state.page ? state.page.others : []
  const more = state.page ? state.page.others_total - others.length : 0
  const recent = state.recent.filter((p) => (!user || p.id !== user.id) && !others.some((o) => o.id === p.id))
  return h('nav', { 'aria-label': 'Workspace', class: state.sidebar ? 'sidebar open' : 'sidebar' },
    h('div', { class: 'workspace' },
      h('h1', {}, state.workspace.team),
      h('button', {
        type: 'button', class: 'quiet menu-button', 'aria-expanded': String(state.sidebar), 'aria-label': 'People and links', onclick: () => {
          state.sidebar = !state.sidebar
          draw()
        },
      }, unreadOfAll(others) > 0 && !state.sidebar && h('span', { class: 'badge' }, String(unreadOfAll(others))), icon('down'))),
    h('div', { class: 'sidebar-rest' },
      h('p', { class: 'fine' }, 'A local Slack for development, not the real one'),
      h('h2', {}, 'You are'),
      user && h('div', { id: 'me', class: 'me', 'data-user-id': user.id, 'data-email': user.email },
        avatar(user.name, 'large'),
        h('div', { class: 'me-text' },
          h('b', { dir: 'auto' }, user.name),
          h('span', { class: 'email' }, user.email || user.id),
          flags(user),
          h('span', { class: 'local' }, h('time', {}, clockOf(Date.now(), zone())), ` ${zoneName(Date.now(), zone())} · ${zone()}`))),
      people(),
      h('section', { 'aria-label': 'Apps', key: 'apps' },
        h('h2', {}, 'Apps'),
        h('button', { type: 'button', class: 'person here', 'aria-current': 'page', onclick: () => go(state.as, state.page && state.page.unread > 0 ? 'messages' : state.tab) },
          appIcon(), h('span', { class: 'name' }, state.workspace.app), state.page && state.page.unread > 0 && h('span', { class: 'badge' }, String(state.page.unread)))),
      h('section', { 'aria-label': 'Unread for others', key: 'unread' },
        h('h2', {}, 'Unread for others'),
        others.map((o) => person(o, h('span', { class: 'badge' }, String(o.unread)), 'messages')),
        more > 0 && h('p', { class: 'fine' }, `and ${more} more`),
        others.length === 0 && h('p', { class: 'fine' }, 'No other person has unread messages.')),
      recent.length > 0 && h('section', { 'aria-label': 'Recent people', key: 'recent' },
        h('h2', {}, 'Recent'), recent.map((p) => person(p, null, state.tab))),
      h('div', { class: 'links', key: 'links' },
        state.workspace.links.map((l) => link(l.url, [icon('link'), l.text], { key: l.url })),
        h('button', { type: 'button', id: 'traffic-toggle', 'aria-expanded': String(state.traffic.open), onclick: toggleTraffic }, icon('traffic'), 'Traffic'),
        h('button', { type: 'button', onclick: toggleTheme, 'aria-label': dark() ? 'Light mode' : 'Dark mode' }, icon(dark() ? 'sun' : 'moon'), dark() ? 'Light mode' : 'Dark mode'))))
}

const unreadOfAll = (others) => others.reduce((n, o) => n + o.unread, 0)

function flags(u) {
  const words = [u.deleted && 'deactivated', u.bot && 'bot', (u.restricted || u.ultra_restricted) && 'guest', u.stranger && 'from another organization',
    u.email_unconfirmed && 'e-mail not confirmed'].filter(Boolean)
  return words.length > 0 && h('span', { class: 'flags' }, words.join(', '))
}

function person(p, extra, tab) {
  return h('button', { key: p.id, type: 'button', class: extra ? 'person unread' : 'person', 'data-user-id': p.id, 'data-email': p.email, onclick: () => go(p.email || p.id, tab) },
    avatar(p.name), h('span', { class: 'name', dir: 'auto' }, p.name), extra && [' ', extra, h('span', { class: 'hidden' }, ' unread')])
}

// --- Choosing a person --------------------------------------------------------------------------------------------

function people() {
  const p = state.people
  const choose = (u) => {
    document.getElementById('people').blur()
    go(u.email || u.id, state.tab)
  }
  return h('div', { class: p.open ? 'select people open' : 'select people', key: 'people' },
    icon('search'),
    h('input', {
      id: 'people', class: 'field', role: 'combobox', type: 'text', 'aria-label': 'Switch to another person', placeholder: 'Switch to another person', autocomplete: 'off',
      spellcheck: 'false', dir: 'auto', 'aria-autocomplete': 'list', 'aria-expanded': String(p.open), 'aria-controls': 'people-list',
      'aria-activedescendant': p.open && p.found.length ? `person-${p.active}` : null, value: p.query,
      onfocus: () => seek(p.query, 0),
      onclick: () => { if (!p.open) seek(p.query, 0) },
      onblur: () => {
        Object.assign(p, { open: false, query: '' })
        draw()
      },
      oninput: (e) => seek(e.target.value, 150),
      onkeydown: (e) => {
        const step = { ArrowDown: 1, ArrowUp: -1 }[e.key]
        if (step) {
          e.preventDefault()
          if (!p.open) return seek(p.query, 0)
          p.active = Math.max(0, Math.min(p.found.length - 1, p.active + step))
          draw()
        } else if (e.key === 'Enter' && p.open && p.found[p.active] && p.foundFor === p.query) {
          e.preventDefault()
          choose(p.found[p.active])
        } else if (e.key === 'Escape') {
          p.open = false
          draw()
        }
      },
    }),
    p.open && h('div', { class: 'popup list', 'data-anchor': 'people', onmousedown: (e) => e.preventDefault() },
      h('ul', { role: 'listbox', id: 'people-list', 'aria-label': 'People' }, p.found.map((u, n) => h('li', {
        role: 'option', id: `person-${n}`, key: u.id, class: n === p.active ? 'active' : '', 'aria-selected': String(n === p.active), 'data-user-id': u.id, 'data-email': u.email,
        'data-scroll': n === p.active ? 'true' : null,
        onclick: () => choose(u),
      }, avatar(u.name), h('span', { class: 'two' }, h('span', { class: 'name', dir: 'auto' }, u.name), h('span', { class: 'description' }, u.email || u.id, flags(u) && ' ', flags(u)))))),
      h('div', { class: 'status', role: 'status' }, p.foundFor !== p.query ? 'Loading…' : p.found.length === 0 ? 'No result'
        : p.total > p.found.length ? `The first ${p.found.length} of ${p.total}. Type more to find others.` : '')))
}

let timer = 0

function seek(query, wait) {
  const p = state.people
  Object.assign(p, { open: true, query, active: 0 })
  clearTimeout(timer)
  draw()
  timer = setTimeout(async () => {
    try {
      const answer = await get('/client/people?' + new URLSearchParams({ q: query, limit: 20 }))
      if (p.query !== query) return
      Object.assign(p, { found: answer.people, total: answer.total, foundFor: query, active: 0 })
      draw()
      setTimeout(place)
    } catch { /* the connection message says so */ }
  }, wait)
}

// --- Light and dark ------------------------------------------------------------------------------------------------

const system = matchMedia('(prefers-color-scheme: dark)')
system.addEventListener('change', () => draw())

export function dark() {
  const chosen = document.documentElement.dataset.theme
  return chosen ? chosen === 'dark' : system.matches
}

function toggleTheme() {
  const theme = dark() ? 'light' : 'dark'
  document.documentElement.dataset.theme = theme
  try {
    localStorage.setItem('theme', theme)
  } catch { /* the browser stores nothing */ }
  draw()
}
