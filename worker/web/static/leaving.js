// The end of the contract: all that was entrusted is fetched and confirmed, then destroyed; and what a certificate of that must say.
import { call } from './api.js';
import { explain, facts, form, h, input, say, show, time } from './page.js';
import { learn, t } from './words.js';

learn({
  'leaving.none': ['Le contrat court. À sa fin, annoncée par votre hébergeur, cet espace se lit encore et ne s’écrit plus ; vous emportez tout, le confirmez, et tout est détruit ici.',
    'The contract goes on. At its end, which your host announces, this space is still read and no longer written; you fetch everything, confirm it, and everything here is destroyed.'],
  'leaving.ending': ['Le contrat a pris fin : cet espace se lit, et ne s’écrit plus.', 'The contract has ended: this space is read, and no longer written.'],
  'leaving.returned': ['Vous avez confirmé que tout vous a été rendu.', 'You have confirmed that everything was handed back.'],
  leavingSince: ['Fin annoncée le', 'End announced on'],
  leavingTerm: ['Rien n’est détruit sans vous avant le', 'Nothing is destroyed without you before'],
  leavingReturned: ['Confirmé le', 'Confirmed on'],
  fetchAll: ['1. Emporter tout', '1. Fetch everything'],
  fetchWhy: ['Un seul fichier tar : toutes les fiches, tous les documents dans toutes leurs versions, le journal.', 'One tar file: all records, all documents in all versions, the journal.'],
  fetchNow: ['Télécharger la restitution', 'Download the restitution'],
  fetchedLast: ['Sortie entière pour la dernière fois le %', 'Last went out whole on %'],
  fetchedNever: ['Elle n’est pas encore sortie entière.', 'It has not gone out whole yet.'],
  confirmAll: ['2. Confirmer', '2. Confirm'],
  confirmWhy: ['La somme SHA-256 de votre fichier prouve qu’il est entier. Choisissez-le : elle se calcule ici, sans qu’il soit envoyé ; ou collez celle de « sha256sum » ou « certutil -hashfile ».',
    'The SHA-256 sum of your file proves that it is whole. Choose it: the sum is made here, and the file is not sent; or paste what “sha256sum” or “certutil -hashfile” says.'],
  restitutionFile: ['Le fichier emporté', 'The file you fetched'],
  sumTooLarge: ['Ce fichier est trop grand pour ce navigateur : collez sa somme.', 'This file is too large for this browser: paste its sum.'],
  sha256: ['SHA-256', 'SHA-256'],
  confirmReturn: ['Tout y est', 'Everything is there'],
  destroy: ['3. Détruire', '3. Destroy'],
  destroyWhy: ['Avec la même somme. Rien ne se rouvre ensuite, par personne.', 'By the same sum. Nothing can be opened afterwards, by anybody.'],
  destroyNow: ['Tout y est : détruire ici', 'Everything is there: destroy it here'],
  destroySure: ['La capsule des clés, les fichiers, les sauvegardes et les comptes seront détruits, sans retour. Avez-vous mis le fichier en lieu sûr ?',
    'The key capsule, the files, the backups and the accounts are destroyed, for good. Have you put the file in a safe place?'],
  destroyed: ['Détruit', 'Destroyed'],
  destroyedWhy: ['La destruction est en cours chez votre hébergeur, les clés d’abord ; cet espace ne répond plus. Imprimez cette page.', 'Your host’s machine is destroying it, the keys first; this space answers no more. Print this page.'],
  unreadable: ['Devient illisible', 'Becomes unreadable'],
  remains: ['Reste, scellé et sans clé', 'Stays, sealed and without a key'],
  capsuleHere: ['la capsule des clés et les fichiers de cet espace, région %', 'the key capsule and the files of this space, region %'],
  capsuleThere: ['la copie de la capsule à %', 'the copy of the capsule at %'],
  backupsThere: ['les sauvegardes à %, effacées ensuite', 'the backups at %, then erased'],
  archivesThere: ['l’archive n° # à %, jusqu’au', 'archive no. # at %, until'],
  supportThere: ['un message à l’assistance, lisible par elle seule, jusqu’au', 'a message to the support, readable by it alone, until'],
  nothing: ['rien', 'nothing'],
  notKnown: ['Cloison ne peut pas connaître : une image de disque ou une capsule prise hors de lui, ce que vous avez emporté, un code de secours autonome.',
    'What Cloison cannot know: a disk image or a capsule taken past it, what you fetched yourself, a self-sufficient recovery kit.'],
  certificate: ['Certificat', 'Certificate'],
  certificateWhy: ['Demandez à votre hébergeur le certificat de destruction (un fichier .json, sa signature .sig et sa clé publique) ; il doit dire ce qui est écrit ici. Il se vérifie sans lui, à quiconque :',
    'Ask your host for the certificate of destruction (a .json file, its signature .sig and its public key); it must say what is written here. Anybody verifies it without the host:'],
  certificateFile: ['Le certificat (.json), pour le lire ici', 'The certificate (.json), to read it here'],
  certificateNone: ['Ce fichier n’est pas un certificat de destruction.', 'This file is no certificate of destruction.'],
  certificateSays: ['Le certificat dit', 'The certificate says'],
  destroyedOn: ['Détruit le', 'Destroyed on'],
  unknownToHost: ['Inconnu de l’hébergeur', 'Not known to the host'],
  confirmed: ['C’est confirmé.', 'It is confirmed.'],
  'bad.sha256': ['64 chiffres hexadécimaux.', '64 hexadecimal digits.'],
  'type.not-fetched': ['ce n’est pas la somme de la dernière restitution sortie entière : téléchargez-la encore.', 'this is not the sum of the last restitution that went out whole: download it again.'],
  'type.contract-goes-on': ['Le contrat court.', 'The contract goes on.'],
});

