// An app made with Slack's own library, which must work with the local Slack: bolt_test.go acts in it as a user.
// Settings: SLACK_API_URL, SLACK_BOT_TOKEN, SLACK_APP_TOKEN. It prints the users' input, one line of JSON each.
const { App, LogLevel } = require('@slack/bolt')

const app = new App({
  token: process.env.SLACK_BOT_TOKEN,
  appToken: process.env.SLACK_APP_TOKEN,
  socketMode: true,
  logLevel: LogLevel.WARN,
  clientOptions: { slackApiUrl: process.env.SLACK_API_URL },
})
const print = (what) => process.stdout.write(JSON.stringify(what) + '\n')
const text = (t) => ({ type: 'plain_text', text: t })

app.event('app_home_opened', async ({ event, client }) => {
  await client.views.publish({
    user_id: event.user,
    view: { type: 'home', blocks: [{ type: 'actions', elements: [{ type: 'button', action_id: 'begin', text: text('Begin') }] }] },
  })
})

app.action('begin', async ({ ack, body, client }) => {
  await ack()
  await client.views.open({
    trigger_id: body.trigger_id,
    view: {
      type: 'modal',
      callback_id: 'form',
      title: text('A form'),
      submit: text('Send'),
      blocks: [
        { type: 'input', block_id: 'who', label: text('Who'), element: { type: 'external_select', action_id: 'who', min_query_length: 0, placeholder: text('Search') } },
        { type: 'input', block_id: 'why', label: text('Why'), element: { type: 'plain_text_input', action_id: 'why' } },
      ],
    },
  })
})

app.options('who', async ({ ack, options }) => {
  await ack({ options: [{ text: text(`Found by ${options.value}`), value: 'found' }] })
})

app.view('form', async ({ ack, body, view, client }) => {
  const values = view.state.values
  if (values.why.why.value === 'bad') {
    await ack({ response_action: 'errors', errors: { why: 'Say something better' } })
    return
  }
  await ack()
  print({ who: values.who.who.selected_option.value, why: values.why.why.value, team: body.team.id })
  const me = await client.users.info({ user: body.user.id })
  const sent = await client.chat.postMessage({ channel: body.user.id, text: `Thank you, ${me.user.profile.email}` })
  await client.chat.update({ channel: sent.channel, ts: sent.ts, text: `Thank you again, ${me.user.profile.email}` })
})

app.error(async (error) => {
  print({ error: String(error) })
})

app.start().then(() => print({ started: true }), (error) => {
  print({ error: String(error) })
  process.exit(1)
})
