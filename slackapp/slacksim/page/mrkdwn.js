// Parses Slack's mrkdwn into a tree, independent of the page. A node is a string or
// {kind, children | text | url | label | id | name | ...}.
// Source: https://docs.slack.dev/messaging/formatting-message-text

// The shortcodes that are drawn as emoji. Others stay as they are.
export const emoji = {
  white_check_mark: '✅', heavy_check_mark: '✔️', x: '❌', no_entry: '⛔', warning: '⚠️', gear: '⚙️', hourglass: '⌛',
  hourglass_flowing_sand: '⏳', checkered_flag: '🏁', repeat: '🔁', leftwards_arrow_with_hook: '↩️', thumbsup: '👍', '+1': '👍',
  thumbsdown: '👎', '-1': '👎', red_circle: '🔴', large_orange_circle: '🟠', large_green_circle: '🟢', white_circle: '⚪', lock: '🔒',
  key: '🔑', wave: '👋', tada: '🎉', bell: '🔔', rocket: '🚀', eyes: '👀', smile: '😄', information_source: 'ℹ️', arrow_right: '➡️',
  robot_face: '🤖', link: '🔗', bulb: '💡', question: '❓', exclamation: '❗', heart: '❤️', clock1: '🕐', calendar: '📆', mag: '🔍',
}

const entities = { '&lt;': '<', '&gt;': '>', '&amp;': '&' }
const decode = (s) => s.replace(/&(lt|gt|amp);/g, (e) => entities[e])

// shortcodes replaces :emoji: in plain text.
export function shortcodes(text) {
  return text.replace(/:([a-z0-9_+-]+):/g, (all, name) => (Object.hasOwn(emoji, name) ? emoji[name] : all))
}

// safeURL returns the URL if a link may lead there, else an empty string.
export function safeURL(url) {
  try {
    const u = new URL(url)
    return ['http:', 'https:', 'mailto:'].includes(u.protocol) ? url : ''
  } catch {
    return ''
  }
}

// parse parses mrkdwn. In verbatim text, Slack does not turn addresses into links.
export function parse(text, { verbatim = false } = {}) {
  const nodes = []
  let rest = text
  for (;;) { // ```preformatted``` first, because nothing in it is formatted
    const at = /```\n?([\s\S]*?)\n?```/.exec(rest)
    if (!at || at[1] === '') break
    if (at.index > 0) nodes.push(...lines(rest.slice(0, at.index).replace(/\n$/, ''), verbatim))
    nodes.push({ kind: 'pre', children: references(at[1], true, false) })
    rest = rest.slice(at.index + at[0].length).replace(/^\n/, '')
  }
  if (rest !== '') nodes.push(...lines(rest, verbatim))
  return nodes
}

// lines separates quotes from the rest.
function lines(text, verbatim) {
  const nodes = []
  let plain = []
  let quote = []
  const end = () => {
    if (plain.length) nodes.push(...inline(plain.join('\n'), verbatim))
    if (quote.length) nodes.push({ kind: 'quote', children: inline(quote.join('\n'), verbatim) })
    plain = []
    quote = []
  }
  const all = text.split('\n')
  for (let n = 0; n < all.length; n++) {
    const rest = /^(?:&gt;|>)(?:&gt;|>)(?:&gt;|>) ?([\s\S]*)$/.exec(all.slice(n).join('\n'))
    if (rest) { // >>> quotes everything that follows
      if (quote.length) end()
      if (plain.length) end()
      quote.push(rest[1])
      break
    }
    const line = /^(?:&gt;|>) ?(.*)$/.exec(all[n])
    if (line) {
      if (plain.length) end()
      quote.push(line[1])
    } else {
      if (quote.length) end()
      plain.push(all[n])
    }
  }
  end()
  return nodes
}

const marks = { '*': 'bold', _: 'italic', '~': 'strike', '`': 'code' }
const word = /[\p{L}\p{N}]/u

