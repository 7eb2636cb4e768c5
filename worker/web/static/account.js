// Who may enter, and who did what: users, sessions and tokens, the journal, recovery kits and the master key.
import { call } from './api.js';
import { act, button, explain, form, h, input, say, show, table, tick, time } from './page.js';
import { has, t } from './words.js';

// A code that nobody sees again, and what it is for.
function codePage(title, why, code, page) {
  show(h('h1', {}, title), h('p', {}, why), h('p', { class: 'kit', id: 'kit' }, code),
    h('button', { type: 'button', id: 'kit-done', onclick: () => page().catch(explain) }, t('kitDone')));
}

// Users

const roles = ['administrator', 'member', 'reader'];
const rolePicker = (value, more = {}) => h('select', { name: 'role', ...more }, roles.map(r => h('option', { value: r, selected: r === value }, t(`role.${r}`))));

function userRow(user, me) {
  const name = user.login || t('state.damaged');
  const invite = async () => {
    if (!window.confirm(t('resetSure').replace('%', name))) return;
    try {
      const { body } = await call('POST', `/users/${user.id}/invitation`, {});
      codePage(t('invitation'), t('invitationWhy').replace('%', name), body.code, usersPage);
    } catch (problem) { explain(problem); }
  };
  const remove = () => window.confirm(t('removeUserSure').replace('%', name)) && act(() => call('DELETE', `/users/${user.id}`), t('removed'), usersPage);
  const role = user.state === 'damaged' ? '' : rolePicker(user.role, {
    'aria-label': `${t('role')} – ${name}`,
    onchange: event => act(() => call('PATCH', `/users/${user.id}`, { role: event.target.value }), t('saved'), usersPage),
  });
  if (role && !user.role) role.prepend(h('option', { value: '', selected: true, disabled: true }, user.rights.join(', ')));
  return [name, role, t(`state.${user.state}`), user.recovery_kit ? t('yes') : t('no'), time(user.created),
    user.id === me || user.state === 'damaged' ? '' : button(t('reset'), name, invite), button(t('remove'), name, remove, true)];
}

async function usersPage() {
  const { body: { items } } = await call('GET', '/users');
  const { body: { user } } = await call('GET', '/session');
  show(h('h1', {}, t('users')),
    table(t('users'), [t('user'), t('role'), t('state'), t('kit'), t('since'), t('reset'), t('acts')], items.map(u => userRow(u, user.id))),
    h('h2', {}, t('invite')),
    form([input('login', { label: t('user'), required: true, autocomplete: 'off', autocapitalize: 'none' }), h('label', {}, h('span', {}, t('role')), rolePicker('member'))],
      t('invite'), async data => {
        const { body } = await call('POST', '/users', Object.fromEntries(data));
        codePage(t('invitation'), t('invitationWhy').replace('%', body.login), body.code, usersPage);
      }));
}

// Sessions and tokens

const scopes = ['read', 'write', 'import', 'export', 'admin'];

function tokenForm(expires) {
  const boxes = scopes.map(scope => tick('scopes', t(`scope.${scope}`), { value: scope, checked: scope === 'read' }));
  return [h('h2', {}, t('tokenNew')), h('p', {}, t('tokenWhy')),
    form([input('name', { label: t('tokenName'), required: true }), h('fieldset', {}, h('legend', {}, t('scopes')), boxes),
      input('expires', { label: t('tokenUntil'), type: 'date', value: expires, required: true })], t('tokenMake'), async data => {
      const { body } = await call('POST', '/tokens', { name: data.get('name'), scopes: data.getAll('scopes'), expires: `${data.get('expires')}T23:59:59Z` });
      codePage(t('tokenNew'), t('tokenKeep'), body.token, sessionsPage);
    })];
}

async function sessionsPage() {
  const { body: { items } } = await call('GET', '/sessions');
  const { body: { user } } = await call('GET', '/session');
  const row = s => [`${t(`login.${s.kind}`)}${s.current ? ` (${t('thisOne')})` : ''}`, s.name || '', time(s.created), time(s.used) || t('notSinceStart'), time(s.expires) || t('never'),
    s.origin ? t(`login.${s.origin.kind ?? 'gone'}`) : '',
    s.current ? '' : button(t('end'), s.name || time(s.created), () => act(() => call('DELETE', `/sessions/${s.id}`), t('ended.one'), sessionsPage), true)];
  show(h('h1', {}, t('sessions')),
    table(t('sessions'), [t('kind'), t('tokenName'), t('made'), t('used'), t('expires'), t('origin'), t('acts')], items.map(row)),
    h('div', { class: 'actions' }, h('button', {
      type: 'button', class: 'danger', id: 'end-all',
      onclick: () => window.confirm(t('endAllSure')) && act(() => call('DELETE', '/sessions'), t('ended.all'), sessionsPage),
    }, t('endAll'))),
    ...tokenForm(new Date(Date.now() + 90 * 86400000).toISOString().slice(0, 10)),
    h('h2', {}, t('passwordChange')),
    form([
      h('input', { name: 'username', autocomplete: 'username', value: user.login, hidden: true }), // for whoever keeps passwords
      input('old', { label: t('passwordOld'), type: 'password', required: true, autocomplete: 'current-password' }),
      input('password', { label: t('passwordNew'), type: 'password', required: true, minlength: 12, autocomplete: 'new-password' }),
    ], t('save'), async data => {
      await call('PUT', '/password', { old: data.get('old'), password: data.get('password') });
      await sessionsPage();
      say(t('saved'));
    }));
}

