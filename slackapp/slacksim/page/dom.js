// A small virtual DOM: after each change the whole page is drawn again, and only differences are applied. So elements that
// stay keep their focus, caret and scroll position.

const svgTags = new Set(['svg', 'path', 'circle', 'rect'])
const properties = new Set(['value', 'checked', 'disabled', 'inert', 'hidden', 'readOnly', 'multiple'])

// h creates a node: h('button', {class: 'primary', onclick: press}, 'Send'). A key identifies a node among its siblings.
export function h(tag, props, ...children) {
  return { tag, props: props || {}, children: flat(children, []), key: props && props.key }
}

function flat(children, into) {
  for (const c of children) {
    if (Array.isArray(c)) flat(c, into)
    else if (c === null || c === undefined || c === false || c === '') continue
    else into.push(typeof c === 'object' ? c : { text: String(c) })
  }
  return into
}

// patch updates the children of an element to these nodes.
export function patch(parent, children) {
  const nodes = flat([children], [])
  const old = parent._nodes || []
  const keyed = new Map()
  const loose = []
  for (const o of old) {
    if (o.vnode.key !== undefined) keyed.set(o.vnode.key, o)
    else loose.push(o)
  }
  const next = []
  const used = new Set()
  for (const v of nodes) {
    let o
    if (v.key !== undefined) {
      o = keyed.get(v.key)
      if (o && o.vnode.tag !== v.tag) o = undefined
    } else {
      const at = loose.findIndex((l) => l.vnode.tag === v.tag)
      if (at >= 0) o = loose.splice(0, at + 1)[at]
    }
    if (o && used.has(o)) o = undefined // duplicate key: create the second one
    if (o) used.add(o)
    next.push(o || { vnode: v, dom: create(v), fresh: true })
    next[next.length - 1].wanted = v
  }
  for (const o of old) if (!used.has(o)) o.dom.remove() // first, so that the others need not move
  let at = parent.firstChild
  for (const n of next) {
    if (n.dom === at) at = at.nextSibling
    else parent.insertBefore(n.dom, at)
  }
  for (const n of next) {
    update(n.dom, n.fresh ? null : n.vnode, n.wanted)
    n.vnode = n.wanted
    n.fresh = false
  }
  parent._nodes = next
}

function create(v) {
  if (v.tag === undefined) return document.createTextNode(v.text)
  if (svgTags.has(v.tag)) return document.createElementNS('http://www.w3.org/2000/svg', v.tag)
  return document.createElement(v.tag)
}

function update(dom, before, v) {
  if (v.tag === undefined) {
    if (dom.nodeValue !== v.text) dom.nodeValue = v.text
    return
  }
  const was = before ? before.props : {}
  for (const name in was) if (!(name in v.props)) set(dom, name, null)
  for (const name in v.props) {
    if (name === 'key') continue
    const value = v.props[name]
    if (name === 'value' || name === 'checked' || value !== was[name]) set(dom, name, value)
  }
  patch(dom, v.children)
  if (v.tag === 'select' && 'value' in v.props) dom.value = v.props.value // after its options were added
}

function set(dom, name, value) {
  if (name.startsWith('on')) {
    const kind = name.slice(2)
    if (!dom._on) dom._on = {}
    if (!(kind in dom._on)) dom.addEventListener(kind, (e) => dom._on[kind] && dom._on[kind](e))
    dom._on[kind] = value
  } else if (properties.has(name)) {
    if (dom[name] !== value) dom[name] = value === null ? '' : value
  } else if (value === null || value === undefined || value === false) {
    dom.removeAttribute(name)
  } else {
    dom.setAttribute(name, value === true ? '' : value)
  }
}

// icon draws a 20 by 20 icon.
export function icon(name) {
  return h('svg', { viewBox: '0 0 20 20', class: 'icon', 'aria-hidden': 'true' }, h('path', { d: drawings[name] }))
}

const drawings = {
  close: 'M5 5l10 10M15 5L5 15',
  down: 'M5 7.5l5 5 5-5',
  left: 'M12.5 5l-5 5 5 5',
  right: 'M7.5 5l5 5-5 5',
  traffic: 'M3 7h12l-3-3M17 13H5l3 3',
  moon: 'M16 12A7 7 0 0 1 8 4a6.5 6.5 0 1 0 8 8z',
  sun: 'M10 6.5a3.5 3.5 0 1 0 0 7 3.5 3.5 0 0 0 0-7zM10 2v2M10 16v2M2 10h2M16 10h2M4.5 4.5l1.4 1.4M14.1 14.1l1.4 1.4M15.5 4.5l-1.4 1.4M5.9 14.1l-1.4 1.4',
  eye: 'M2 10s3-5 8-5 8 5 8 5-3 5-8 5-8-5-8-5zM10 8a2 2 0 1 0 0 4 2 2 0 0 0 0-4z',
  search: 'M9 4a5 5 0 1 0 0 10A5 5 0 0 0 9 4zM13 13l4 4',
  dots: 'M5 10h.01M10 10h.01M15 10h.01',
  home: 'M3 9l7-6 7 6v8h-5v-5H8v5H3z',
  chat: 'M3 4h14v9H9l-4 3v-3H3z',
  link: 'M8 12l4-4M7 9l-2 2a2.8 2.8 0 0 0 4 4l2-2M13 11l2-2a2.8 2.8 0 0 0-4-4L9 7',
}

// initials replace a person's picture: one or two letters, in any script.
export function initials(name) {
  const words = name.trim().split(/\s+/).filter((w) => /[\p{L}\p{N}]/u.test(w) && !/^[(（]/.test(w))
  const first = (w) => (w.match(/[\p{L}\p{N}]/u) || [''])[0].toUpperCase()
  if (words.length === 0) return [...name.trim()][0] || '?'
  const last = words[words.length - 1]
  return words.length === 1 || /[\u0590-\u08ff]/.test(name) ? first(words[0]) : first(words[0]) + first(last)
}

export function avatar(name, size = '') {
  let n = 7
  for (const c of name) n = (n * 31 + c.codePointAt(0)) % 9973
  return h('span', { class: `avatar avatar-${n % 10} ${size}`, 'aria-hidden': 'true' }, initials(name))
}

// appIcon draws the app's icon.
export function appIcon(size = '') {
  return h('span', { class: `app-icon ${size}`, 'aria-hidden': 'true' }, 'a')
}
