// Stacked modals, confirm dialogs above them, and the focus.

import { h, icon, appIcon } from './dom.js'
import { drawBlocks } from './blocks.js'
import { textOf, plainOf } from './text.js'
import { submit, closeModal, answer } from './actions.js'
import { state, draw } from './state.js'

let showErrorsOf = '' // the view whose first error gets the focus after drawing

export function drawModals() {
  const modals = state.page ? state.page.screen.modals : []
  return modals.map((v, n) => modal(v, n === modals.length - 1 && !state.confirm, n))
}

function modal(v, top, depth) {
  const surface = { target: { view_id: v.id }, state: v.state, errors: v.errors, blocks: v.blocks }
  const sending = state.busy.has('submit ' + v.id)
  const send = () => submit(v, (o) => {
    if (o.errors && Object.keys(o.errors).length) showErrorsOf = v.id
  })
  return h('div', { key: v.id, class: `backdrop depth-${depth}`, inert: !top },
    h('div', {
      class: 'modal', role: 'dialog', 'aria-modal': 'true', 'aria-label': v.title, tabindex: '-1',
      'data-view-id': v.id, 'data-view-type': 'modal', 'data-hash': v.hash, 'data-callback-id': v.callback_id,
      onkeydown: (e) => {
        if (e.key === 'Escape') {
          e.preventDefault()
          closeModal(v, false)
        } else if (e.key === 'Enter' && (e.ctrlKey || e.metaKey) && v.submit) {
          e.preventDefault()
          send()
        } else {
          trap(e)
        }
      },
    },
    h('header', {},
      v.previous_view_id && h('button', { type: 'button', class: 'quiet', 'aria-label': 'Back', onclick: () => closeModal(v, false) }, icon('left')),
      appIcon(),
      h('h2', { dir: 'auto' }, v.title),
      h('button', { type: 'button', class: 'quiet close', 'aria-label': 'Close all', title: 'Close', onclick: () => closeModal(v, true) }, icon('close'))),
    h('div', { class: 'modal-body', onscroll: () => { if (state.select || state.menu) place() } }, drawBlocks(surface, v.blocks)),
    v.notice && h('div', { class: 'notice', role: 'alert' }, v.notice),
    h('footer', {},
      h('button', { type: 'button', class: 'button', onclick: () => closeModal(v, false) }, v.close || 'Cancel'),
      v.submit && h('button', { type: 'button', class: 'button primary submit', 'aria-busy': sending ? 'true' : null, onclick: send },
        sending && h('span', { class: 'spinner', 'aria-hidden': 'true' }), v.submit))))
}

export function drawConfirm() {
  if (!state.confirm) return []
  const { confirm } = state.confirm
  return h('div', { class: 'backdrop' },
    h('div', {
      class: 'modal small', role: 'alertdialog', 'aria-modal': 'true', 'aria-label': plainOf(confirm.title), 'aria-describedby': 'confirm-text', tabindex: '-1',
      onkeydown: (e) => {
        if (e.key === 'Escape') {
          e.preventDefault()
          answer(false)
        } else {
          trap(e)
        }
      },
    },
    h('header', {}, h('h2', { dir: 'auto' }, textOf(confirm.title))),
    h('div', { class: 'modal-body', id: 'confirm-text' }, h('div', { class: 'text', dir: 'auto' }, textOf(confirm.text))),
    h('footer', {},
      h('button', { type: 'button', class: 'button', onclick: () => answer(false) }, textOf(confirm.deny)),
      h('button', { type: 'button', class: `button ${confirm.style === 'danger' ? 'danger' : 'primary'}`, 'data-initial': 'true', onclick: () => answer(true) },
        textOf(confirm.confirm)))))
}

// --- Focus -------------------------------------------------------------------------------------------------------

const focusable = 'a[href], button:not([disabled]), input:not([disabled]), textarea:not([disabled]), select:not([disabled]), summary'

function stops(dialog) {
  return [...dialog.querySelectorAll(focusable)].filter((e) => e.tabIndex >= 0 && e.getClientRects().length > 0)
}

