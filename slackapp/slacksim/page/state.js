// The state of the page. After a change, call draw, which redraws the page when the current task is done.

export const state = {
  workspace: null, // what stays the same while the server runs; see /client/workspace
  page: null, // the screen of one person; see /client/users/{user}/page
  as: '', // the person that the page shows: e-mail address or ID
  unknown: '', // the same, if there is no such person
  tab: 'home',
  connected: false,
  visit: '', // whether the app acknowledged that this tab was opened: '', 'asked', 'acked' or the error
  messages: 100, // how many to fetch
  divider: '', // ts: later messages were unread when the tab was opened
  jump: '', // ts of the message to scroll to
  toasts: [],
  confirm: null, // the open confirm dialog: {confirm, yes}
  select: null, // the open list of a select; see select.js
  menu: '', // key of the open overflow menu
  people: { open: false, query: '', found: [], total: 0, active: 0, asked: 0 },
  recent: [], // people shown before, the latest first
  hints: true,
  sidebar: false, // open, on a narrow screen
  traffic: { open: false, rows: [], after: 0, show: 'all', filter: '', opened: {}, names: {} },
  busy: new Set(), // keys of buttons whose action is not done yet
}

let draws = []
let planned = false

export function onDraw(f) {
  draws.push(f)
}

export function draw() {
  if (planned) return
  planned = true
  queueMicrotask(() => {
    planned = false
    for (const f of draws) f()
  })
}

// zone returns the person's time zone.
export const zone = () => (state.page && state.page.screen.user.tz) || 'UTC'

let toastN = 0

export function toast(text, cause = '', kind = 'error') {
  const id = ++toastN
  state.toasts = [...state.toasts.slice(-3), { id, text, cause, kind }]
  setTimeout(() => dismiss(id), kind === 'error' ? 12000 : 6000)
  draw()
}

export function dismiss(id) {
  state.toasts = state.toasts.filter((t) => t.id !== id)
  draw()
}