const verifying = ['openssl pkeyutl -verify -pubin -inkey provider.pub -rawin -in certificate.json -sigfile certificate.json.sig',
  'openssl dgst -sha256 -verify provider.pub -signature certificate.json.sig certificate.json'];

// What there is before it is destroyed, so that the certificate can be held against it.
async function inventory() {
  const { body: { node, plans, capsule_copies: capsules } } = await call('GET', '/provider/places');
  const { body: { items } } = await call('GET', '/backups');
  const { body: { items: messages } } = await call('GET', '/support');
  const later = day => day && new Date(day) > new Date();
  return {
    gone: [t('capsuleHere').replace('%', node.region), ...capsules.map(c => t('capsuleThere').replace('%', c.place)), ...(plans.backup ? [t('backupsThere').replace('%', plans.backup.where)] : [])],
    remains: [...items.filter(s => s.kind === 'archive' && later(s.keep_until)).map(s => `${t('archivesThere').replace('#', s.number).replace('%', plans.archive?.where ?? '?')} ${time(s.keep_until)}`),
      ...messages.filter(m => later(m.until)).map(m => `${t('supportThere')} ${time(m.until)}`)],
  };
}

const list = words => h('ul', {}, (words.length ? words : [t('nothing')]).map(word => h('li', {}, word)));
const inventoryPart = ({ gone, remains }) => [h('h3', {}, t('unreadable')), list(gone), h('h3', {}, t('remains')), list(remains), h('p', {}, t('notKnown'))];

// What the host's certificate says, beside what it must say; whether it is the host's own word OpenSSL tells.
async function readCertificate(event) {
  const said = document.getElementById('certificate');
  try {
    const c = JSON.parse(await event.target.files[0].text());
    const words = part => list(part.map(one => one.what ? `${one.what} – ${time(one.when)}` : one));
    said.replaceChildren(h('h3', {}, t('certificateSays')), facts([[t('who'), `${c.tenant.name} – ${c.tenant.title}`], [t('destroyedOn'), time(c.contract.gone)]]),
      h('h4', {}, t('unreadable')), words(c.destroyed), h('h4', {}, t('remains')), words(c.remains), h('h4', {}, t('unknownToHost')), words(c.not_known));
  } catch {
    said.replaceChildren(t('certificateNone'));
  }
}

function destroyedPage(what, sum) {
  show(h('h1', {}, t('destroyed')), h('p', {}, t('destroyedWhy')), facts([[t('when'), time(new Date())], [t('sha256'), sum]], { id: 'destroyed' }), ...inventoryPart(what),
    h('h2', {}, t('certificate')), h('p', {}, t('certificateWhy')), h('pre', { class: 'letter' }, verifying.join('\n')),
    h('label', {}, h('span', {}, t('certificateFile')), h('input', { type: 'file', id: 'certificate-file', onchange: readCertificate })), h('div', { id: 'certificate', role: 'status' }));
}

// The sum of the chosen file goes into the field beside it.
async function sum(event) {
  const [file] = event.target.files;
  if (!file) return;
  try {
    const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', await file.arrayBuffer()));
    document.querySelector('[name=sha256]').value = [...hash].map(byte => byte.toString(16).padStart(2, '0')).join('');
  } catch { say(t('sumTooLarge'), true); }
}

// The provider's machine notes it first, which takes a moment.
async function returned(times = 0) {
  const { body } = await call('GET', '/leaving');
  if (body.state === 'returned' || times === 20) return;
  await new Promise(done => setTimeout(done, 250));
  await returned(times + 1);
}

const typed = data => data.get('sha256').trim().toLowerCase();
const confirm = (sha256, destroy) => call('POST', '/leaving', { sha256, destroy });

const confirmPart = () => [h('h2', {}, t('confirmAll')), h('p', {}, t('confirmWhy')),
  form([h('label', {}, h('span', {}, t('restitutionFile')), h('input', { type: 'file', id: 'restitution-file', onchange: sum })),
    input('sha256', { required: true, autocomplete: 'off', spellcheck: 'false' })], t('confirmReturn'), async data => {
    await confirm(typed(data), false);
    await returned();
    await open();
    say(t('confirmed'));
  })];

// By the same sum, which is still in its field or is made or typed again.
function destroyPart(what) {
  const destroy = async () => {
    const sha256 = typed(new FormData(document.querySelector('main form')));
    if (!window.confirm(t('destroySure'))) return;
    try {
      await confirm(sha256, true);
      destroyedPage(what, sha256);
    } catch (problem) { explain(problem); }
  };
  return [h('h2', {}, t('destroy')), h('p', {}, t('destroyWhy')), ...inventoryPart(what),
    h('div', { class: 'actions' }, h('button', { type: 'button', class: 'danger', id: 'destroy', onclick: destroy }, t('destroyNow')))];
}

const fetchPart = fetched => [h('h2', {}, t('fetchAll')), h('p', {}, t('fetchWhy')),
  h('p', {}, h('a', { href: '/api/v1/restitution', download: '', id: 'restitution' }, t('fetchNow'))),
  h('p', { id: 'fetched' }, fetched ? t('fetchedLast').replace('%', time(fetched.when)) : t('fetchedNever'))];

export async function open() {
  const { body: { state, since, term, returned, fetched } } = await call('GET', '/leaving');
  const ended = state !== 'none';
  const what = ended && await inventory();
  show(h('h1', {}, t('leaving')), h('p', { id: 'leaving' }, t(`leaving.${state}`)),
    ...(ended ? [facts([[t('leavingSince'), time(since)], [t('leavingTerm'), time(term)], [t('leavingReturned'), time(returned)]]), ...fetchPart(fetched), ...confirmPart(), ...destroyPart(what)] : []));
}
