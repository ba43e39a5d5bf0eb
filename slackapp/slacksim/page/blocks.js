// Blocks of views and messages, as Slack draws them. A surface is the view or message: {target, state, errors}.

import { h } from './dom.js'
import { textOf, plainOf } from './text.js'
import { drawElement, idOf } from './controls.js'

export function drawBlocks(surface, blocks) {
  return (blocks || []).map((b, n) => h('div', {
    key: b.block_id || n, class: `block ${b.type}-block`, 'data-block': b.block_id, 'data-block-type': b.type,
  }, draw(surface, b)))
}

function draw(surface, b) {
  switch (b.type) {
    case 'header':
      return h('h3', { dir: 'auto' }, textOf(b.text))
    case 'divider':
      return h('hr')
    case 'section':
      return section(surface, b)
    case 'context':
      return h('div', { class: 'context' }, b.elements.map((e) => (e.type === 'image' ? image(e) : h('span', { class: 'text', dir: 'auto' }, textOf(e)))))
    case 'actions':
      return h('div', { class: 'actions' }, b.elements.map((e) => drawElement(surface, b, e, plainOf(e.placeholder) || plainOf(e.text), {})))
    case 'image':
      return h('figure', {}, b.title && h('figcaption', {}, textOf(b.title)), image(b))
    case 'input':
      return input(surface, b)
  }
  return h('p', { class: 'unknown' }, `(this page cannot show blocks of the type ${b.type})`)
}

// image only draws images that are in the message itself: the page loads nothing from elsewhere.
function image(e) {
  const src = String(e.image_url || '')
  if (src.startsWith('data:image/')) return h('img', { src, alt: e.alt_text })
  return h('span', { class: 'picture', role: 'img', 'aria-label': e.alt_text }, `🖼 ${e.alt_text}`)
}

function section(surface, b) {
  const label = plainOf(b.text) || (b.fields || []).map(plainOf).join(' ')
  return h('div', { class: 'section' },
    h('div', { class: 'section-text' },
      b.text && h('div', { class: 'text', dir: 'auto' }, textOf(b.text)),
      b.fields && h('div', { class: 'fields' }, b.fields.map((f) => h('div', { class: 'text', dir: 'auto' }, textOf(f))))),
    b.accessory && h('div', { class: 'accessory' },
      b.accessory.type === 'image' ? image(b.accessory) : drawElement(surface, b, b.accessory, label.slice(0, 200), {})))
}

function input(surface, b) {
  const id = idOf(surface, b, b.element)
  const error = surface.errors && surface.errors[b.block_id]
  const label = plainOf(b.label)
  const group = b.element.type === 'checkboxes' || b.element.type === 'radio_buttons'
  const describedby = [b.hint && id + '-hint', error && id + '-error'].filter(Boolean).join(' ') || null
  return [
    h(group ? 'div' : 'label', { class: 'label', for: group ? null : id, dir: 'auto', key: 'label' }, textOf(b.label),
      b.optional && h('span', { class: 'optional', 'aria-hidden': 'true' }, ' (optional)')),
    h('div', { key: 'element', class: error ? 'control invalid' : 'control' },
      drawElement(surface, b, b.element, label, { id, describedby, invalid: !!error, required: !b.optional, input: true })),
    error && h('div', { key: 'error', id: id + '-error', class: 'error', role: 'alert', 'data-error-for': b.block_id, dir: 'auto' }, error),
    b.hint && h('div', { key: 'hint', id: id + '-hint', class: 'hint', dir: 'auto' }, textOf(b.hint)),
  ]
}
