// Draws text objects. Text from apps only becomes text nodes, so it can't contain markup.

import { h } from './dom.js'
import { parse, shortcodes, safeURL, toText } from './mrkdwn.js'
import { slackDate, whole } from './times.js'
import { state, zone } from './state.js'
import { go } from './live.js'

// textOf draws a text object.
export function textOf(o) {
  if (!o) return []
  if (o.type === 'mrkdwn') return nodes(parse(o.text, { verbatim: !!o.verbatim }))
  return [o.emoji === false ? o.text : shortcodes(o.text)]
}

// plainOf returns a text object as plain text, for names of controls.
export function plainOf(o) {
  if (!o) return ''
  return o.type === 'mrkdwn' ? toText(parse(o.text), names()) : o.text
}

// mrkdwn draws the text of a message without blocks.
export const mrkdwn = (text) => nodes(parse(text))

const names = () => (state.page ? state.page.names : {})
const tags = { bold: 'strong', italic: 'em', strike: 'del', code: 'code', pre: 'pre', quote: 'blockquote' }

function nodes(list) {
  return list.map((n) => {
    if (typeof n === 'string') return n
    switch (n.kind) {
      case 'user': {
        const me = state.page && state.page.screen.user.id === n.id
        return h('span', { class: me ? 'mention me' : 'mention', dir: 'auto' }, '@' + (names()[n.id] || n.label || n.id))
      }
      case 'ping':
        return h('span', { class: 'mention ping', title: 'This notifies people' }, n.label)
      case 'channel':
        return h('span', { class: 'mention' }, n.label)
      case 'date': {
        const time = h('time', { datetime: new Date(n.seconds * 1000).toISOString(), title: whole(n.seconds * 1000, zone()) },
          slackDate(n.seconds, n.pattern, zone(), Date.now()))
        return n.url ? link(n.url, [time]) : time
      }
      case 'link':
        return link(n.url, [n.label])
    }
    return h(tags[n.kind], {}, nodes(n.children))
  })
}

// link draws a link to another page or, if the URL is the address of a message here, to that message.
export function link(url, children, props = {}) {
  const ts = messageAt(url)
  const onclick = ts
    ? (e) => {
        if (e.ctrlKey || e.metaKey || e.shiftKey) return
        e.preventDefault()
        go(state.as, 'messages', { message: ts })
      }
    : null
  return h('a', { href: safeURL(url), target: '_blank', rel: 'noopener noreferrer', onclick, ...props }, children)
}

// messageAt returns the ts of the message with this URL, if it is in this workspace.
export function messageAt(url) {
  let u
  try {
    u = new URL(url)
  } catch {
    return ''
  }
  const here = u.origin === location.origin || (['localhost', '127.0.0.1', '[::1]'].includes(u.hostname) && u.port === location.port)
  const at = /^\/archives\/[A-Z0-9]+\/p(\d+)(\d{6})$/.exec(u.pathname)
  return here && at ? `${at[1]}.${at[2]}` : ''
}
