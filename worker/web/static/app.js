// One page: log-in or first opening, companies and contacts by letter, one record. The place is in the fragment, which no server sees.
import { accountPages } from './account.js';
import { call, Problem } from './api.js';
import { contentOf, uploadForm } from './documents.js';
import { noticesPage } from './notices.js';
import { explain, form, h, input, lists, menu, say, show } from './page.js';
import { startUsage, usage } from './usage.js';
import { current, switchLanguage, t } from './words.js';

const kinds = {
  companies: {
    page: 'company',
    fields: ['name', 'siren', 'vat', 'sector', 'address.street', 'address.postcode', 'address.city', 'address.country', 'phone', 'email', 'website', 'tags'],
    required: ['name'], title: r => r.name, aside: r => r.city || r.sector || '',
  },
  contacts: {
    page: 'contact',
    fields: ['given_name', 'family_name', 'company', 'title', 'emails', 'phones', 'address.street', 'address.postcode', 'address.city', 'address.country', 'birthday', 'notes', 'tags'],
    required: [], title: r => [r.family_name, r.given_name].filter(Boolean).join(' '), aside: r => [r.restricted && t('isRestricted'), r.company].filter(Boolean).join(' – '),
  },
  documents: { page: 'document', fields: ['name', 'folder', 'tags', 'links'], required: ['name'], title: r => r.name, aside: r => r.folder || '' },
};
const letters = [...'ABCDEFGHIJKLMNOPQRSTUVWXYZ', '#'];
const lastList = {}; // the list each kind was left at
let rights = []; // of who is logged in
let pending = ''; // what the next page has to say
let ended = false; // the contract: nothing is written any more
let began = 0; // when this page was asked for; the first one with the document

// Log-in and first opening

function loginPage() {
  show(
    h('h1', {}, t('login')),
    form([
      input('login', { label: t('user'), required: true, 'data-first': true, autocomplete: 'username', autocapitalize: 'none' }),
      input('password', { type: 'password', required: true, autocomplete: 'current-password' }),
    ], t('enter'), async data => {
      await call('POST', '/session', Object.fromEntries(data));
      await start();
    }, h('button', { type: 'button', class: 'plain', id: 'enrol', onclick: enrolPage }, t('enrol')),
    h('button', { type: 'button', class: 'plain', id: 'recover', onclick: recoveryPage }, t('recover'))));
}

const back = () => h('button', { type: 'button', class: 'plain', onclick: () => { say(''); loginPage(); } }, t('cancel'));

function enrolPage() {
  say('');
  show(
    h('h1', {}, t('enrol')), h('p', {}, t('enrolWhy')),
    form([
      input('code', { required: true, 'data-first': true, autocomplete: 'off', autocapitalize: 'characters' }),
      input('login', { label: t('user'), required: true, autocomplete: 'username', autocapitalize: 'none' }),
      input('password', { label: t('passwordRule'), type: 'password', required: true, minlength: 12, autocomplete: 'new-password' }),
    ], t('open'), async data => {
      const { code, login, password } = Object.fromEntries(data);
      const { body } = await call('POST', '/enrol', { code, login, password });
      kitPage(body.recovery_kit, { login, password });
    }, back()));
}

// Shown once: nothing else is on the page that could take it away, and the log-in comes after it.
function kitPage(kit, credentials) {
  document.getElementById('tools').replaceChildren();
  show(h('h1', {}, t('kit')), h('p', {}, t('kitWhy')), h('p', { class: 'kit', id: 'kit' }, kit),
    h('button', { type: 'button', id: 'kit-done', onclick: async () => {
      await call('POST', '/session', credentials).catch(explain);
      await start();
    } }, t('kitDone')));
}

