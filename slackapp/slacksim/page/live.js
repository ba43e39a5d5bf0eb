// Keeps the screen of one person up to date, by one long request at a time, which the server answers when something changes.

import { state, draw, toast } from './state.js'
import { get, post, userPath, Away } from './server.js'
import { reconcile, resend, forgetEdits, flush } from './actions.js'
import { refresh as refreshTraffic, forget as forgetTraffic } from './traffic.js'

let stop = new AbortController() // ends the current wait
let visiting = 0

// again makes the loop fetch the screen at once.
export function again() {
  stop.abort()
}

export async function live() {
  let failures = 0
  let said = ''
  for (;;) {
    stop = new AbortController()
    try {
      await look()
      if (!state.connected) {
        state.connected = true
        draw()
      }
      failures = 0
      said = ''
      resend()
      await wait(stop.signal)
    } catch (e) {
      if (e.name === 'AbortError') continue
      if (!(e instanceof Away) && e.message !== said) toast(said = e.message)
      state.connected = false
      draw()
      failures++
      await pause(Math.min(250 * 2 ** failures, 4000))
    }
  }
}

const pause = (ms) => new Promise((resolve) => {
  const t = setTimeout(resolve, ms)
  stop.signal.addEventListener('abort', () => {
    clearTimeout(t)
    resolve()
  })
})

async function wait(signal) {
  const seq = state.page ? state.page.seq : state.workspace.seq
  const now = await get(`/client/wait?after=${seq}&start=${state.workspace.start}&timeout_ms=25000`, signal)
  if (now.start !== state.workspace.start) await meet()
  state.workspace.seq = now.seq
}

// meet fetches the workspace, and starts again if the server was restarted.
async function meet() {
  const known = state.workspace
  state.workspace = await get('/client/workspace')
  if (!state.as) state.as = state.workspace.as
  if (!known || known.start === state.workspace.start) return
  forgetEdits()
  forgetTraffic()
  state.page = state.select = state.confirm = null
  state.divider = ''
  visiting = 0
  toast('The local Slack was restarted and has forgotten all messages and open forms.', '', 'info')
}

async function look() {
  if (!state.workspace) await meet()
  const who = state.as
  let page
  try {
    page = await get(userPath(who, `/page?messages=${state.messages}`), stop.signal)
  } catch (e) {
    if (!e.unknown) throw e
    state.page = null
    state.unknown = who
    draw()
    return
  }
  if (page.start !== state.workspace.start) {
    await meet()
    return look()
  }
  if (who !== state.as) return
  const first = !state.page || state.page.screen.user.id !== page.screen.user.id
  const before = first ? null : state.page
  state.unknown = ''
  if (before && before.seq > page.seq) return
  tell(before, page)
  state.page = page
  reconcile(page)
  if (first) remember(page.screen.user)
  if (!visiting) visit()
  else readOn()
  draw()
  await refreshTraffic()
}

// tell shows each of Slack's own notices once. "No result" is shown in the list, and problems with a form in the form.
function tell(before, page) {
  if (!before) return
  const seen = before.screen.notices || []
  const last = seen.length ? seen[seen.length - 1].seq : 0
  for (const n of page.screen.notices || []) {
    const inForm = page.screen.modals.some((m) => m.notice === n.text)
    if (n.seq > last && n.text !== 'No result' && !inForm) toast(n.text, n.cause)
  }
}

function remember(user) {
  const me = { id: user.id, name: user.name, email: user.email || user.id }
  state.recent = [me, ...state.recent.filter((p) => p.id !== me.id)].slice(0, 6)
  try {
    sessionStorage.setItem('recent', JSON.stringify(state.recent))
  } catch { /* the browser stores nothing */ }
}

// visit opens the tab: the app is told, and messages are marked as read.
async function visit() {
  const mine = ++visiting
  const { as, tab, page } = state
  if (tab === 'messages') state.divider = page.unread > 0 ? page.read || '0' : ''
  state.visit = 'asked'
  draw()
  try {
    const o = await post(userPath(as, '/open'), { tab })
    if (mine === visiting) state.visit = o.acked ? 'acked' : o.problem
  } catch (e) {
    if (mine === visiting) state.visit = e.message
  }
  draw()
}

export const revisit = () => visit()

// readOn marks new messages as read while the Messages tab is visible.
function readOn() {
  const { page, tab } = state
  if (tab !== 'messages' || page.unread === 0) return
  if (document.hidden) {
    if (!state.divider) state.divider = page.read || '0'
    return
  }
  const last = page.screen.messages.findLast((m) => !m.ephemeral)
  if (last) post(userPath(state.as, '/read'), { ts: last.ts }).catch(() => { /* the next update tries again */ })
}
document.addEventListener('visibilitychange', () => {
  if (!document.hidden && state.page) readOn()
})

// go switches to a person and a tab.
export function go(as, tab, { message = '', replace = false } = {}) {
  flush()
  const other = as !== state.as
  if (other) {
    state.page = null
    state.unknown = ''
    state.messages = 100
  }
  Object.assign(state, { as, tab, jump: message, divider: '', visit: '', select: null, menu: '', sidebar: false })
  Object.assign(state.people, { open: false, query: '' })
  visiting = 0
  address(replace)
  if (!other && state.page) visit()
  else again()
  draw()
}

export function address(replace) {
  const to = '?' + new URLSearchParams({ as: state.as, tab: state.tab })
  if (to === location.search) return
  history[replace ? 'replaceState' : 'pushState'](null, '', to)
}
