// The interactive elements of blocks. Each shows its value and sends what Slack would send.

import { h, icon } from './dom.js'
import { textOf, plainOf } from './text.js'
import { drawSelect } from './select.js'
import { held, edit, enter, press, ask, keyOf } from './actions.js'
import { state, draw, zone } from './state.js'
import { safeURL } from './mrkdwn.js'
import { clockOf, dateOf, zoneName } from './times.js'

const ids = new Map()

// idOf returns an element ID for a control, which stays the same until the page is reloaded.
export function idOf(surface, b, e) {
  const key = keyOf(targetOf(surface, b, e))
  if (!ids.has(key)) ids.set(key, 'c' + (ids.size + 1))
  return ids.get(key)
}

export function targetOf(surface, b, e) {
  return { ...surface.target, block_id: b.block_id, action_id: e.action_id }
}

// drawElement draws an element. Options: id, describedby (the IDs of hint and error), invalid, required, and input (it is in an
// input block).
export function drawElement(surface, b, e, label, options) {
  const target = targetOf(surface, b, e)
  const server = surface.state && surface.state[b.block_id] && surface.state[b.block_id][e.action_id]
  const c = {
    surface, block: b, element: e, label, target, id: options.id || idOf(surface, b, e), key: keyOf(target), held: held(target, server),
    input: !!options.input,
    marks: { 'data-block-id': b.block_id, 'data-action-id': e.action_id },
    aria: { 'aria-describedby': options.describedby, 'aria-invalid': options.invalid ? 'true' : null, 'aria-required': options.required ? 'true' : null },
    // put sets a new value; the app may want a confirmation first
    put(value, change, wait = 0) {
      ask(e.confirm, () => edit(target, { ...c.held, ...value }, change, wait))
      draw() // if not confirmed, the control shows its old value again
    },
  }
  const kind = kinds[e.type]
  return kind ? kind(c) : h('span', { class: 'unknown' }, `(this page cannot show elements of the type ${e.type})`)
}

const kinds = {
  button, workflow_button: button, overflow,
  radio_buttons: (c) => choices(c, 'radio'),
  checkboxes: (c) => choices(c, 'checkbox'),
  static_select: drawSelect, external_select: drawSelect,
  plain_text_input: text, email_text_input: text, url_text_input: text, number_input: text,
  datepicker, timepicker,
}

function button(c) {
  const e = c.element
  const busy = state.busy.has(c.key)
  const url = e.url && safeURL(e.url)
  return h('button', {
    key: c.key, type: 'button', class: `button ${e.style || ''}`, id: c.id, ...c.marks, 'data-value': e.value, 'aria-busy': busy ? 'true' : null,
    'aria-label': e.accessibility_label || null, dir: 'auto',
    onclick: () => ask(e.confirm, () => {
      if (url) window.open(url, '_blank', 'noopener,noreferrer')
      press(c.target, '', e.value || '')
    }),
  }, textOf(e.text))
}

function choices(c, kind) {
  const e = c.element
  const chosen = kind === 'radio' ? [c.held.selected_option] : c.held.selected_options || []
  const has = (o) => chosen.some((x) => x && x.value === o.value)
  const pick = (o, on) => {
    if (kind === 'radio') return c.put({ selected_option: o }, { option: o.value })
    const now = e.options.filter((x) => (x.value === o.value ? on : has(x)))
    c.put({ selected_options: now }, { options: now.map((x) => x.value) })
  }
  return h('div', {
    key: c.key, class: 'choices', role: kind === 'radio' ? 'radiogroup' : 'group', 'aria-label': c.label,
    ...c.aria, 'aria-required': kind === 'radio' ? c.aria['aria-required'] : null,
  }, e.options.map((o, n) => {
    const id = `${c.id}-${n}`
    return h('label', { class: 'choice', key: o.value },
      h('input', {
        type: kind, name: c.id, id, ...c.marks, 'data-value': o.value, checked: has(o),
        'aria-labelledby': id + '-text', 'aria-describedby': o.description ? id + '-description' : null,
        onchange: (ev) => pick(o, ev.target.checked),
      }),
      h('span', { class: 'choice-text' },
        h('span', { id: id + '-text', class: 'text', dir: 'auto' }, textOf(o.text)),
        o.description && h('span', { id: id + '-description', class: 'description', dir: 'auto' }, textOf(o.description))))
  }))
}

const inputTypes = { plain_text_input: 'text', email_text_input: 'email', url_text_input: 'url', number_input: 'text' }