function recoveryPage() {
  say('');
  show(
    h('h1', {}, t('recover')), h('p', {}, t('recoverWhy')),
    form([
      input('recovery_kit', { label: t('kit'), required: true, 'data-first': true, autocomplete: 'off', autocapitalize: 'characters' }),
      input('password', { label: t('passwordNew'), type: 'password', required: true, minlength: 12, autocomplete: 'new-password' }),
    ], t('enter'), async data => {
      const { recovery_kit, password } = Object.fromEntries(data);
      let body;
      try {
        ({ body } = await call('POST', '/session', { recovery_kit }));
      } catch (problem) {
        if (problem.type !== 'restoring') throw problem;
        restoringPage({ recovery_kit, password });
        return;
      }
      await call('PUT', '/password', { password }); // ends every session, this one too
      await call('POST', '/session', { login: body.user.login, password });
      await start();
    }, back()));
}

// The key capsule is lost: the kit's owner begins anew.
function restoringPage(typed) {
  show(
    h('h1', {}, t('restoring')), h('p', {}, t('restoringWhy')),
    form([
      input('login', { label: t('user'), required: true, 'data-first': true, autocomplete: 'username', autocapitalize: 'none' }),
    ], t('open'), async data => {
      await call('POST', '/recovery', { ...typed, login: data.get('login') });
      await start();
    }, back()));
}

// Lists

// `filter`: a letter, or of documents folder=…, tag=…, link=… as a query.
async function listPage(kind, filter) {
  const letter = filter?.includes('=') ? '' : filter;
  const query = letter === filter ? {} : Object.fromEntries(new URLSearchParams(filter));
  const list = h('ul', { class: 'list' });
  const more = h('button', { type: 'button', class: 'plain', id: 'more', hidden: true, onclick: () => page(more.dataset.next).catch(explain) }, t('more'));
  const page = async cursor => {
    const { body } = await call('GET', `/${kind}?${new URLSearchParams({ limit: 50, ...query, ...(letter && { letter }), ...(cursor && { cursor }) })}`);
    list.append(...body.items.map(r => h('li', {}, h('a', { href: `#/${kind}/${r.id}` }, kinds[kind].title(r), h('small', {}, kinds[kind].aside(r))))));
    more.hidden = !body.next;
    more.dataset.next = body.next || '';
    if (!list.children.length && !body.next) list.replaceWith(h('p', {}, t('none')));
  };
  const link = (label, to, here) => h('li', {}, h('a', { href: to, 'aria-current': here ? 'page' : undefined }, label));
  show(
    h('div', { class: 'bar' }, h('h1', {}, t(kind)), kind === 'documents' ? null : h('a', { href: `#/${kind}/new`, id: 'new' }, t('new'))),
    kind === 'documents' ? uploadForm(query, id => { pending = t('saved'); location.hash = `#/documents/${id}`; }) : null,
    h('ul', { class: 'letters' }, link(t('all'), `#/${kind}`, !letter),
      letters.map(l => link(l, `#/${kind}?${encodeURIComponent(l)}`, l === letter))),
    list, more, kind === 'contacts' && !query.restricted ? h('p', {}, h('a', { href: '#/contacts?restricted=include', id: 'restricted' }, t('restrictedToo'))) : null);
  await page();
}

// One record

const value = (record, field) => {
  const v = field.split('.').reduce((part, name) => part?.[name], record) ?? '';
  return Array.isArray(v) ? v.join('\n') : v;
};

// What the form holds, as a merge patch (RFC 7396): an emptied field is null.
function patchOf(data, kind, isNew) {
  const patch = {};
  for (const field of kinds[kind].fields) {
    const text = data.get(field).trim();
    let v = lists.includes(field) ? text.split('\n').map(s => s.trim()).filter(Boolean) : text;
    if (v.length === 0) v = isNew ? undefined : null;
    if (v === undefined) continue;
    const path = field.split('.');
    const last = path.pop();
    path.reduce((part, name) => (part[name] ??= {}), patch)[last] = v;
  }
  return patch;
}

// The rights of the person that a contact is about, for whoever may grant them.
async function personOf(contact, list) {
  const { personPart } = await fetched('person');
  return personPart(contact, () => recordPage('contacts', contact.id), word => { pending = word; location.hash = list; });
}

