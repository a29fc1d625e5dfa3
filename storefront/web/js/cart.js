// The cart.  It lives on the server with the session, so it survives a reload; this is the page's copy of it.

import { call } from './api.js';

const watchers = new Set();
let state = { lines: [], total_cents: 0, orderable: false };
let queue = Promise.resolve();

export const asChoice = ({ product_id, size, extras, quantity, note }) => ({ product_id, size, extras, quantity, note });
const sameThing = (a, b) => a.product_id === b.product_id && a.size === b.size && a.note === b.note
  && [...a.extras].sort().join() === [...b.extras].sort().join();

export const cart = {
  get lines() { return state.lines; },
  get total() { return state.total_cents; },
  get orderable() { return state.orderable; },
  get pieces() { return state.lines.reduce((sum, line) => sum + line.quantity, 0); },

  /** Calls `see` now and after each change; answers a function that stops it. */
  watch(see) { watchers.add(see); see(); return () => watchers.delete(see); },
  load: () => inTurn(() => call('GET', '/cart')),
  add: (...choices) => change((lines) => choices.reduce((all, choice) => {
    const there = all.find((line) => sameThing(line, choice));
    if (there) there.quantity += choice.quantity; else all.push({ ...choice });
    return all;
  }, lines)),
  // By what the line is, not by where: after a quick click before, it may stand elsewhere.
  setQuantity: (which, quantity) => change((lines) => lines.map((line) => (sameThing(line, which) ? { ...line, quantity } : line))),
  remove: (which) => change((lines) => lines.filter((line) => !sameThing(line, which))),
};

// One after another, so that two quick clicks never overwrite each other.
function inTurn(job) {
  queue = queue.catch(() => {}).then(job).then((answer) => {
    state = answer;
    for (const see of watchers) see();
    return state;
  });
  return queue;
}

const change = (edit) => inTurn(() => call('PUT', '/cart', { body: { lines: edit(state.lines.map(asChoice)) } }));

// Another tab may have changed it.
document.addEventListener('visibilitychange', () => { if (!document.hidden) cart.load().catch(() => {}); });
