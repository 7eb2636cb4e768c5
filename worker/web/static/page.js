// What the pages are made of. A module that app.js imports takes it from here: app.js has another address in the page, and would run twice.
import { call } from './api.js';
import { current, has, t } from './words.js';

export const lists = ['emails', 'phones', 'tags', 'links'];
const main = document.getElementById('main');
export const menu = document.getElementById('menu');

// Text goes in as text, never as markup.
export function h(tag, attributes = {}, ...children) {
  const e = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith('on')) e.addEventListener(name.slice(2), value);
    else if (value === true) e.setAttribute(name, '');
    else if (value !== false && value !== undefined) e.setAttribute(name, value);
  }
  e.append(...children.flat().filter(c => c !== null && c !== undefined));
  return e;
}

export function show(...children) {
  main.replaceChildren(...children.filter(Boolean));
  const heading = main.querySelector('h1');
  document.title = `${heading.dataset.title ?? heading.textContent} – Cloison`;
  (main.querySelector('[data-first]') ?? main).focus({ preventScroll: true });
  scrollTo(0, 0);
}

export function say(text, bad = false) {
  const notice = document.getElementById('notice');
  notice.textContent = text;
  notice.classList.toggle('bad', bad);
}

// A problem in the page's language; the field that is meant is marked and takes the focus. `part`: of the page, whose fields are meant.
export function explain(problem, part = main) {
  if (problem.status === undefined) throw problem;
  const field = problem.field?.replace(/\[.*/, '');
  const ended = !menu.hidden && (problem.status === 401 || problem.type === 'sealed');
  const known = ended ? 'ended' : { 0: 'offline', 401: 'wrong', 429: 'wait' }[problem.status];
  const key = [known, `type.${problem.type}`, `bad.${field}`].find(has);
  const text = key ? t(key) : (current() === 'en' && problem.message) || t(field ? 'refused' : 'error');
  for (const e of main.querySelectorAll('[aria-invalid]')) ['aria-invalid', 'aria-describedby'].forEach(name => e.removeAttribute(name));
  const wrong = field && part.querySelector(`[name="${CSS.escape(field)}"]`);
  const label = wrong?.closest('label')?.firstElementChild.textContent.replace(/ \(.*/, '') || t(field);
  say(!known && field ? t('field').replace('%', label) + text : text, true);
  wrong?.setAttribute('aria-invalid', 'true');
  wrong?.setAttribute('aria-describedby', 'notice');
  wrong?.focus();
}

export function input(name, { label = t(name), type = 'text', value = '', required = false, ...more } = {}) {
  const area = lists.includes(name) || ['notes', 'text'].includes(name);
  return h('label', {}, h('span', {}, label),
    area ? h('textarea', { name, rows: lists.includes(name) ? 2 : 4, ...more }, value) : h('input', { name, type, value, required, ...more }));
}

export function form(fields, button, submit, ...more) {
  return h('form', {
    onsubmit: async event => {
      event.preventDefault();
      say('');
      const send = event.target.querySelector('button[type=submit]');
      send.disabled = true;
      try { await submit(new FormData(event.target)); } catch (problem) { explain(problem, event.target); }
      send.disabled = false;
      if (document.activeElement === document.body) send.focus();
    },
  }, fields, h('div', { class: 'actions' }, h('button', { type: 'submit' }, button), more));
}

export const time = text => (text ? new Date(text).toLocaleString(current(), { dateStyle: 'medium', timeStyle: 'short' }) : '');

export function size(n) {
  const [unit, by] = [['gigabyte', 1e9], ['megabyte', 1e6]].find(([, least]) => n >= least) ?? ['kilobyte', 1e3];
  return new Intl.NumberFormat(current(), { style: 'unit', unit, maximumFractionDigits: 1 }).format(n / by);
}

// Does it, says so, and shows the page anew.
export async function act(work, done, page) {
  try {
    await work();
    await page();
    say(done);
  } catch (problem) { explain(problem); }
}

export const button = (label, name, onclick, danger) => h('button', { type: 'button', class: danger ? 'danger' : 'plain', 'aria-label': `${label} – ${name}`, onclick }, label);

export function table(caption, heads, rows) {
  return h('div', { class: 'wide' }, h('table', {}, h('caption', {}, caption),
    h('thead', {}, h('tr', {}, heads.map(head => h('th', { scope: 'col' }, head)))),
    h('tbody', {}, rows.map(cells => h('tr', {}, cells.map((cell, i) => h(i ? 'td' : 'th', i ? {} : { scope: 'row' }, cell)))))));
}

// Names and what stands behind them; one without is left out.
export const facts = (pairs, more = {}) => h('dl', more, pairs.filter(([, value]) => value || value === 0).flatMap(([name, value]) => [h('dt', {}, name), h('dd', {}, value)]));

// `choices`: values and their words.
export const picker = (name, choices, value, more = {}) => h('label', {}, h('span', {}, t(name)),
  h('select', { name, ...more }, choices.map(([v, word]) => h('option', { value: v, selected: v === value }, word))));

export const tick = (name, label, more = {}) => h('label', { class: 'tick' }, h('input', { type: 'checkbox', name, ...more }), ' ', label);

// Says that a function is off and where it is switched; nothing while it is on.
export async function offHint(name) {
  const { body } = await call('GET', '/functions');
  const f = body.items.find(item => item.name === name);
  return f.enabled ? null : h('p', { class: 'off' }, t('isOffHint').replace('%', f.title[current()]), ' ', h('a', { href: '#/functions' }, t('functions')));
}
