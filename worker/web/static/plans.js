// Backups and archives: a plan with its seven fields, what came of it, a snapshot at a click, and those there are.
import { call } from './api.js';
import { act, facts, form, h, input, offHint, picker, say, show, size, table, time } from './page.js';
import { learn, t } from './words.js';

learn({
  plansWhy: ['Un plan dit sept choses, ou n’est pas accepté. Il suit son cours même quand cet espace est fermé. Vos copies sont scellées : sans l’un de vos identifiants, personne ne les lit.',
    'A plan says seven things, or is not accepted. It goes on while this space is closed too. Your copies are sealed: nobody reads them without one of your logins.'],
  plansWhere: ['Où elles peuvent être se règle à la page', 'Where they may be is set at the page'],
  'plan.backup': ['Sauvegarde', 'Backup'],
  'plan.archive': ['Archivage à long terme', 'Long-term archive'],
  planNone: ['Il n’y a pas de plan.', 'There is no plan.'],
  noDestination: ['Votre hébergeur ne propose pas de destination.', 'Your host offers no destination.'],
  where: ['Où', 'Where'],
  excluded: ['région exclue', 'region excluded'],
  purpose: ['Pourquoi', 'Why'],
  duration_hours: ['Durée de conservation de chaque copie', 'How long each copy is kept'],
  frequency_minutes: ['Fréquence', 'How often'],
  unit: ['Unité', 'Unit'],
  minutes: ['minutes', 'minutes'],
  hours: ['heures', 'hours'],
  days: ['jours', 'days'],
  years: ['ans (365 jours)', 'years (365 days)'],
  protection: ['Protection', 'Protection'],
  sealed: ['Scellée sous la clé de cet espace ; la capsule des clés n’y est pas.', 'Sealed under the key of this space; the key capsule is not in it.'],
  mechanism: ['Moyen', 'By what'],
  'incremental-snapshot': ['Un instantané de tout ; seul ce qui a changé est transmis, et chacun se rétablit seul.', 'A snapshot of everything; only what has changed is sent, and each can be restored by itself.'],
  erasure: ['Effacement', 'Erasure'],
  'after-duration': ['À la fin de sa durée, et avec la fin du plan.', 'When its time is over, and with the plan’s end.'],
  'after-lock': ['Pas avant la fin de sa durée, par personne ; ensuite de lui-même.', 'Not before its time is over, by nobody; then by itself.'],
  planState: ['État du plan', 'State of the plan'],
  'plan.on': ['en cours', 'on'],
  'plan.paused': ['en pause : sa fonction est désactivée, ou sa région exclue', 'paused: its function is off, or its region excluded'],
  'plan.ending': ['terminé : ce qui reste est effacé', 'ended: what is left is erased'],
  region: ['Région', 'Region'],
  lastTaken: ['Dernière copie', 'Last copy'],
  lastResult: ['Dernier essai', 'Last attempt'],
  lastCheck: ['Dernière vérification, sans clé', 'Last check, without a key'],
  busy: ['en route…', 'under way…'],
  now: ['Copier maintenant', 'Take one now'],
  nowAsked: ['Demandé.', 'Asked for.'],
  planEnd: ['Terminer ce plan', 'End this plan'],
  'planEndSure.backup': ['Terminer ce plan ? Toutes ses copies seront effacées.', 'End this plan? All its copies are erased.'],
  'planEndSure.archive': ['Terminer ce plan ? Chaque archive reste verrouillée jusqu’à la fin de sa durée, puis est effacée.', 'End this plan? Each archive stays locked until its time is over, and is then erased.'],
  planEnded: ['Ce plan est terminé.', 'This plan has ended.'],
  snapshots: ['Copies', 'Copies'],
  number: ['N°', 'No.'],
  taken: ['Prise', 'Taken'],
  keepUntil: ['Gardée jusqu’au', 'Kept until'],
  bytes: ['Taille', 'Size'],
  arrived: ['Arrivée', 'Arrived'],
  'result.done': ['réussi', 'done'],
  'result.no-snapshot': ['l’instantané n’a pas pu être pris', 'the snapshot could not be taken'],
  'result.stalled': ['interrompu', 'broken off'],
  'result.spool-full': ['plus de place chez l’hébergeur avant l’envoi', 'no room at the host before sending'],
  'result.spool-failed': ['la préparation a échoué', 'the preparation failed'],
  'result.full': ['plus de place à destination', 'the destination is full'],
  'result.refused': ['refusé par la destination', 'refused by the destination'],
  'result.unreachable': ['destination injoignable', 'destination out of reach'],
  'result.lied': ['la destination n’a pas gardé ce qu’elle disait', 'the destination did not keep what it said'],
  'result.absent': ['rien à destination', 'nothing at the destination'],
  'result.missing': ['il manque une partie', 'a part is missing'],
  'result.damaged': ['abîmé', 'damaged'],
  'result.rolled-back': ['plus ancien que ce qui fut envoyé', 'older than what was sent'],
  'result.locked': ['verrouillé', 'locked'],
  'result.no-memory': ['mémoire épuisée', 'out of memory'],
  'result.unlocked': ['le stockage ne verrouille pas ce qu’il garde', 'the storage does not lock what it keeps'],
  'result.not-kept': ['le plan n’a pas encore pu être noté', 'the plan could not be written down yet'],
  'result.not-loaded': ['la copie n’a pas pu être lue', 'the copy could not be read'],
  'result.not-kept': ['le plan n’a pas encore pu être noté : le disque est plein ou en panne', 'the plan could not be written down yet: the disk is full or fails'],
  'result.region': ['région exclue', 'region excluded'],
  'result.no-courier': ['l’envoi n’est pas disponible', 'sending is not available'],
  'result.no-worker': ['cet espace n’a pas répondu', 'this space did not answer'],
  'bad.where': ['choisissez une destination.', 'choose a destination.'],
  'bad.purpose': ['à remplir, 512 octets au plus.', 'needed, at most 512 bytes.'],
  'bad.duration_hours': ['une heure au moins, cent ans au plus.', 'at least one hour, at most a hundred years.'],
  'bad.frequency_minutes': ['une minute au moins, un an au plus.', 'at least one minute, at most one year.'],
  'type.elsewhere': ['ce qui est gardé se trouve à une autre destination : terminez d’abord ce plan.', 'what is kept lies at another destination: end that plan first.'],
  'type.region-excluded': ['cette destination est dans une région que vous excluez.', 'this destination is in a region that you exclude.'],
  'type.no-plan': ['Il n’y a pas de plan.', 'There is no plan.'],
});

