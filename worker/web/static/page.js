// What the pages are made of. A module that app.js imports takes it from here: app.js has another address in the page, and would run twice.
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

// A problem in the page's language; the field that is meant is marked and takes the focus.
export function explain(problem) {
  if (problem.status === undefined) throw problem;
  const field = problem.field?.replace(/\[.*/, '');
  const ended = !menu.hidden && (problem.status === 401 || problem.type === 'sealed');
  const known = ended ? 'ended' : { 0: 'offline', 401: 'wrong', 429: 'wait' }[problem.status];
  const key = [known, `bad.${field}`, `type.${problem.type}`].find(has);
  const text = key ? t(key) : (current() === 'en' && problem.message) || t(field ? 'refused' : 'error');
  say(!known && field ? t('field').replace('%', t(field)) + text : text, true);
  for (const e of main.querySelectorAll('[aria-invalid]')) e.removeAttribute('aria-invalid');
  const wrong = field && main.querySelector(`[name="${CSS.escape(field)}"]`);
  wrong?.setAttribute('aria-invalid', 'true');
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
      try { await submit(new FormData(event.target)); } catch (problem) { explain(problem); }
      send.disabled = false;
      if (document.activeElement === document.body) send.focus();
    },
  }, fields, h('div', { class: 'actions' }, h('button', { type: 'submit' }, button), more));
}
