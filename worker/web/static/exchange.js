// Import and export: records of a kind come from a file, tried first if one likes, and go out as one.
import { call, Problem } from './api.js';
import { form, h, input, offHint, picker, say, show, table, tick } from './page.js';
import { learn, t } from './words.js';

learn({
  exportWhy: ['Toutes les fiches d’un genre en un fichier. Le JSON est complet ; la CSV se lit dans un tableur.', 'All records of a kind in one file. JSON is complete; CSV is read by a spreadsheet.'],
  takeOut: ['Exporter', 'Export'],
  withRestricted: ['Aussi les fiches limitées', 'Restricted records too'],
  bringIn: ['Importer', 'Import'],
  importWhy: ['Une fiche est prise entière ou refusée. Une CSV nomme ses colonnes comme les champs de l’API (name, address.city, emails…).', 'A record is taken whole or refused. A CSV file names its columns like the fields of the API (name, address.city, emails…).'],
  records: ['Fiches', 'Records'],
  format: ['Format', 'Format'],
  map: ['Colonnes d’une CSV (champ:Colonne, séparés par des virgules)', 'Columns of a CSV file (field:Column, separated by commas)'],
  'bad.map': ['champ:Colonne, séparés par des virgules, avec les noms de l’API et de votre fichier.', 'field:Column, separated by commas, with the names of the API and of your file.'],
  tryFirst: ['Essayer seulement : rien n’est gardé', 'Only try: nothing is kept'],
  tried: ['À l’essai, rien n’est gardé.', 'Tried, nothing is kept.'],
  imported: ['Créées : #1 ; modifiées : #2 ; passées : #3 ; refusées : #4.', 'Created: #1; changed: #2; passed over: #3; refused: #4.'],
  importErrors: ['Ce qui est refusé', 'What is refused'],
  importField: ['Champ', 'Field'],
  importProblem: ['Ce qui était attendu (en anglais)', 'What was expected'],
  'type.invalid-csv': ['Ce fichier ne se lit pas comme une CSV.', 'This file cannot be read as CSV.'],
  'type.invalid-column': ['Une colonne ne porte le nom d’aucun champ, ou n’est pas dans ce fichier.', 'A column has the name of no field, or is not in this file.'],
  'type.invalid-vcard': ['Ce fichier ne se lit pas comme des vCards.', 'This file cannot be read as vCards.'],
  'type.invalid-json': ['Ce fichier ne se lit pas comme du JSON.', 'This file cannot be read as JSON.'],
  'type.nothing-imported': ['Aucune fiche n’a pu être prise.', 'No record could be taken.'],
});

const kinds = ['companies', 'contacts'], formats = ['csv', 'vcard', 'json'];
const kindPicker = () => picker('records', kinds.map(k => [k, t(k)]));
const formatPicker = () => picker('format', formats.map(f => [f, { csv: 'CSV', vcard: 'vCard', json: 'JSON' }[f]]));

function exportPart() {
  const link = h('a', { id: 'export', download: '' }, t('takeOut'));
  const choose = () => {
    const data = new FormData(place);
    link.href = `/api/v1/export?kind=${data.get('records')}&format=${data.get('format')}${data.has('restricted') ? '&restricted=include' : ''}`;
  };
  const place = h('form', { id: 'export-form', onchange: choose }, kindPicker(), formatPicker(), tick('restricted', t('withRestricted')), link);
  choose();
  return place;
}

function outcome(result, tried) {
  const counts = ['created', 'updated', 'skipped', 'error_count'].reduce((text, name, i) => text.replace(`#${i + 1}`, result[name]), t('imported'));
  return [h('p', {}, tried ? `${t('tried')} ${counts}` : counts), result.errors.length ? table(t('importErrors'), ['line', 'importField', 'importProblem'].map(t),
    result.errors.map(e => [String(e.line), e.field ?? '', e.problem])) : ''];
}

async function send(data) {
  const tried = data.has('tried');
  const query = new URLSearchParams({ kind: data.get('records'), format: data.get('format'), ...(tried && { dry_run: true }), ...(data.get('map') && { map: data.get('map') }) });
  const answer = await fetch(`/api/v1/import?${query}`, { method: 'POST', credentials: 'same-origin', body: data.get('file') })
    .catch(() => { throw new Problem(0); });
  const result = answer.headers.get('Content-Type')?.includes('json') ? await answer.json() : null;
  const place = document.getElementById('imported');
  place.replaceChildren(...(result?.errors ? outcome(result, tried) : []));
  if (!answer.ok) throw new Problem(answer.status, result);
  place.focus();
}

export async function open() {
  show(h('h1', {}, t('exchange')),
    h('h2', {}, t('takeOut')), await offHint('export'), h('p', {}, t('exportWhy')), exportPart(),
    h('h2', {}, t('bringIn')), await offHint('import'), h('p', {}, t('importWhy')),
    form([kindPicker(), formatPicker(), h('label', {}, h('span', {}, t('file')), h('input', { type: 'file', name: 'file', id: 'file', required: true })), input('map'), tick('tried', t('tryFirst'), { checked: true })],
      t('bringIn'), async data => { await send(data); say(''); }),
    h('div', { id: 'imported', tabindex: -1, role: 'status' }));
}