async function recordPage(kind, id) {
  const isNew = id === 'new';
  const list = lastList[kind] ?? `#/${kind}`;
  const { body: record, etag } = isNew ? { body: {}, etag: null } : await call('GET', `/${kind}/${id}`);
  const person = kind === 'contacts' && !isNew && rights.includes('admin') ? await personOf(record, list) : null;
  const remove = h('button', {
    type: 'button', class: 'danger', id: 'remove', onclick: async () => {
      if (!window.confirm(t('removeSure'))) return;
      try {
        await call('DELETE', `/${kind}/${id}`, undefined, { 'If-Match': etag });
        pending = t('removed');
        location.hash = list;
      } catch (problem) { explain(problem); }
    },
  }, t('remove'));
  show(
    h('h1', { 'data-title': t(kind) }, isNew ? t('new') : kinds[kind].title(record)), // the browser's history keeps titles: no name
    kind === 'documents' ? contentOf(record, () => recordPage(kind, id)) : isNew ? null
      : h('p', {}, h('a', { href: `#/documents?link=${kind}/${id}`, id: 'documents-of' }, t('documentsOf'))),
    form(kinds[kind].fields.map((f, i) => input(f, { label: t(kind === 'documents' && f === 'name' ? 'fileName' : f), value: value(record, f), required: kinds[kind].required.includes(f), 'data-first': isNew && i === 0 })), t('save'), async data => {
      try {
        const patch = patchOf(data, kind, isNew);
        const { body } = isNew ? await call('POST', `/${kind}`, patch)
          : await call('PATCH', `/${kind}/${id}`, patch, { 'Content-Type': 'application/merge-patch+json', 'If-Match': etag });
        if (isNew) {
          pending = t('saved');
          location.replace(`#/${kind}/${body.id}`);
        } else {
          await recordPage(kind, id);
          say(t('saved'));
        }
      } catch (problem) {
        if (problem.status !== 412) throw problem;
        await recordPage(kind, id);
        say(t('changed'), true);
      }
    }, h('a', { href: list }, t('cancel')), isNew ? null : remove),
    person);
}

// The processing functions: what each means stands beside its switch

async function functionsPage() {
  const { body } = await call('GET', '/functions');
  const words = text => text[current()];
  const set = (f, enabled) => call('PUT', `/functions/${f.name}`, { enabled, confirmed: f.version }).then(functionsPage).then(() => {
    say(t(enabled ? 'switchedOn' : 'switchedOff').replace('%', words(f.title)));
    document.getElementById(`switch-${f.name}`).focus();
  }).catch(explain);
  show(
    h('h1', {}, t('functions')), h('p', {}, t('functionsWhy')),
    h('p', {}, h('a', { href: `/api/v1/register?format=html&lang=${current()}`, id: 'register', target: '_blank' }, t('registerOf'))),
    ...body.items.map(f => h('section', { class: 'function', id: f.name },
      h('h2', {}, words(f.title), h('small', {}, t(f.enabled ? 'isOn' : f.confirmed ? 'textChanged' : 'isOff'))),
      h('p', {}, words(f.purpose)), h('p', {}, words(f.text)),
      h('details', {}, h('summary', {}, t('register')), h('dl', {}, ['data', 'recipients', 'term', 'basis'].flatMap(part => [h('dt', {}, t(`register.${part}`)), h('dd', {}, words(f[part]))]))),
      h('button', { type: 'button', id: `switch-${f.name}`, class: f.enabled ? 'plain' : undefined, onclick: () => set(f, !f.enabled) }, t(f.enabled ? 'switchOff' : 'switchOn')))));
}

// Messages to the host's support: the one thing here that somebody of the host reads.

async function supportPage() {
  const { body } = await call('GET', '/support');
  const day = time => new Date(time).toLocaleString(current());
  const standing = m => [day(m.at), t(`support.${m.state}`), m.until && ['kept', 'answered', 'closed'].includes(m.state) ? t('supportUntil').replace('%', day(m.until)) : ''].filter(Boolean).join(' · ');
  show(
    h('h1', {}, t('support')), h('p', { class: 'warning', id: 'support-warning' }, t('supportWarning')),
    body.available ? form([input('text', { required: true, maxlength: 8000, 'data-first': true })], t('send'), async data => {
      await call('POST', '/support', { text: data.get('text') });
      await supportPage();
      say(t('sent'));
    }) : h('p', {}, t('supportNone')),
    h('ul', { class: 'list' }, body.items.map(m => h('li', {}, h('small', {}, standing(m)),
      m.text ? h('p', { class: 'message' }, m.text) : null, m.answer ? h('blockquote', { class: 'message' }, m.answer) : null))));
}

