// Formats instants in a person's time zone. These functions read no clock, and use only the time zone they are given.

const formats = new Map()

function format(zone, options) {
  const key = zone + JSON.stringify(options)
  if (!formats.has(key)) {
    let f
    try {
      f = new Intl.DateTimeFormat('en-GB', { timeZone: zone || 'UTC', ...options })
    } catch { // a zone that this browser does not know
      f = new Intl.DateTimeFormat('en-GB', { timeZone: 'UTC', ...options })
    }
    formats.set(key, f)
  }
  return formats.get(key)
}

// dateOf returns the calendar date, YYYY-MM-DD.
export function dateOf(ms, zone) {
  const p = Object.fromEntries(format(zone, { year: 'numeric', month: '2-digit', day: '2-digit' }).formatToParts(ms).map((x) => [x.type, x.value]))
  return `${p.year.padStart(4, '0')}-${p.month}-${p.day}`
}

// clockOf returns the time of day, HH:mm.
export function clockOf(ms, zone) {
  return format(zone, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' }).format(ms)
}

// exactly returns the time of day with seconds and milliseconds.
export function exactly(ms, zone) {
  return format(zone, { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 3, hourCycle: 'h23' }).format(ms)
}

export function zoneName(ms, zone) {
  const part = format(zone, { timeZoneName: 'short' }).formatToParts(ms).find((p) => p.type === 'timeZoneName')
  return part ? part.value : 'UTC'
}

// day names a day as Slack's dividers do.
export function day(ms, now, zone) {
  const date = dateOf(ms, zone)
  if (date === dateOf(now, zone)) return 'Today'
  if (date === dateOf(now - 86400000, zone)) return 'Yesterday'
  const year = date.slice(0, 4) === dateOf(now, zone).slice(0, 4) ? undefined : 'numeric'
  return format(zone, { weekday: 'long', day: 'numeric', month: 'long', year }).format(ms)
}

// whole returns the full date and time, for a tooltip.
export function whole(ms, zone) {
  return `${format(zone, { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric' }).format(ms)}, ${clockOf(ms, zone)} ${zoneName(ms, zone)}`
}

// ofTS returns a message's ts in milliseconds.
export function ofTS(ts) {
  return Number(ts) * 1000
}

// slackDate fills in the tokens of <!date^…>: https://docs.slack.dev/messaging/formatting-message-text#date-formatting
export function slackDate(seconds, pattern, zone, now) {
  const ms = seconds * 1000
  const long = { day: 'numeric', month: 'long', year: 'numeric' }
  const relative = (otherwise) => {
    const d = day(ms, now, zone)
    if (d === 'Today' || d === 'Yesterday') return d.toLowerCase()
    if (dateOf(ms, zone) === dateOf(now + 86400000, zone)) return 'tomorrow'
    return otherwise
  }
  const short = format(zone, { day: 'numeric', month: 'short', year: 'numeric' }).format(ms)
  const full = format(zone, { weekday: 'long', ...long }).format(ms)
  const plain = format(zone, long).format(ms)
  const tokens = {
    date_num: dateOf(ms, zone), date: plain, date_short: short, date_long: full,
    date_pretty: relative(plain), date_short_pretty: relative(short), date_long_pretty: relative(full),
    time: clockOf(ms, zone), time_secs: exactly(ms, zone).slice(0, 8), ago: ago(ms, now),
  }
  return pattern.replace(/\{([a-z_]+)\}/g, (all, name) => (name in tokens ? tokens[name] : all))
}

// ago returns the distance of an instant from now in words.
export function ago(ms, now) {
  const minutes = Math.round(Math.abs(now - ms) / 60000)
  const of = (n, unit) => (n === 1 ? `1 ${unit}` : `${n} ${unit}s`)
  const much = minutes < 1 ? 'less than a minute' : minutes < 60 ? of(minutes, 'minute')
    : minutes < 1440 ? of(Math.round(minutes / 60), 'hour') : of(Math.round(minutes / 1440), 'day')
  return ms <= now ? `${much} ago` : `in ${much}`
}
