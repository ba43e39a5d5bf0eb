// Calls to the client API.

// Away means that the server could not be reached.
export class Away extends Error {}

// Refused means that the server answered with an error. gone: the target is no longer on the screen. unknown: there is no such
// user.
export class Refused extends Error {
  constructor(status, message) {
    super(message)
    this.status = status
    this.gone = status === 409
    this.unknown = status === 404
  }
}

async function call(method, path, body, signal) {
  let response
  try {
    response = await fetch(path, {
      method, signal, cache: 'no-store',
      headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
    })
  } catch (e) {
    if (e.name === 'AbortError') throw e
    throw new Away(String(e))
  }
  const text = await response.text().catch((e) => {
    if (e.name === 'AbortError') throw e
    throw new Away(String(e))
  })
  let answer
  try {
    answer = JSON.parse(text)
  } catch {
    throw new Refused(response.status, `${response.status}: ${text.slice(0, 200)}`)
  }
  if (!response.ok) throw new Refused(response.status, answer.error || String(response.status))
  return answer
}

export const get = (path, signal) => call('GET', path, undefined, signal)
export const post = (path, body) => call('POST', path, body)
export const userPath = (user, rest) => `/client/users/${encodeURIComponent(user)}${rest}`
