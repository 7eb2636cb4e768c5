// Where this space's data and their copies are, and the bound that its administrator sets to that.
import { call } from './api.js';
import { facts, form, h, say, show, table, tick, time } from './page.js';
import { learn, t } from './words.js';

learn({
  regionsWhy: ['Où se trouvent vos données et leurs copies, et dans quelles régions des copies peuvent être.', 'Where your data and their copies are, and in which regions copies may be.'],
  node: ['Les données', 'The data'],
  'place.backup': ['Les sauvegardes', 'Backups'],
  'place.archive': ['Les archives', 'Archives'],
  capsuleCopies: ['Copies de la capsule des clés', 'Copies of the key capsule'],
  notAllowed: ['hors des régions autorisées', 'outside of the regions that are allowed'],
  capsuleNone: ['Elle n’est qu’avec les données.', 'It is with the data only.'],
  place: ['Lieu', 'Place'],
  written: ['Écrite', 'Written'],
  currentCopy: ['À jour', 'Up to date'],
  bound: ['Où des copies peuvent être', 'Where copies may be'],
  anywhere: ['Partout où l’hébergeur propose une destination, aussi plus tard', 'Wherever the host offers a destination, later too'],
  onlyThese: ['Seulement dans ces régions :', 'In these regions only:'],
  allowed: ['Régions', 'Regions'],
  node_stays: ['Je sais que les données restent dans la région % : elles ne déménagent pas d’elles-mêmes.', 'I know that the data stay in the region %: they do not move by themselves.'],
  'bad.allowed': ['choisissez au moins une région.', 'choose at least one region.'],
  'bad.node_stays': ['cochez cette case, ou autorisez la région des données ; pour les déplacer, demandez-le à votre hébergeur.', 'tick this box, or allow the region of the data; to have them moved, ask your host.'],
});

const kinds = ['backup', 'archive'];

function placesPart(places) {
  const { node, plans, capsule_copies: capsules } = places;
  const planned = kinds.filter(kind => plans[kind]).map(kind => [t(`place.${kind}`), `${plans[kind].where} – ${plans[kind].region ?? '?'}`]);
  return [facts([[t('node'), node.allowed ? node.region : `${node.region} – ${t('notAllowed')}`], ...planned], { id: 'places' }), h('h2', {}, t('capsuleCopies')),
    capsules.length ? table(t('capsuleCopies'), ['place', 'written', 'currentCopy'].map(t), capsules.map(c => [[c.place, c.region ?? '?', c.allowed ? '' : t('notAllowed')].filter(Boolean).join(' – '), time(c.written), t(c.current ? 'yes' : 'no')]))
      : h('p', {}, t('capsuleNone'))];
}

const choice = (value, chosen, word) => h('label', { class: 'tick' }, h('input', { type: 'radio', name: 'bounded', value, checked: chosen }), ' ', t(word));

export async function open() {
  const { body: regions } = await call('GET', '/provider/regions');
  const { body: places } = await call('GET', '/provider/places');
  const boxes = regions.regions.map(r => tick('allowed', [r.region, [...r.destinations, ...r.capsule_places].join(', ')].filter(Boolean).join(' – '), { value: r.region, checked: r.allowed }));
  show(h('h1', {}, t('regions')), h('p', {}, t('regionsWhy')), ...placesPart(places),
    form([h('fieldset', {}, h('legend', {}, h('h2', {}, t('bound'))), choice('', !regions.bounded, 'anywhere'), choice('yes', regions.bounded, 'onlyThese'), boxes),
      tick('node_stays', t('node_stays').replace('%', regions.node.region), { checked: !regions.node.allowed })], t('save'), async data => {
      const bounded = data.get('bounded') === 'yes';
      await call('PUT', '/provider/regions', { allowed: bounded ? data.getAll('allowed') : null, ...(bounded && { node_stays: data.has('node_stays') }) });
      await open();
      say(t('saved'));
    }));
}