function text(c) {
  const e = c.element
  const value = c.held.value || ''
  const on = (e.dispatch_action_config && e.dispatch_action_config.trigger_actions_on) || ['on_enter_pressed']
  const dispatches = c.block.dispatch_action
  const most = e.type === 'plain_text_input' ? e.max_length || 3000 : null
  const left = most - [...value].length
  return [
    h(e.multiline ? 'textarea' : 'input', {
      key: c.key, id: c.id, class: 'field', type: e.multiline ? null : inputTypes[e.type], rows: e.multiline ? 4 : null, ...c.marks, ...c.aria,
      'aria-label': c.label, placeholder: plainOf(e.placeholder) || null, value, maxlength: most, dir: 'auto', autocomplete: 'off',
      inputmode: e.type === 'number_input' ? 'decimal' : null, spellcheck: 'false',
      oninput: (ev) => {
        const v = ev.target.value
        edit(c.target, { ...c.held, value: v === '' ? null : v }, v === '' ? { clear: true } : { text: v },
          dispatches && on.includes('on_character_entered') ? 250 : 400)
      },
      onkeydown: (ev) => {
        if (ev.key !== 'Enter' || e.multiline || ev.isComposing || ev.ctrlKey || ev.metaKey) return
        ev.preventDefault()
        const v = ev.target.value
        if (dispatches && on.includes('on_enter_pressed')) enter(c.target, { ...c.held, value: v === '' ? null : v }, v)
      },
    }),
    most !== null && left <= most / 10 && h('div', { key: 'left', class: 'hint count', 'aria-live': 'polite' }, left === 1 ? '1 character left' : `${left} characters left`),
  ]
}

function datepicker(c) {
  return h('div', { class: 'picker', key: c.key },
    h('input', {
      key: 'field', type: 'date', id: c.id, class: 'field', ...c.marks, ...c.aria, 'aria-label': c.label, max: '9999-12-31',
      value: c.held.selected_date || '', oninput: (ev) => pickDate(c, ev.target.value, 500),
    }),
    h('button', { key: 'today', type: 'button', class: 'helper', onclick: () => pickDate(c, dateOf(Date.now(), zone()), 0) }, 'Today'))
}

function pickDate(c, date, wait) {
  c.put({ selected_date: date || null }, date ? { date } : { clear: true }, wait)
}

// The buttons next to dates and times are not in the real Slack. They help to try temporary access that ends soon.
function timepicker(c) {
  const z = c.element.timezone || zone()
  const now = Date.now()
  const soon = () => {
    const then = Date.now() + 2 * 60000
    const time = clockOf(then, z)
    c.put({ selected_time: time }, { time })
    for (const b of c.surface.blocks) { // also the date, if none is selected yet
      const e = b.element
      if (!e || e.type !== 'datepicker') continue
      const target = targetOf(c.surface, b, e)
      const there = held(target, ((c.surface.state || {})[b.block_id] || {})[e.action_id])
      const date = dateOf(then, z)
      if (!there.selected_date) edit(target, { ...there, selected_date: date }, { date })
    }
  }
  return h('div', { class: 'picker', key: c.key },
    h('input', {
      key: 'field', type: 'time', id: c.id, class: 'field', ...c.marks, ...c.aria, 'aria-label': c.label, value: c.held.selected_time || '',
      oninput: (ev) => c.put({ selected_time: ev.target.value || null }, ev.target.value ? { time: ev.target.value } : { clear: true }, 500),
    }),
    h('button', { key: 'soon', type: 'button', class: 'helper', onclick: soon }, 'In 2 minutes'),
    h('span', { key: 'clock', class: 'clock' }, `It is ${clockOf(now, z)} ${zoneName(now, z)} now (${z})`))
}

function overflow(c) {
  const e = c.element
  const open = state.menu === c.key
  const close = () => {
    state.menu = ''
    draw()
    const b = document.getElementById(c.id)
    if (b) b.focus()
  }
  const choose = (o) => {
    close()
    ask(e.confirm, () => {
      if (o.url && safeURL(o.url)) window.open(safeURL(o.url), '_blank', 'noopener,noreferrer')
      press(c.target, o.value)
    })
  }
  return h('span', { class: 'overflow', key: c.key },
    h('button', {
      type: 'button', class: 'button', id: c.id, ...c.marks, 'aria-haspopup': 'menu', 'aria-expanded': String(open), 'aria-label': 'More actions',
      'aria-busy': state.busy.has(c.key) ? 'true' : null,
      onclick: () => {
        state.menu = open ? '' : c.key
        draw()
      },
    }, icon('dots')),
    open && h('div', {
      role: 'menu', class: 'menu popup', 'data-anchor': c.id,
      onkeydown: (ev) => {
        const items = [...ev.currentTarget.querySelectorAll('[role=menuitem]')]
        const at = items.indexOf(document.activeElement)
        if (ev.key === 'Escape' || ev.key === 'Tab') {
          ev.stopPropagation()
          ev.preventDefault()
          close()
        } else if (ev.key === 'ArrowDown' || ev.key === 'ArrowUp') {
          ev.preventDefault()
          items[(at + (ev.key === 'ArrowDown' ? 1 : items.length - 1)) % items.length].focus()
        }
      },
    }, e.options.map((o) => h('button', {
      type: 'button', role: 'menuitem', tabindex: '-1', 'data-value': o.value, dir: 'auto', onclick: () => choose(o),
    }, textOf(o.text), o.description && h('span', { class: 'description' }, textOf(o.description))))))
}