// The journal

async function journalPage() {
  const { body: { items: users } } = await call('GET', '/users');
  const names = Object.fromEntries(users.map(u => [u.id, u.login]));
  const about = line => Object.entries(line.about ?? {}).map(([name, value]) => `${name}: ${names[value] ?? (typeof value === 'object' ? JSON.stringify(value) : value)}`).join(', ');
  const body = h('tbody');
  const more = h('button', { type: 'button', class: 'plain', id: 'more', onclick: () => page(more.dataset.next).catch(explain) }, t('more'));
  const page = async from => {
    const { body: { items, next } } = await call('GET', `/journal?limit=50${from ? `&from=${from}` : ''}`);
    body.append(...items.map(l => h('tr', {}, h('th', { scope: 'row' }, String(l.line)), h('td', {}, time(l.at)),
      h('td', {}, l.damaged ? t('damagedLine') : has(`act.${l.act}`) ? t(`act.${l.act}`) : l.act), h('td', {}, l.user ? names[l.user] ?? l.user : ''), h('td', {}, about(l)))));
    more.hidden = !next;
    more.dataset.next = next ?? '';
  };
  const verify = async () => {
    try {
      const { body: { sound, line } } = await call('GET', '/journal/verify');
      say(sound ? t('journalSound') : t('journalBroken').replace('%', line), !sound);
    } catch (problem) { explain(problem); }
  };
  show(h('h1', {}, t('journal')), h('p', {}, t('journalWhy')),
    h('div', { class: 'actions' }, h('button', { type: 'button', id: 'verify', onclick: verify }, t('verify')), h('a', { href: '/api/v1/journal/export' }, t('journalExport'))),
    h('div', { class: 'wide' }, h('table', { id: 'lines' }, h('caption', {}, t('journal')),
      h('thead', {}, h('tr', {}, ['line', 'when', 'what', 'who', 'about'].map(k => h('th', { scope: 'col' }, t(k))))), body)), more);
  await page();
}

// Recovery kits and the master key

async function newKit(path, title, why) {
  try {
    const { body } = await call('POST', path);
    codePage(title, why, body.recovery_kit, keysPage);
  } catch (problem) { explain(problem); }
}

function rotationPart(rotation) {
  const state = t(`rotation.${rotation.state}`) + (rotation.state === 'copying' ? ` ${rotation.copied}/${rotation.total}` : '') + (rotation.reason ? ` (${rotation.reason})` : '');
  const drop = k => window.confirm(t('dropSure')) && act(() => call('DELETE', `/rotation/keys/${k.id}`), t('removed'), keysPage);
  return [h('h2', {}, t('rotation')), h('p', {}, t('rotationWhy')), h('p', { id: 'rotation' }, `${state} – ${t('made')} : ${time(rotation.key_created)}`),
    h('div', { class: 'actions' }, h('button', { type: 'button', id: 'rotate', onclick: () => act(() => call('POST', '/rotation'), t('rotation.waiting'), keysPage) }, t('rotate'))),
    rotation.kept.length ? table(t('kept'), [t('made'), t('retired'), t('acts')], rotation.kept.map(k => [time(k.created), time(k.retired), button(t('drop'), time(k.created), () => drop(k), true)])) : null];
}

async function keysPage() {
  const { body: own } = await call('GET', '/self-sufficient-kit');
  const { body: rotation } = await call('GET', '/rotation');
  const make = () => window.confirm(t('aloneSure')) && newKit('/self-sufficient-kit', t('alone'), t('aloneKeep'));
  const remove = () => window.confirm(t('aloneRemoveSure')) && act(() => call('DELETE', '/self-sufficient-kit'), t('removed'), keysPage);
  show(h('h1', {}, t('keys')),
    h('h2', {}, t('kit')), h('p', {}, t('kitNewWhy')),
    h('div', { class: 'actions' }, h('button', { type: 'button', id: 'new-kit', onclick: () => newKit('/recovery-kit', t('kit'), t('kitWhy')) }, t('kitNew'))),
    h('h2', {}, t('alone')), h('p', {}, t('aloneWhy')),
    h('p', { id: 'alone' }, own.kit ? `${t('aloneIs')} ${time(own.kit.created)}` : own.first_made ? `${t('aloneWas')} ${time(own.first_made)}` : t('aloneNever')),
    h('div', { class: 'actions' }, h('button', { type: 'button', id: 'new-alone', onclick: make }, t('aloneNew')),
      own.kit ? h('button', { type: 'button', class: 'danger', id: 'remove-alone', onclick: remove }, t('remove')) : null),
    ...rotationPart(rotation));
}

export const accountPages = {
  users: { open: usersPage, admin: true },
  sessions: { open: sessionsPage },
  journal: { open: journalPage, admin: true },
  keys: { open: keysPage, admin: true },
};