const kinds = {
  backup: { erasure: 'after-duration', now: '/backups', hours: 720, minutes: 1440 },
  archive: { erasure: 'after-lock', now: '/archives', hours: 87600, minutes: 43200 },
};
const hourUnits = [['1', 'hours'], ['24', 'days'], ['8760', 'years']];
const minuteUnits = [['1', 'minutes'], ['60', 'hours'], ['1440', 'days']];

// A number and its unit, the largest that fits.
function span(name, units, value) {
  const unit = units.findLast(([n]) => value % n === 0)[0];
  return h('label', {}, h('span', {}, t(name)), h('span', { class: 'span' },
    h('input', { name, type: 'number', min: 1, required: true, value: value / unit }),
    h('select', { name: `${name}.unit`, 'aria-label': `${t('unit')} – ${t(name)}` }, units.map(([n, word]) => h('option', { value: n, selected: n === unit }, t(word))))));
}
const spanned = (data, name) => Number(data.get(name)) * Number(data.get(`${name}.unit`));

const outcome = (when, word, busy) => [busy ? t('busy') : '', word ? t(`result.${word}`) : '', time(when)].filter(Boolean).join(' – ');

function standing(plan) {
  if (!plan) return h('p', {}, t('planNone'));
  const { last } = plan;
  return facts([[t('planState'), t(`plan.${plan.state}`)], [t('where'), [plan.where, plan.region].filter(Boolean).join(' – ')],
    [t('lastTaken'), last.number ? `${t('number')} ${last.number} – ${time(last.taken)}` : ''],
    [t('lastResult'), outcome(last.tried, last.result, last.busy)], [t('lastCheck'), outcome(last.checked, last.check)]]);
}

