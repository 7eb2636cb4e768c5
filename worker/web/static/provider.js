// What the host holds about this space: its entry, the numbers, what its people did, what it gave to others, messages, notices.
import { call } from './api.js';
import { facts, h, show, size, table, time } from './page.js';
import { current, has, learn, t } from './words.js';
import './provider_words.js';

learn({
  providerWhy: ['Tout ce que votre hébergeur a sur vous. Il ne peut pas lire vos fiches ; voici ce qu’il voit et ce qu’il a fait.', 'All that your host has about you. It cannot read your records; this is what it sees and what it did.'],
  entry: ['Votre inscription', 'Your entry'],
  entryName: ['Nom', 'Name'],
  entryTitle: ['Titre', 'Title'],
  hosts: ['Adresses', 'Addresses'],
  region: ['Région', 'Region'],
  quota: ['Place', 'Room'],
  modules: ['Modules', 'Modules'],
  created: ['Inscrit le', 'Entered on'],
  contactFor: ['Courriel pour les avis', 'E-mail for notices'],
  transferredTo: ['Contrat transféré à', 'Contract transferred to'],
  contractEnd: ['Fin du contrat annoncée le', 'End of the contract announced on'],
  takeAway: ['Tout télécharger (JSON)', 'Download all (JSON)'],
  elsewhere: ['Aussi, que cet espace ne voit pas : le numéro du groupe avec lequel son usage est publié, s’il l’est ; et ce qui fut demandé sous un délai légal, jusqu’à sa fin.',
    'Besides, which this space does not see: the number of the group with which its usage is published, if it is; and what was asked for under a legal hold, until its end.'],
  counters: ['Nombres', 'Numbers'],
  countersWhy: ['Tous les nombres qui peuvent sortir d’ici, comme ils sont maintenant.', 'Every number that may leave this space, as it is now.'],
  value: ['Valeur', 'Value'],
  ledger: ['Ce que l’hébergeur a fait', 'What the host did'],
  ledgerGood: ['Cet espace a vérifié chaque ligne contre la précédente et contre la fin qu’il garde scellée : rien n’a été retiré ni réécrit.',
    'This space has checked each line against the one before and against the end that it keeps sealed: nothing was removed or rewritten.'],
  ledgerBad: ['Des lignes ont été retirées ou réécrites : ce registre ne continue pas ce que cet espace avait vu.', 'Lines were removed or rewritten: this ledger does not go on from what this space had seen.'],
  ledgerUnsure: ['Les lignes les plus récentes ne remontent pas jusqu’à la fin que cet espace garde scellée ; celles d’avant sont demandées. Rien n’est encore vérifié.',
    'The newest lines do not reach back to the end that this space keeps sealed; those before are being asked for. Nothing is verified yet.'],
  ledgerHeads: ['Têtes du registre entier gardées ici : %, la dernière à la ligne #.', 'Heads of the whole ledger kept here: %, the last one at line #.'],
  ledgerCut: ['Ce sont les plus récentes de % lignes.', 'These are the newest of % lines.'],
  asOf: ['État du', 'As of'],
  older: ['Lignes plus anciennes', 'Older lines'],
  result: ['Issue', 'Outcome'],
  times: ['Fois', 'Times'],
  note: ['Note', 'Note'],
  staff: ['personne n° %', 'person no. %'],
  machine: ['la machine', 'the machine'],
  disclosures: ['Ce qui fut remis à des tiers, ou demandé', 'What was given to third parties, or asked for'],
  supportTraces: ['Messages gardés par l’assistance', 'Messages that the support keeps'],
  until: ['Gardé jusqu’au', 'Kept until'],
  yourNotices: ['Avis et conditions', 'Notices and terms'],
  copiesAt: ['Les copies et leurs lieux', 'Copies and where they are'],
});

