// The tenant's own API. Errors are problems (RFC 9457): status, type, detail, field.
export class Problem extends Error {
  constructor(status, body) {
    super(body?.detail || '');
    Object.assign(this, { status, type: body?.type || '', field: body?.field });
  }
}

export async function call(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(`/api/v1${path}`, {
      method, credentials: 'same-origin',
      headers: body === undefined ? headers : { 'Content-Type': 'application/json', ...headers },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch {
    throw new Problem(0);
  }
  const json = answer.headers.get('Content-Type')?.includes('json') ? await answer.json() : null;
  if (!answer.ok) throw new Problem(answer.status, json);
  return { body: json, etag: answer.headers.get('ETag') };
}
