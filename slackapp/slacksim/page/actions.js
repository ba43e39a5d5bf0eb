// Actions of the person. They are sent to the server one at a time, in order; text that is still being typed is sent
// before any other action. Input stays on the screen until the server shows it too.

import { state, draw, toast } from './state.js'
import { post, userPath, Away } from './server.js'

const edits = new Map() // by control: input that is not on the server's screen yet
let line = Promise.resolve()
let underWay = 0
let awaited = 0 // the seq of the newest answer: the screen shows its effect from there on

// pending counts actions whose effect does not show yet.
export const pending = () => underWay + edits.size + (state.page && state.page.seq < awaited ? 1 : 0)

function enqueue(job) {
  underWay++
  draw()
  line = line.then(job).then((o) => { awaited = Math.max(awaited, (o && o.seq) || 0) }).catch(report).finally(() => {
    underWay--
    draw()
  })
  return line
}

function report(e) {
  if (e instanceof Away) {
    toast('Not connected to the local Slack. Try again in a moment.')
  } else if (!e.gone) { // if it is gone, the new screen shows that
    toast(e.message)
  }
  draw()
}

export const keyOf = (t) => [t.view_id || t.ts, t.block_id, t.action_id].join(' ')

// held returns a control's value: the latest input, else the server's value.
export function held(target, server) {
  const e = edits.get(keyOf(target))
  return e ? e.held : server || {}
}

// edit changes a control's value. Text waits a moment for more.
export function edit(target, heldNow, change, wait = 0) {
  const key = keyOf(target)
  const before = edits.get(key)
  if (before) clearTimeout(before.timer)
  const e = { key, user: state.as, target, held: heldNow, change, typed: wait > 0, unsent: true, timer: 0, seq: 0 }
  edits.set(key, e)
  if (wait) {
    e.timer = setTimeout(() => {
      e.timer = 0
      send(e)
    }, wait)
  } else {
    flush()
    send(e)
  }
  draw()
}

function send(e) {
  return enqueue(async () => {
    if (e.typed && edits.get(e.key) !== e) return // replaced by newer text
    try {
      const o = await post(userPath(e.user, '/set'), { ...e.target, change: e.change })
      e.unsent = false
      e.seq = o.seq
      return o
    } catch (problem) {
      if (problem instanceof Away) { // keep it and send it again
        setTimeout(resend, 1000)
        return
      }
      if (edits.get(e.key) === e) edits.delete(e.key)
      throw problem
    }
  })
}

// flush sends text that is still being typed.
export function flush() {
  for (const e of edits.values()) {
    if (!e.timer) continue
    clearTimeout(e.timer)
    e.timer = 0
    send(e)
  }
}

// resend sends what did not reach the server.
export function resend() {
  if (underWay || !state.connected) return
  for (const e of edits.values()) if (e.unsent && !e.timer) send(e)
}

// reconcile drops input that the server's screen shows by now, and input in views that are gone.
export function reconcile(page) {
  const shown = new Set()
  for (const v of [page.screen.home, ...page.screen.modals]) if (v) shown.add(v.id)
  for (const e of [...edits.values()]) {
    const away = e.target.view_id && e.user === state.as && !shown.has(e.target.view_id)
    if (away || (e.seq && !e.timer && page.seq >= e.seq)) {
      clearTimeout(e.timer)
      edits.delete(e.key)
    }
  }
}

export function forgetEdits() {
  for (const e of edits.values()) clearTimeout(e.timer)
  edits.clear()
  awaited = 0
  state.busy.clear()
}

// once runs one job at a time for a key: a second press is ignored until the first is done.
function once(key, job) {
  if (state.busy.has(key)) return
  flush()
  state.busy.add(key)
  enqueue(job).finally(() => {
    state.busy.delete(key)
    draw()
  })
}

// press sends the button's value too, so that the server finds the button even if its view was redrawn meanwhile.
export function press(target, option = '', value = '') {
  const user = state.as
  once(keyOf(target), () => post(userPath(user, '/press'), { ...target, option, value }))
}

// submit submits a view and passes the outcome to done.
export function submit(view, done) {
  const user = state.as
  once('submit ' + view.id, async () => {
    const o = await post(userPath(user, '/submit'), { view_id: view.id })
    done(o)
    return o
  })
}

export function closeModal(view, all) {
  const user = state.as
  once('close ' + view.id, () => post(userPath(user, '/close'), { all }))
}

// enter sends the Enter key in a text field.
export function enter(target, heldNow, text) {
  const user = state.as
  const key = keyOf(target)
  const before = edits.get(key)
  if (before) clearTimeout(before.timer)
  const e = { key, user, target, held: heldNow, change: { text, enter: true, clear: text === '' }, typed: false, unsent: true, timer: 0, seq: 0 }
  edits.set(key, e)
  flush()
  send(e)
}

// options asks the app for the options of an external select.
export function options(target, query) {
  const user = state.as
  flush()
  return new Promise((resolve, reject) => {
    enqueue(async () => {
      try {
        resolve(await post(userPath(user, '/options'), { ...target, query }))
      } catch (e) {
        reject(e)
        throw e
      }
    })
  })
}

// ask shows a confirm dialog before an action, if the app wants one.
export function ask(confirm, yes) {
  if (!confirm) return yes()
  state.confirm = { confirm, yes }
  draw()
}

export function answer(yes) {
  const c = state.confirm
  state.confirm = null
  draw()
  if (yes && c) c.yes()
}