const word = (prefix, name) => has(`${prefix}${name}`) ? t(`${prefix}${name}`) : name;
const lineHeads = () => ['line', 'when', 'who', 'what', 'result', 'note'].map(t);
const lineCells = l => [String(l.line), time(l.time), l.uid === null ? t('machine') : t('staff').replace('%', l.uid), word('verb.', l.verb),
  word('outcome.', l.result) + (l.times > 1 ? ` (${t('times')} : ${l.times})` : ''), l.note ?? ''];

const PAGE = 50;

// The newest first, as many as fit a screen; the others at a click.
function lineTable(caption, items) {
  const left = items.toReversed().map(lineCells);
  const lines = table(caption, lineHeads(), left.splice(0, PAGE));
  const older = h('button', {
    type: 'button', class: 'plain older', hidden: !left.length, onclick: () => {
      lines.querySelector('tbody').append(...table(caption, [], left.splice(0, PAGE)).querySelectorAll('tbody tr'));
      older.hidden = !left.length;
    },
  }, t('older'));
  return items.length ? [lines, older] : [h('p', {}, t('none'))];
}

async function ledgerPart(ledger) {
  const { body: heads } = await call('GET', '/provider-ledger');
  const sound = ledger.consistent && heads.consistent;
  return h('section', { id: 'ledger' }, h('h2', {}, t('ledger')), h('p', { id: 'consistent', class: sound ? undefined : 'bad' }, t(sound ? 'ledgerGood' : heads.consistent && !ledger.verified ? 'ledgerUnsure' : 'ledgerBad')),
    h('p', {}, t('ledgerHeads').replace('%', heads.items.length).replace('#', heads.items.at(-1)?.count ?? 0), ' ', `${t('asOf')} ${time(ledger.as_of)}.`,
      ledger.complete ? '' : ` ${t('ledgerCut').replace('%', ledger.own)}`), ...lineTable(t('ledger'), ledger.items));
}

const entryPart = r => facts([[t('entryName'), r.name], [t('entryTitle'), r.title], [t('modules'), r.modules], [t('hosts'), r.hosts.join(', ')], [t('region'), r.region],
  [t('created'), time(r.created)], [t('contactFor'), r.contact], [t('quota'), r.quota_bytes ? size(r.quota_bytes) : ''], [t('transferredTo'), r.transferred_to],
  [t('contractEnd'), time(r.contract.end)]], { id: 'entry' });

const traces = items => items.length ? table(t('supportTraces'), ['when', 'state', 'until'].map(t), items.map(m => [time(m.at), t(`support.${m.state}`), time(m.until)])) : h('p', {}, t('none'));
const notices = items => items.length ? h('ul', { id: 'told' }, items.map(n => h('li', {}, `${n.title[current()]} – ${time(n.published)}`))) : h('p', {}, t('none'));

export async function open() {
  const { body: held } = await call('GET', '/provider/holdings');
  const ledger = await ledgerPart(held.ledger);
  show(h('h1', {}, t('provider')), h('p', {}, t('providerWhy')), h('p', {}, h('a', { href: '/api/v1/provider/holdings', download: 'holdings.json', id: 'holdings' }, t('takeAway'))),
    h('h2', {}, t('entry')), entryPart(held.registry), h('p', {}, t('elsewhere')), ledger,
    h('section', { id: 'disclosures' }, h('h2', {}, t('disclosures')), ...lineTable(t('disclosures'), held.ledger.items.filter(l => l.verb === 'disclosure'))),
    h('section', { id: 'traces' }, h('h2', {}, t('supportTraces')), traces(held.support), h('p', {}, h('a', { href: '#/support' }, t('support')))),
    h('h2', {}, t('yourNotices')), notices(held.notices), h('p', {}, h('a', { href: '#/notices' }, t('notices'))),
    h('h2', {}, t('copiesAt')), h('p', {}, h('a', { href: '#/regions' }, t('regions')), ' – ', h('a', { href: '#/plans' }, t('plans'))),
    h('h2', {}, t('counters')), h('p', {}, t('countersWhy')),
    h('details', { id: 'counters' }, h('summary', {}, t('counters')), table(t('counters'), [t('what'), t('value')], Object.entries(held.counters).map(([name, n]) => [name, String(n)]))));
}
