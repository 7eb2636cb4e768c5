// What the host may cite this space with beyond its name and modules: consents, given and withdrawn one by one.
import { call } from './api.js';
import { act, h, offHint, show, time } from './page.js';
import { current, learn, t } from './words.js';

learn({
  referencesWhy: ['Sans consentement, l’hébergeur ne cite que votre nom et les modules souscrits. Chaque consentement se retire à tout moment, et tous avec la fonction.',
    'Without a consent the host cites your name and modules only. Each consent can be withdrawn at any time, and all of them with the function.'],
  given: ['donné le %', 'given on %'],
  notGiven: ['non donné', 'not given'],
  give: ['J’y consens', 'I consent to it'],
  withdraw: ['Retirer ce consentement', 'Withdraw this consent'],
  consentGiven: ['Consentement donné.', 'Consent given.'],
  consentWithdrawn: ['Consentement retiré.', 'Consent withdrawn.'],
});

const part = r => h('section', { class: 'function', id: `reference-${r.name}` },
  h('p', {}, r.text[current()], ' ', h('small', {}, `(${r.given ? t('given').replace('%', time(r.since)) : t('notGiven')})`)),
  h('button', {
    type: 'button', class: r.given ? 'plain' : undefined, 'aria-label': `${t(r.given ? 'withdraw' : 'give')} – ${r.text[current()]}`,
    onclick: () => act(() => call('PUT', `/provider/references/${r.name}`, { given: !r.given }), t(r.given ? 'consentWithdrawn' : 'consentGiven'), open)
      .then(() => document.querySelector(`#reference-${r.name} button`).focus()),
  }, t(r.given ? 'withdraw' : 'give')));

export async function open() {
  const { body: { items } } = await call('GET', '/provider/references');
  show(h('h1', {}, t('references')), h('p', {}, t('referencesWhy')), await offHint('references'), ...items.map(part));
}