// trap keeps Tab within the dialog. A group of radio buttons is one stop.
function trap(e) {
  if (e.key !== 'Tab') return
  const all = stops(e.currentTarget)
  if (all.length === 0) return e.preventDefault()
  const edge = e.shiftKey ? all[0] : all[all.length - 1]
  const at = document.activeElement
  const sameGroup = at.type === 'radio' && edge.type === 'radio' && at.name === edge.name
  if (at === edge || sameGroup || (e.shiftKey && at === e.currentTarget)) {
    e.preventDefault();
    (e.shiftKey ? all[all.length - 1] : all[0]).focus()
  }
}

let front = '' // which dialog was in front when the page was last drawn
let last = null // the element that last had the focus
let opener = null // the one that had it before the first dialog opened

document.addEventListener('focusin', (e) => {
  const t = e.target
  last = { element: t, block: t.dataset.blockId, action: t.dataset.actionId, value: t.dataset.value }
})

// keepFocus is called after each drawing.
export function keepFocus() {
  const dialogs = document.querySelectorAll('[role=dialog], [role=alertdialog]')
  const dialog = dialogs[dialogs.length - 1]
  const now = dialog ? dialog.getAttribute('role') + (dialog.dataset.viewId || '') : ''
  const lost = document.activeElement === document.body || document.activeElement === null || !document.activeElement.isConnected
  if (now !== front) {
    if (!front) opener = last
    front = now
    if (dialog) begin(dialog)
    else back(opener, document.getElementById('main'))
  } else if (lost && last && !last.element.isConnected) {
    back(last, dialog || document.getElementById('main'))
  } else if (dialog && document.activeElement === dialog && dialog.querySelector('.modal-body [data-action-id]')) {
    begin(dialog) // its content has loaded
  }
  if (showErrorsOf && dialog && dialog.dataset.viewId === showErrorsOf) {
    const wrong = dialog.querySelector('[aria-invalid=true]')
    if (wrong) {
      showErrorsOf = '';
      (wrong.matches(focusable) ? wrong : wrong.querySelector(focusable)).focus()
      wrong.scrollIntoView({ block: 'center' })
    }
  }
}

function begin(dialog) {
  const wanted = dialog.querySelector('[data-initial]') || [...dialog.querySelectorAll('.modal-body input, .modal-body textarea, .modal-body button')]
    .find((e) => e.type !== 'radio' || e.checked || !e.closest('[role=radiogroup]').querySelector(':checked'))
  if (wanted && dialog.contains(document.activeElement) && document.activeElement !== dialog) return
  (wanted || dialog).focus({ preventScroll: !wanted })
}

// back moves the focus to the element that replaced the one that had it.
function back(was, otherwise) {
  let to = was && was.element.isConnected ? was.element : null
  if (!to && was && was.action) {
    const same = [...document.querySelectorAll(`[data-action-id="${CSS.escape(was.action)}"]`)].filter((e) => !e.closest('[inert]'))
    to = same.find((e) => e.dataset.value === was.value && e.dataset.blockId === was.block) || same.find((e) => e.dataset.value === was.value) || same[0]
  }
  to = to || otherwise
  if (to) to.focus({ preventScroll: true })
}

// place positions popups next to their anchors, above everything that would clip them.
export function place() {
  for (const p of document.querySelectorAll('.popup[data-anchor]')) {
    const anchor = document.getElementById(p.dataset.anchor)
    if (!anchor) continue
    const r = anchor.getBoundingClientRect()
    const below = window.innerHeight - r.bottom - 8
    const above = r.top - 8
    const up = below < Math.min(240, p.scrollHeight) && above > below
    const menu = p.getAttribute('role') === 'menu'
    p.style.left = Math.max(4, Math.min(r.left, window.innerWidth - (menu ? p.offsetWidth : r.width) - 4)) + 'px'
    p.style.minWidth = menu ? '' : r.width + 'px'
    p.style.maxWidth = menu ? '' : r.width + 'px'
    p.style.maxHeight = Math.min(300, up ? above : below) + 'px'
    p.style.top = up ? '' : r.bottom + 4 + 'px'
    p.style.bottom = up ? window.innerHeight - r.top + 4 + 'px' : ''
    const to = p.querySelector('[data-scroll]')
    if (to) to.scrollIntoView({ block: 'nearest' })
    if (menu && !p.contains(document.activeElement)) p.querySelector('[role=menuitem]').focus()
  }
}

window.addEventListener('resize', place)
document.addEventListener('pointerdown', (e) => {
  if (state.menu && !(e.target.closest && e.target.closest('.overflow'))) {
    state.menu = ''
    draw()
  }
})
