// Selects: a text field with a list below it (ARIA's combobox pattern). A static select filters its own options; an external
// one asks the app while the person types.

import { h, icon } from './dom.js'
import { textOf, plainOf } from './text.js'
import { options as load } from './actions.js'
import { state, draw } from './state.js'

let asked = 0 // the newest query to the app; answers to older ones are ignored

export function drawSelect(c) {
  const e = c.element
  const external = e.type === 'external_select'
  const chosen = c.held.selected_option
  const s = state.select && state.select.key === c.key ? state.select : null
  const rows = s ? shown(c, s) : []
  const listID = c.id + '-list'
  if (s) s.active = Math.min(s.active, Math.max(0, rows.length - 1))
  const pick = (o) => {
    close()
    c.put({ selected_option: o }, { option: o.value })
  }
  return h('div', { class: s ? 'select open' : 'select', key: c.key },
    h('input', {
      key: 'field', id: c.id, class: 'field', role: 'combobox', type: 'text', autocomplete: 'off', spellcheck: 'false', dir: 'auto',
      ...c.marks, ...c.aria, 'aria-label': c.label, 'aria-autocomplete': 'list', 'aria-expanded': String(!!s), 'aria-controls': s ? listID : null,
      'aria-activedescendant': s && rows.length ? `${c.id}-o${s.active}` : null,
      placeholder: (chosen && s && plainOf(chosen.text)) || plainOf(e.placeholder) || 'Choose an option',
      value: s ? s.query : chosen ? plainOf(chosen.text) : '',
      onclick: () => { if (!s) open(c, external, '') },
      onblur: (ev) => {
        const to = ev.relatedTarget
        if (!to || !to.closest || !to.closest('.select.open')) close(c.key)
      },
      oninput: (ev) => {
        const q = ev.target.value
        if (!s) return open(c, external, q)
        s.query = q
        s.active = 0
        if (external) search(c, s, 250)
        draw()
      },
      onkeydown: (ev) => {
        if (ev.isComposing) return
        const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 8, PageUp: -8 }[ev.key]
        if (step) {
          ev.preventDefault()
          if (!s) return open(c, external, '')
          s.active = Math.max(0, Math.min(rows.length - 1, s.active + step))
          s.scroll = true
          draw()
        } else if ((ev.key === 'Home' || ev.key === 'End') && s && rows.length) {
          ev.preventDefault()
          s.active = ev.key === 'Home' ? 0 : rows.length - 1
          s.scroll = true
          draw()
        } else if (ev.key === 'Enter' && !ev.ctrlKey && !ev.metaKey) {
          ev.preventDefault()
          if (!s) return open(c, external, '')
          if (rows[s.active]) pick(rows[s.active])
        } else if (ev.key === 'Escape' && s) {
          ev.preventDefault()
          ev.stopPropagation()
          close()
        } else if (!s && (ev.key.length === 1 || ev.key === 'Backspace') && !ev.ctrlKey && !ev.metaKey && !ev.altKey) {
          ev.target.select() // the first letter replaces the selected option and starts a search
        }
      },
    }),
    icon('down'),
    s && h('div', { class: 'popup list', key: 'popup', 'data-anchor': c.id, onmousedown: (ev) => ev.preventDefault() },
      h('ul', { role: 'listbox', id: listID, 'aria-label': c.label }, listed(c, s, rows, pick)),
      s.status && h('div', { class: 'status', role: 'status' }, s.status)))
}

// listed draws the options, below the labels of their groups.
function listed(c, s, rows, pick) {
  let group
  return rows.map((o, n) => {
    const row = h('li', {
      role: 'option', id: `${c.id}-o${n}`, key: o.value, class: n === s.active ? 'active' : '', 'data-value': o.value,
      'aria-selected': String(!!c.held.selected_option && c.held.selected_option.value === o.value), 'data-scroll': n === s.active && s.scroll ? 'true' : null,
      onclick: () => pick(o),
      onmousemove: () => {
        if (s.active === n) return
        s.active = n
        s.scroll = false
        draw()
      },
    }, h('span', { class: 'text', dir: 'auto' }, textOf(o.text)), o.description && h('span', { class: 'description', dir: 'auto' }, textOf(o.description)))
    if (o.group === group || !o.group) return row
    group = o.group
    return [h('li', { role: 'presentation', class: 'group', key: 'group ' + group }, group), row]
  })
}

function shown(c, s) {
  if (c.element.type === 'external_select') return s.options || []
  const all = c.element.options || (c.element.option_groups || []).flatMap((g) => g.options.map((o) => ({ ...o, group: plainOf(g.label) })))
  const q = s.query.trim().toLowerCase()
  const rows = all.filter((o) => (plainOf(o.text) + ' ' + plainOf(o.description)).toLowerCase().includes(q))
  s.status = rows.length ? '' : 'No result'
  return rows
}

function open(c, external, query) {
  const s = { key: c.key, query, options: null, active: 0, status: '', timer: 0, scroll: true }
  state.select = s
  state.menu = ''
  if (external) search(c, s, query ? 250 : 0)
  else if (!query && c.held.selected_option) s.active = Math.max(0, shown(c, s).findIndex((o) => o.value === c.held.selected_option.value))
  draw()
}

function close(key) {
  if (!state.select || (key && state.select.key !== key)) return
  clearTimeout(state.select.timer)
  asked++
  state.select = null
  draw()
}

function search(c, s, wait) {
  const least = c.element.min_query_length ?? 3
  clearTimeout(s.timer)
  const mine = ++asked
  s.options = null
  if ([...s.query].length < least) {
    s.status = least === 1 ? 'Type to search' : `Type ${least} or more characters to search`
    return
  }
  s.status = 'Loading…'
  s.timer = setTimeout(async () => {
    let found = []
    try {
      const o = await load(c.target, s.query)
      found = o.options || []
    } catch { /* reported elsewhere; the list is empty */ }
    if (mine !== asked) return
    s.options = found
    s.active = 0
    s.status = found.length ? '' : 'No result'
    draw()
  }, wait)
}