// The frame

// Each in a file of its own, which is fetched when it is opened.
const administration = ['exchange', 'plans', 'regions', 'rules', 'references', 'provider', 'leaving'];
const fetched = place => import(`./${place}.js`).catch(() => { throw new Problem(0); });

const readNotices = () => noticesPage(rights.includes('admin'));
const places = { functions: functionsPage, notices: readNotices, support: supportPage }; // pages that are of no record
const frames = () => [...Object.keys(kinds), ...(rights.includes('admin') ? ['functions'] : []), 'notices', 'support'];

// Who administers is not counted.
const mayOpen = place => rights.includes('admin') || !(place === 'functions' || administration.includes(place) || accountPages[place]?.admin);
const count = (page, what) => Object.hasOwn(accountPages, page) || administration.includes(page) || usage(what);
for (const [name, page] of Object.entries(accountPages)) places[name] = page.open;
for (const name of administration) places[name] = () => fetched(name).then(page => page.open());

async function leave() {
  await call('DELETE', '/session').catch(explain);
  start();
}

function frame(session) {
  document.documentElement.lang = current();
  menu.hidden = !session;
  const ending = document.getElementById('ending');
  ending.hidden = !(session && ended);
  ending.textContent = t('type.contract-ended');
  const here = location.hash.split(/[/?]/)[1];
  menu.replaceChildren(...[...frames(), ...[...Object.keys(accountPages), ...administration].filter(mayOpen)].map(k => h('a', { href: `#/${k}`, 'aria-current': k === here ? 'page' : undefined, onclick: () => count(k, { menu: k }) }, t(k))));
  document.getElementById('tools').replaceChildren(
    h('button', { type: 'button', class: 'plain', id: 'language', lang: current() === 'fr' ? 'en' : 'fr', onclick: () => { switchLanguage(); start(); } }, t('language')),
    ...(session ? [h('button', { type: 'button', class: 'plain', id: 'logout', onclick: leave }, t('logout'))] : []));
}

async function route() {
  const [, kind, id, letter] = location.hash.match(/^#\/(\w+)(?:\/([0-9A-Za-z]+))?(?:\?(.+))?$/) || [];
  const place = Object.hasOwn(places, kind) && mayOpen(kind) && places[kind];
  if (!place && !Object.hasOwn(kinds, kind)) { location.hash = '#/companies'; return; }
  frame(true);
  say(pending);
  pending = '';
  if (!id) lastList[kind] = location.hash;
  try {
    if (place) await place();
    else if (id) await recordPage(kind, id); else await listPage(kind, letter && decodeURIComponent(letter));
    count(kind, { page: id ? kinds[kind].page : kind, milliseconds: Math.round(performance.now() - began) });
  } catch (problem) {
    if (problem.status === 401 || ['sealed', 'rolled-back'].includes(problem.type)) await start();
    else if (problem.status === 404) show(h('h1', {}, t('type.not-found')), h('a', { href: `#/${kind}` }, t(kind)));
    else explain(problem);
  }
}

async function start() {
  window.onhashchange = null;
  try {
    rights = (await call('GET', '/session')).body.rights;
    ended = (await call('GET', '/leaving')).body.state !== 'none';
  } catch (problem) {
    frame(false);
    if (problem.type === 'rolled-back') return fetched('rollback').then(page => page.open(rights.includes('admin'), start, leave)).catch(explain);
    if (![401, 503].includes(problem.status)) explain(problem);
    loginPage();
    return undefined;
  }
  startUsage();
  window.onhashchange = () => { began = performance.now(); return route(); };
  return route();
}

start();