// inline parses *bold*, _italic_, ~strike~, `code` and <references>. A mark only counts at the edge of a word, and must end on
// the same line.
function inline(text, verbatim) {
  const nodes = []
  let plain = ''
  const flush = () => {
    if (plain) nodes.push(...references(plain, verbatim, true))
    plain = ''
  }
  for (let at = 0; at < text.length;) {
    const c = text[at]
    if (c === '<') {
      const close = text.indexOf('>', at)
      if (close > at) { // marks inside a reference do not count
        plain += text.slice(at, close + 1)
        at = close + 1
        continue
      }
    }
    if (c in marks && !word.test(before(text, at))) {
      const close = closing(text, at)
      if (close > 0) {
        flush()
        const inner = text.slice(at + 1, close)
        nodes.push({ kind: marks[c], children: c === '`' ? references(inner, true, false) : inline(inner, verbatim) })
        at = close + 1
        continue
      }
    }
    plain += c
    at++
  }
  flush()
  return nodes
}

// before and after return the whole characters next to a position.
const before = (text, at) => (at > 0 ? [...text.slice(Math.max(0, at - 2), at)].pop() : ' ')
const after = (text, at) => (at < text.length ? String.fromCodePoint(text.codePointAt(at)) : ' ')

function closing(text, open) {
  const mark = text[open]
  const next = text[open + 1]
  if (next === undefined || next === mark || (mark !== '`' && /\s/.test(next))) return -1
  for (let at = open + 1; at < text.length; at++) {
    if (text[at] === '\n') return -1
    if (text[at] === '<' && mark !== '`') {
      const close = text.indexOf('>', at)
      if (close > 0) at = close
      continue
    }
    if (text[at] === mark && (mark === '`' || !/\s/.test(text[at - 1])) && !word.test(after(text, at + 1))) return at
  }
  return -1
}

// references parses <…> and decodes entities.
function references(text, verbatim, formats) {
  const nodes = []
  const plain = (s) => {
    if (s === '') return
    if (verbatim) return nodes.push(formats ? shortcodes(decode(s)) : decode(s))
    let rest = s
    for (;;) { // addresses without link markup
      const at = /https?:\/\/[^\s<>|]*[^\s<>|.,;:!?)"'*_~`]/.exec(rest)
      if (!at) break
      if (at.index) nodes.push(shortcodes(decode(rest.slice(0, at.index))))
      const url = decode(at[0])
      nodes.push({ kind: 'link', url, label: url })
      rest = rest.slice(at.index + at[0].length)
    }
    if (rest) nodes.push(shortcodes(decode(rest)))
  }
  let from = 0
  for (const m of text.matchAll(/<([^<>]+)>/g)) {
    plain(text.slice(from, m.index))
    nodes.push(reference(m[1]))
    from = m.index + m[0].length
  }
  plain(text.slice(from))
  return nodes
}

function reference(inner) {
  const bar = inner.indexOf('|')
  const target = bar < 0 ? inner : inner.slice(0, bar)
  const label = bar < 0 ? '' : decode(inner.slice(bar + 1))
  if (target.startsWith('@')) return { kind: 'user', id: target.slice(1), label }
  if (target.startsWith('#')) return { kind: 'channel', label: '#' + (label || target.slice(1)).replace(/^#/, '') }
  if (target.startsWith('!date^')) {
    const [, seconds, pattern, url] = target.split('^')
    if (!/^\d+$/.test(seconds || '') || !pattern) return label
    return { kind: 'date', seconds: Number(seconds), pattern: decode(pattern), url: url ? safeURL(decode(url)) : '', label }
  }
  if (target.startsWith('!subteam^')) return { kind: 'ping', label: label || '@' + target.slice(9) }
  if (target.startsWith('!')) return { kind: 'ping', label: '@' + target.slice(1) }
  const url = decode(target)
  if (!safeURL(url)) return label ? `${label} (${url})` : url // not a safe link, such as javascript: or file:
  return { kind: 'link', url, label: label || url.replace(/^mailto:/, '') }
}

// toText returns the tree as plain text.
export function toText(nodes, names = {}) {
  return nodes.map((n) => {
    if (typeof n === 'string') return n
    if (n.kind === 'user') return '@' + (names[n.id] || n.label || n.id)
    return n.children ? toText(n.children, names) : n.label || ''
  }).join('')
}
