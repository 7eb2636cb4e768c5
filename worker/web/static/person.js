// The rights of the person that a contact is about: a copy of everything, restriction, erasure.
import { call } from './api.js';
import { explain, form, h, picker, say, tick } from './page.js';
import { learn, t } from './words.js';

learn({
  personRights: ['Droits de cette personne', 'This person’s rights'],
  personPackage: ['Tout ce qui la concerne, à lui remettre', 'All about this person, to hand over'],
  personPackageWhy: ['Une archive tar : person.html se lit dans tout navigateur, person.json par une machine ; ses documents sont avec eux. La remise est inscrite au journal.',
    'A tar archive: person.html is read in any browser, person.json by a machine; the documents are with them. The handing over is written into the journal.'],
  rectify: ['Rectifier : corrigez la fiche ci-dessus et enregistrez.', 'To rectify: correct the record above and save it.'],
  rectifyNot: ['Rectifier : levez d’abord la limitation.', 'To rectify: lift the restriction first.'],
  restrict: ['Limiter le traitement', 'Restrict processing'],
  restrictWhy: ['Une fiche limitée se lit encore par qui a son adresse ; elle n’est ni modifiée, ni listée, ni exportée.', 'A restricted record can still be read by who has its address; it is neither changed nor listed nor exported.'],
  restricted: ['Le traitement de cette fiche est limité.', 'Processing of this record is restricted.'],
  lift: ['Lever la limitation', 'Lift the restriction'],
  lifted: ['La limitation est levée.', 'The restriction is lifted.'],
  erase: ['Effacer ou anonymiser', 'Erase or anonymise'],
  mode: ['Comment', 'How'],
  'mode.erase': ['effacer : rien ne reste', 'erase: nothing stays'],
  'mode.anonymise': ['anonymiser : une fiche reste, sans rien de la personne', 'anonymise: a record stays, without anything of the person'],
  rotateAfter: ['Changer ensuite de clé, pour que le fichier n’en garde pas trace', 'Then change the key, so that the file keeps no trace of it'],
  preview: ['Voir ce qui serait touché', 'See what would be touched'],
  touched: ['Cette fiche, et % document(s) :', 'This record, and % document(s):'],
  'document.erase': ['effacé avec toutes ses versions', 'erased with all versions'],
  'document.unlink': ['gardé, sans le lien', 'kept, without the link'],
  eraseNow: ['Le faire pour de bon', 'Do it for good'],
  eraseSure: ['Cela ne peut pas être défait. Continuer ?', 'This cannot be undone. Go on?'],
  erased: ['C’est effacé.', 'It is erased.'],
  anonymised: ['C’est anonymisé.', 'It is anonymised.'],
  'type.too-many-documents': ['Plus de 1000 documents y sont liés : retirez-en d’abord.', 'More than 1000 documents link to it: remove some first.'],
});

// Nothing is erased that was not shown before.
function erasurePart(path, done) {
  const result = h('div', { id: 'erasure', tabindex: -1 });
  const ask = (data, dry) => call('POST', `${path}/erasure`, { mode: data.get('mode'), dry_run: dry, rotate: data.has('rotate') });
  const erase = data => window.confirm(t('eraseSure')) && ask(data, false).then(() => done(data.get('mode'))).catch(explain);
  return [h('h3', {}, t('erase')),
    form([picker('mode', ['erase', 'anonymise'].map(m => [m, t(`mode.${m}`)]), 'erase', { onchange: () => result.replaceChildren() }),
      tick('rotate', t('rotateAfter'), { onchange: () => result.replaceChildren() })], t('preview'), async data => {
      const { body } = await ask(data, true);
      result.replaceChildren(h('p', {}, t('touched').replace('%', body.documents.length)),
        h('ul', {}, body.documents.map(d => h('li', {}, `${d.name} – ${t(`document.${d.action}`)}`))),
        h('button', { type: 'button', class: 'danger', id: 'erase', onclick: () => erase(data) }, t('eraseNow')));
      result.focus();
    }), result];
}

// Under the contact's own form. `changed` shows the page anew, `gone` leaves it.
export function personPart(contact, changed, gone) {
  const path = `/contacts/${contact.id}`;
  const set = restricted => call('PUT', `${path}/restriction`, { restricted }).then(changed).then(() => say(t(restricted ? 'restricted' : 'lifted'))).catch(explain);
  const erased = mode => mode === 'erase' ? gone(t('erased')) : changed().then(() => say(t('anonymised')));
  return h('section', { id: 'person' }, h('h2', {}, t('personRights')),
    h('p', {}, h('a', { href: `/api/v1${path}/package`, download: '', id: 'package' }, t('personPackage'))), h('p', {}, t('personPackageWhy')),
    h('p', {}, t(contact.restricted ? 'rectifyNot' : 'rectify')),
    h('h3', {}, t('restrict')), h('p', {}, t(contact.restricted ? 'restricted' : 'restrictWhy')),
    h('button', { type: 'button', class: 'plain', id: 'restrict', onclick: () => set(!contact.restricted) }, t(contact.restricted ? 'lift' : 'restrict')),
    erasurePart(path, erased));
}
