// Documents: sending a file so that it can go on where it broke off (tus 1.0.0), and what a document's page shows of its versions.
import { call, Problem } from './api.js';
import { explain, h, say, size } from './page.js';
import { current, t } from './words.js';

const TRIES = 5;
const base64 = text => btoa(String.fromCodePoint(...new TextEncoder().encode(text)));
const tus = { 'Tus-Resumable': '1.0.0' };

async function ask(method, path, headers, body) {
  const answer = await fetch(path, { method, credentials: 'same-origin', headers: { ...tus, ...headers }, body });
  if (!answer.ok) throw new Problem(answer.status, answer.headers.get('Content-Type')?.includes('json') ? await answer.json() : null);
  return answer.headers;
}

// Sends a file as a new document, or as another version of one. Gives the document's id.
async function send(file, document) {
  const about = document ? `document ${base64(document)}` : `filename ${base64(file.name)}`;
  const begun = await ask('POST', '/api/v1/uploads', { 'Upload-Length': file.size, 'Upload-Metadata': `${about},filetype ${base64(file.type || 'application/octet-stream')}` });
  const place = begun.get('Location');
  let headers = begun;
  for (let tries = 0; !headers.get('Content-Location'); tries++) {
    const offset = Number(headers.get('Upload-Offset'));
    say(t('sending').replace('%', `${Math.floor(100 * offset / file.size)} %`));
    try {
      headers = await ask('PATCH', place, { 'Upload-Offset': offset, 'Content-Type': 'application/offset+octet-stream' }, file.slice(offset));
    } catch (problem) {
      if (problem instanceof Problem && problem.status < 500 || tries === TRIES) throw problem instanceof Problem ? problem : new Problem(0);
      await new Promise(done => setTimeout(done, 1000 * 2 ** tries));
      headers = await ask('HEAD', place, {}).catch(() => headers);
    }
  }
  return headers.get('Content-Location').split('/').pop();
}

function fileForm(label, sent) {
  const file = h('input', { type: 'file', name: 'file', required: true, id: 'file' });
  return h('form', {
    class: 'upload',
    onsubmit: async event => {
      event.preventDefault();
      const button = event.target.querySelector('button');
      button.disabled = true;
      try { await sent(file.files[0]); } catch (problem) { explain(problem); }
      button.disabled = false;
    },
  }, h('label', {}, h('span', {}, t('file')), file), h('button', { type: 'submit', id: 'upload' }, label));
}

// In the list: what is sent is filed where the list looks.
export const uploadForm = (query, done) => fileForm(t('upload'), async file => {
  const id = await send(file);
  const filed = { ...(query.folder && { folder: query.folder }), ...(query.tag && { tags: [query.tag] }), ...(query.link && { links: [query.link] }) };
  if (Object.keys(filed).length) await call('PATCH', `/documents/${id}`, filed, { 'Content-Type': 'application/merge-patch+json' });
  done(id);
});

// On the document's page: its versions, the newest first, and a place for the next one.
export const contentOf = (record, changed) => h('section', {},
  h('h2', {}, t('versions')),
  record.versions ? h('ul', { class: 'list', id: 'versions' }, record.versions.toReversed().map(v => h('li', {},
    h('a', { href: `/api/v1/documents/${record.id}/versions/${v.number}`, download: record.name }, `${t('download')} ${v.number}`,
      h('small', {}, `${size(v.size)} – ${new Date(v.created).toLocaleString(current())} – SHA-256 ${v.sha256.slice(0, 16)}…`))))) : h('p', {}, t('noContent')),
  fileForm(t('newVersion'), async file => { await send(file, record.id); await changed(); say(t('saved')); }));
