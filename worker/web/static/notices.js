// The provider's notices of change: each with its text, from when it holds, and a button for whoever may acknowledge it.
import { call } from './api.js';
import { explain, h, say, show } from './page.js';
import { current, t } from './words.js';

const day = time => new Date(time).toLocaleDateString(current(), { dateStyle: 'long', timeZone: 'UTC' });

function state(n) {
  if (n.in_force) return t('noticeInForce').replace('%', day(n.in_force));
  return t('noticeOpen').replace('%', day(n.effective));
}

export async function noticesPage(mayAcknowledge) {
  const { body } = await call('GET', '/notices');
  const whole = await Promise.all(body.items.map(n => call('GET', `/notices/${n.number}`)));
  const acknowledge = n => call('POST', `/notices/${n.number}/acknowledge`).then(() => {
    document.getElementById(`acknowledge-${n.number}`).remove();
    say(t('noticeDone'));
  }).catch(explain);
  show(
    h('h1', {}, t('notices')), h('p', {}, t('noticesWhy'), ' ', h('a', { href: '/api/v1/notices.atom' }, 'Atom')),
    whole.length ? null : h('p', {}, t('none')),
    ...whole.map(({ body: n }) => h('section', { class: 'function', id: `notice-${n.number}` },
      h('h2', {}, n.to ? `${n.title[current()]} : ${n.to}` : n.title[current()], h('small', {}, state(n))),
      h('pre', { class: 'letter' }, n.text),
      n.acknowledged || !mayAcknowledge ? null : h('button', { type: 'button', id: `acknowledge-${n.number}`, onclick: () => acknowledge(n) }, t('noticeRead')))));
}
