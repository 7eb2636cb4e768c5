// An older state was put back: what this browser has seen is no longer there. An administrator may go on from it, for everybody.
import { call } from './api.js';
import { explain, facts, h, show, time } from './page.js';
import { learn, t } from './words.js';

learn({
  rolledBack: ['Un état plus ancien a été remis en place', 'An older state was put back'],
  rolledBackWhy: ['Ce navigateur a vu ce qui n’est plus là. Demandez à votre hébergeur pourquoi ; ce qui a été écrit depuis cette date est perdu.',
    'This browser has seen what is no longer there. Ask your host why; what was written since this date is lost.'],
  lastWritten: ['Dernière écriture de cet état', 'Last written'],
  lostChanges: ['Écritures perdues, au moins', 'Lost commits, at least'],
  rolledBackAsk: ['Un administrateur peut continuer depuis cet état.', 'An administrator may go on from this state.'],
  rolledBackGoOn: ['Continuer depuis cet état', 'Go on from this state'],
  rolledBackSure: ['Ce qui est perdu le reste, pour tous ; le journal le dit. Continuer ?', 'What is lost stays lost, for everybody; the journal says so. Go on?'],
});

export async function open(mayAccept, goOn, leave) {
  const out = h('button', { type: 'button', class: 'plain', id: 'logout', onclick: leave }, t('logout'));
  if (!mayAccept) {
    show(h('h1', {}, t('rolledBack')), h('p', {}, t('rolledBackWhy')), h('p', {}, t('rolledBackAsk')), out);
    return;
  }
  const { body } = await call('GET', '/rollback');
  const accept = () => window.confirm(t('rolledBackSure')) && call('POST', '/rollback').then(goOn).catch(explain);
  show(h('h1', {}, t('rolledBack')), h('p', {}, t('rolledBackWhy')),
    facts([[t('lastWritten'), time(body.last_commit)], [t('lostChanges'), body.seen > body.commit ? String(body.seen - body.commit) : '']]),
    h('div', { class: 'actions' }, h('button', { type: 'button', class: 'danger', id: 'go-on', onclick: accept }, t('rolledBackGoOn')), out));
}
