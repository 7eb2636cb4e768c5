// Retention rules: what is deleted, anonymised or put away by itself once its term is over.
import { call } from './api.js';
import { act, button, explain, form, h, input, offHint, picker, say, show, table, time } from './page.js';
import { learn, t } from './words.js';

learn({
  rulesWhy: ['Ce qu’une règle vise est supprimé, anonymisé ou rangé de lui-même quand son temps est écoulé. Une règle nouvelle ne fait rien avant d’être activée ; essayez-la d’abord à blanc.',
    'What a rule is about is deleted, anonymised or put away by itself once its term is over. A new rule does nothing before it is switched on; try it dry first.'],
  ruleName: ['Nom de la règle', 'Name of the rule'],
  ruleKind: ['Fiches', 'Records'],
  action: ['Acte', 'Act'],
  after_days: ['Après (jours)', 'After (days)'],
  date: ['À compter de', 'Counted from'],
  'date.modified': ['la dernière modification', 'the last change'],
  'date.created': ['la création', 'the creation'],
  'date.custom': ['un champ à vous qui commence par une date', 'a field of yours that begins with a date'],
  customField: ['Nom de ce champ', 'Name of that field'],
  tag: ['Seulement avec cette étiquette', 'Only with this tag'],
  'action.delete': ['supprimer', 'delete'],
  'action.anonymise': ['anonymiser', 'anonymise'],
  'action.archive': ['ranger', 'put away'],
  ruleState: ['État', 'State'],
  ruleRan: ['Dernier passage entier', 'Last whole run'],
  ruleDone: ['Fiches touchées', 'Records touched'],
  daysFrom: ['jours après', 'days after'],
  ruleNew: ['Nouvelle règle', 'New rule'],
  ruleMake: ['Créer, désactivée', 'Make it, switched off'],
  dryRun: ['Essayer à blanc', 'Dry run'],
  run: ['Passer maintenant', 'Run now'],
  ruleOn: ['Activer', 'Switch on'],
  ruleOff: ['Désactiver', 'Switch off'],
  ruleOnSure: ['« % » agira d’elle-même, sans autre question. L’activer ?', '“%” will act by itself, without another question. Switch it on?'],
  runBegun: ['Le passage commence.', 'The run begins.'],
  dryResult: ['« % » toucherait maintenant #1 fiche(s) sur #2.', '“%” would now touch #1 of #2 records.'],
  firstOnes: ['Les premières', 'The first ones'],
  'held.behind': ['Aucune règle ne passe : l’horloge de la machine a été reculée.', 'No rule runs: the machine’s clock was set back.'],
  'held.ahead': ['Aucune règle ne passe : l’horloge de la machine a été avancée plus qu’il n’a pu s’écouler.', 'No rule runs: the machine’s clock was set forward further than time can have gone by.'],
  today: ['Nous sommes le (AAAA-MM-JJ)', 'Today is (YYYY-MM-DD)'],
  goOn: ['Reprendre', 'Go on'],
  'bad.after_days': ['de 1 à 36525 jours.', 'from 1 to 36525 days.'],
  'bad.action': ['un document ne peut être que supprimé.', 'a document can only be deleted.'],
  'bad.date': ['ce jour ne convient pas, ou le nom du champ manque.', 'this day does not fit, or the field’s name is missing.'],
  'bad.tag': ['256 octets au plus.', 'at most 256 bytes.'],
  'type.rule-off': ['Cette règle est désactivée : activez-la d’abord.', 'This rule is off: switch it on first.'],
  'type.clock-held': ['L’horloge n’est pas sûre : dites quel jour nous sommes, ou attendez.', 'The clock is not to be trusted: say what day it is, or wait.'],
});

const kinds = ['contacts', 'companies', 'documents'], actions = ['delete', 'anonymise', 'archive'];
const words = (prefix, list) => list.map(v => [v, t(`${prefix}${v}`)]);

async function dryRun(rule) {
  try {
    const { body } = await call('POST', `/rules/${rule.id}/run?dry_run=true`);
    const result = document.getElementById('dry-run');
    result.replaceChildren(h('p', {}, t('dryResult').replace('%', rule.name).replace('#1', body.matching).replace('#2', body.seen)),
      body.first.length ? h('p', {}, t('firstOnes'), ' : ', body.first.flatMap((id, i) => [i ? ', ' : '', h('a', { href: `#/${rule.kind}/${id}` }, id)])) : '');
    result.focus();
  } catch (problem) { explain(problem); }
}

function row(rule) {
  const since = rule.date.startsWith('custom.') ? rule.date.slice(7) : t(`date.${rule.date}`);
  const flip = () => (rule.enabled || window.confirm(t('ruleOnSure').replace('%', rule.name)))
    && act(() => call('PATCH', `/rules/${rule.id}`, { enabled: !rule.enabled }), t('saved'), open);
  return [rule.name, `${t(rule.kind)}${rule.tag ? ` (${rule.tag})` : ''} : ${t(`action.${rule.action}`)}, ${rule.after_days} ${t('daysFrom')} ${since}`,
    t(rule.enabled ? 'isOn' : 'isOff'), time(rule.ran) || t('never'), String(rule.done), h('div', { class: 'actions' },
      button(t('dryRun'), rule.name, () => dryRun(rule)), button(t(rule.enabled ? 'ruleOff' : 'ruleOn'), rule.name, flip),
      rule.enabled ? button(t('run'), rule.name, () => act(() => call('POST', `/rules/${rule.id}/run`), t('runBegun'), open)) : null,
      button(t('remove'), rule.name, () => window.confirm(t('removeSure')) && act(() => call('DELETE', `/rules/${rule.id}`), t('removed'), open), true))];
}

const clockPart = clock => h('section', { id: 'clock' }, h('p', {}, t(`held.${clock.held}`)),
  form([input('date', { label: t('today'), required: true, placeholder: 'AAAA-MM-JJ' })], t('goOn'), async data => {
    await call('POST', '/rules/clock', { date: data.get('date') });
    await open();
    say(t('saved'));
  }));

function ruleForm() {
  const custom = input('custom', { label: t('customField') }); // wanted with a date of that kind only
  custom.hidden = true;
  return form([
    input('name', { label: t('ruleName'), required: true }), h('label', {}, h('span', {}, t('ruleKind')), h('select', { name: 'kind' }, kinds.map(k => h('option', { value: k }, t(k))))),
    picker('action', words('action.', actions)), input('after_days', { type: 'number', min: 1, required: true }),
    picker('date', words('date.', ['modified', 'created', 'custom']), 'modified', { onchange: event => { custom.hidden = event.target.value !== 'custom'; } }), custom, input('tag'),
  ], t('ruleMake'), async data => {
    const { custom: field, date, after_days: days, ...rest } = Object.fromEntries(data);
    await call('POST', '/rules', { ...rest, after_days: Number(days), date: date === 'custom' ? `custom.${field}` : date });
    await open();
    say(t('saved'));
  });
}

export async function open() {
  const { body: { items, clock } } = await call('GET', '/rules');
  show(h('h1', {}, t('rules')), h('p', {}, t('rulesWhy')), await offHint('retention'), clock.held ? clockPart(clock) : null,
    items.length ? table(t('rules'), ['ruleName', 'ruleKind', 'ruleState', 'ruleRan', 'ruleDone', 'acts'].map(t), items.map(row)) : h('p', {}, t('none')),
    h('div', { id: 'dry-run', tabindex: -1, role: 'status' }), h('h2', {}, t('ruleNew')), ruleForm());
}
