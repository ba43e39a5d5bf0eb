// All that the page knows. Whoever changes it calls draw, which draws it once the current task is done.

export const state = {
  workspace: null, // what stays while the server runs; see /client/workspace
  page: null, // what one person has before them; see /client/users/{user}/page
  as: '', // whom the page shows: e-mail or ID
  unknown: '', // as, if there is no such person
  tab: 'home',
  connected: false,
  visit: '', // how the app took the opening of this tab: '', 'asked', 'acked' or why not
  messages: 100, // how many are asked for
  divider: '', // ts: what came after it was not read when the tab was opened
  jump: '', // ts of the message to be scrolled to
  toasts: [],
  confirm: null, // the question that is open: {confirm, yes}
  select: null, // the open list of a select; see select.js
  menu: '', // key of the open overflow menu
  people: { open: false, query: '', found: [], total: 0, active: 0, asked: 0 },
  recent: [], // whom one has been, the latest first
  hints: true,
  sidebar: false, // open, on a narrow screen
  traffic: { open: false, rows: [], after: 0, show: 'all', filter: '', opened: {}, names: {} },
  busy: new Set(), // keys of buttons whose action is under way
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

// zone is the chosen person's.
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