const snapshotTable = items => items.length ? table(t('snapshots'), ['kind', 'number', 'taken', 'keepUntil', 'bytes', 'arrived'].map(t),
  items.map(s => [t(`plan.${s.kind}`), String(s.number), time(s.taken), time(s.keep_until), size(s.bytes), t(s.sent ? 'yes' : 'no')])) : h('p', {}, t('none'));

// What is shown of the plans and may change by itself; whoever is typing is left alone. Gives whether something is under way.
async function look() {
  const { body: plans } = await call('GET', '/plans');
  const { body: { items } } = await call('GET', '/backups');
  for (const kind of Object.keys(kinds)) document.getElementById(`standing-${kind}`)?.replaceChildren(standing(plans[kind]));
  document.getElementById('snapshots')?.replaceChildren(snapshotTable(items));
  return Object.keys(kinds).some(kind => plans[kind]?.last.busy);
}

// Looks again after something was asked for, until it is done, but not for ever: who asks keeps the space open.
function follow() {
  const shown = document.getElementById('snapshots');
  if (!shown || shown.dataset.followed) return;
  shown.dataset.followed = true;
  const step = async times => {
    const busy = shown.isConnected && await look().catch(() => false);
    if (shown.isConnected && (busy || times < 4) && times < 200) setTimeout(step, 1500, times + 1);
  };
  step(0);
}

const done = (work, word) => act(work, t(word), open).then(follow);

function planForm(kind, plans) {
  const plan = plans[kind];
  const offered = plans.destinations.filter(d => d.archive === (kind === 'archive'));
  if (!offered.length) return h('p', {}, t('noDestination'));
  const fixed = { protection: 'sealed', mechanism: 'incremental-snapshot', erasure: kinds[kind].erasure };
  return form([
    picker('where', offered.map(d => [d.name, `${d.name} – ${d.region}${d.allowed ? '' : ` (${t('excluded')})`}`]), plan?.where),
    input('purpose', { value: plan?.purpose ?? '', required: true }),
    span('duration_hours', hourUnits, plan?.duration_hours || kinds[kind].hours),
    span('frequency_minutes', minuteUnits, plan?.frequency_minutes || kinds[kind].minutes),
    facts(Object.entries(fixed).map(([name, value]) => [t(name), t(value)])),
  ], t('save'), async data => {
    await call('PUT', `/plans/${kind}`, {
      where: data.get('where'), purpose: data.get('purpose'), duration_hours: spanned(data, 'duration_hours'), frequency_minutes: spanned(data, 'frequency_minutes'), ...fixed,
    });
    await open();
    say(t('saved'));
    follow();
  }, ...(plan && plan.state !== 'ending' ? [
    h('button', { type: 'button', class: 'plain', id: `now-${kind}`, 'aria-label': `${t('now')} – ${t(`plan.${kind}`)}`, onclick: () => done(() => call('POST', kinds[kind].now), 'nowAsked') }, t('now')),
    h('button', {
      type: 'button', class: 'danger', id: `end-${kind}`, 'aria-label': `${t('planEnd')} – ${t(`plan.${kind}`)}`,
      onclick: () => window.confirm(t(`planEndSure.${kind}`)) && done(() => call('DELETE', `/plans/${kind}`), 'planEnded'),
    }, t('planEnd')),
  ] : []));
}

export async function open() {
  const { body: plans } = await call('GET', '/plans');
  const parts = await Promise.all(Object.keys(kinds).map(async kind => h('section', { class: 'function', id: `plan-${kind}` },
    h('h2', {}, t(`plan.${kind}`)), await offHint(kind), h('div', { id: `standing-${kind}` }), planForm(kind, plans))));
  show(h('h1', {}, t('plans')), h('p', {}, t('plansWhy'), ' ', t('plansWhere'), ' ', h('a', { href: '#/regions' }, t('regions')), '.'),
    ...parts, h('h2', {}, t('snapshots')), h('div', { id: 'snapshots' }));
  if (await look()) follow();
}
