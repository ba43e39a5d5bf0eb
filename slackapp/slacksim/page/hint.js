// One line that tells new users what to do next.

import { h, icon } from './dom.js'
import { plainOf } from './text.js'
import { state, draw } from './state.js'
import { go } from './live.js'

export function drawHint() {
  if (!state.hints || !state.page) return null
  const next = step()
  if (!next) return null
  return h('div', { id: 'hint', role: 'note', key: 'hint' },
    h('span', { dir: 'auto' }, next.text),
    next.button && h('button', { type: 'button', class: 'button', onclick: next.go }, next.button),
    h('button', {
      type: 'button', class: 'quiet', 'aria-label': 'Hide hints', title: 'Hide hints', onclick: () => {
        state.hints = false
        try {
          localStorage.setItem('hints', 'off')
        } catch { /* the browser stores nothing */ }
        draw()
      },
    }, icon('close')))
}

function step() {
  const { page, tab } = state
  const me = page.screen.user.name
  const other = page.others[0]
  if (page.unread > 0 && tab !== 'messages') {
    return { text: `${me} has ${count(page.unread)}.`, button: 'Open Messages', go: () => go(state.as, 'messages') }
  }
  if (other) {
    return { text: `${other.name} has ${count(other.unread)}.`, button: `Switch to ${other.name}`, go: () => go(other.email || other.id, 'messages') }
  }
  if (tab !== 'home' || !page.screen.home || (page.screen.messages || []).length) return null
  const first = firstButton(page.screen.home.blocks)
  return first && { text: `You are ${me}. Press “${first}”. People who get a message appear under “Unread for others”: switch to one of them to answer.` }
}

const count = (n) => (n === 1 ? '1 new message' : `${n} new messages`)

function firstButton(blocks) {
  const buttons = (blocks || []).flatMap((b) => (b.type === 'actions' ? b.elements : [])).filter((e) => e.type === 'button')
  const first = buttons.find((e) => e.style === 'primary') || buttons[0]
  return first ? plainOf(first.text) : ''
}
