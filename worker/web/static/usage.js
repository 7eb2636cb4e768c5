// Anonymous numbers (which entry of the menu, which page, how long it took), only while an administrator has the function switched on.
import { call } from './api.js';

let on = Promise.resolve(false);

export function startUsage() {
  on = call('GET', '/functions').then(({ body }) => body.items.some(f => f.name === 'counters' && f.enabled), () => false);
}

export async function usage(what) {
  if (await on) await call('POST', '/usage', what).catch(problem => { if (problem.status === 403) on = Promise.resolve(false); });
}
