// Live traffic between the app and Slack. The server removes tokens.

import { h, icon } from './dom.js'
import { get } from './server.js'
import { state, draw, zone } from './state.js'
import { exactly } from './times.js'

const kept = 500

export function toggleTraffic() {
  state.traffic.open = !state.traffic.open
  state.sidebar = false
  draw()
  if (state.traffic.open) refresh()
}

export function forget() {
  Object.assign(state.traffic, { rows: [], after: 0, opened: {} })
}

let fetching = false

// refresh fetches new traffic, if the drawer is open.
export async function refresh() {
  const t = state.traffic
  if (!t.open || fetching) return
  fetching = true
  try {
    const start = state.workspace.start
    const more = await get(`/client/traffic?after=${t.after}&limit=${kept}`)
    if (start !== state.workspace.start || more.length === 0) return
    t.after = more[more.length - 1].seq
    t.rows = [...more.reverse(), ...t.rows].slice(0, kept)
    const unknown = [...new Set(more.map((r) => r.user).filter((u) => u && !(u in t.names)))].slice(0, 100)
    if (unknown.length) {
      for (const id of unknown) t.names[id] = id
      for (const u of (await get('/client/people?ids=' + unknown.join(','))).people) t.names[u.id] = u.name
    }
    draw()
  } finally {
    fetching = false
  }
}

const late = (r) => !r.ok && /^no (answer|ack) within/.test(r.error || '')

function words(r) {
  return [r.name, r.user && state.traffic.names[r.user], r.error, r.status, r.direction].join(' ').toLowerCase()
}

export function drawTraffic() {
  const t = state.traffic
  if (!t.open) return []
  const q = t.filter.trim().toLowerCase()
  const rows = t.rows.filter((r) => (t.show === 'all' || !r.ok) && (!q || words(r).includes(q)))
  return h('aside', { id: 'traffic', 'aria-label': 'Traffic', class: 'traffic' },
    h('header', {},
      h('div', {}, h('h2', {}, 'Traffic'), h('p', { class: 'fine' }, 'Between the app and Slack, newest first. Tokens are removed.')),
      h('button', { type: 'button', class: 'quiet', 'aria-label': 'Close traffic', onclick: toggleTraffic }, icon('close'))),
    h('div', { class: 'traffic-filter' },
      h('select', { 'aria-label': 'Show', class: 'field', value: t.show, onchange: (e) => set('show', e.target.value) },
        h('option', { value: 'all' }, 'All'), h('option', { value: 'refused' }, 'Errors')),
      h('input', { 'aria-label': 'Filter traffic', class: 'field', type: 'search', placeholder: 'Method, person, error', value: t.filter, oninput: (e) => set('filter', e.target.value) })),
    rows.length ? h('ol', {}, rows.map(row)) : h('p', { class: 'empty' }, t.rows.length ? 'No matching traffic.' : 'No traffic yet.'))
}

function set(name, value) {
  state.traffic[name] = value
  draw()
}

function row(r) {
  const t = state.traffic
  const opened = t.opened[r.seq]
  const toApp = r.direction === 'slack to app'
  return h('li', {
    key: r.seq, 'data-seq': r.seq, 'data-direction': r.direction, 'data-ok': String(r.ok), 'data-name': r.name,
    class: [r.ok ? '' : 'refused', late(r) ? 'late' : '', r.ok && r.ms > 2000 ? 'slow' : ''].join(' '),
  },
  h('button', { type: 'button', 'aria-expanded': String(!!opened), onclick: () => toggle(r) },
    h('span', { class: 'arrow', title: r.direction }, toApp ? 'to app' : 'to Slack'),
    h('span', { class: 'what' }, r.name, r.retry ? h('span', { class: 'retry' }, ` retry ${r.retry}`) : null),
    h('span', { class: 'result' }, late(r) ? 'late ack' : r.ok ? 'ok' : (r.error || 'failed').split(/[:;]/)[0].slice(0, 40)),
    h('span', { class: 'small' }, exactly(Date.parse(r.at), zone()), r.user && [' · ', h('bdi', {}, t.names[r.user] || r.user)], ' · ', [
      `${r.ms} ms`, r.status && `HTTP ${r.status}`, `${size(r.bytes)} → ${size(r.reply_bytes)}`, r.transport === 'socket' && 'Socket Mode',
    ].filter(Boolean).join(' · ')),
    !r.ok && r.error && h('span', { class: 'why' }, r.error)),
  opened && h('div', { class: 'payloads' },
    opened.error && h('p', { class: 'fine' }, opened.error),
    opened.request !== undefined && [h('h3', {}, toApp ? 'Payload' : 'Arguments'), h('pre', { class: 'payload', tabindex: '0' }, JSON.stringify(opened.request, null, 2))],
    opened.answer !== undefined && [h('h3', {}, 'The app’s answer'), h('pre', { class: 'payload', tabindex: '0' }, JSON.stringify(opened.answer, null, 2))]))
}

const size = (n) => (n < 1000 ? `${n} B` : `${(n / 1000).toFixed(1)} kB`)

async function toggle(r) {
  const t = state.traffic
  if (t.opened[r.seq]) {
    delete t.opened[r.seq]
    return draw()
  }
  try {
    t.opened[r.seq] = await get(`/client/traffic/${r.seq}`)
  } catch (e) {
    t.opened[r.seq] = { error: e.message }
  }
  draw()
}
