// The barista's board: what to make, what is being made, what waits to be fetched.  Live.

import { call, follow } from './api.js';
import { $, fill, h, icon, notice, openDialog, toast, written } from './dom.js';
import { clock, count } from './format.js';
import { page, showFailure } from './shell.js';

const COLUMNS = [
  ['new', 'New', 'Start making', 'Nothing to do. Wipe the steam wand.'],
  ['making', 'Making', 'Ready', 'No hands full just now.'],
  ['ready', 'Ready', 'Handed over', 'The counter is clear.'],
  ['collected', 'Collected', null, 'Nobody has been today yet.'],
];

page('board.html', async ({ shop }) => {
  const place = $('[data-page]');
  const wait = shop.limits.wait_seconds - 2;
  const announce = h('p', { class: 'visually-hidden', role: 'status' });
  const away = h('div');
  const columns = new Map(COLUMNS.map(([status]) => [status, h('ul', { class: 'tickets' })]));
  const counts = new Map(COLUMNS.map(([status]) => [status, h('span', { class: 'tag number' })]));
  let known;

  function show(board) {
    const orders = [...board.orders, ...board.collected];
    const focused = document.activeElement?.closest?.('.slip')?.dataset.order;
    for (const [status, , action, nothing] of COLUMNS) {
      const here = orders.filter((order) => order.status === status);
      counts.get(status).textContent = String(here.length);
      fill(columns.get(status), here.length ? here.map((order) => slip(order, action, reload)) : h('li', { class: 'soft nothing' }, nothing));
    }
    if (focused) place.querySelector(`[data-order="${CSS.escape(focused)}"] button, [data-order="${CSS.escape(focused)}"]`)?.focus();
    const fresh = orders.filter((order) => order.status === 'new' && known && !known.has(order.id));
    if (fresh.length) announce.textContent = `${count(fresh.length, 'new order')}: ${fresh.map(({ number }) => number).join(', ')}.`;
    known = new Set(orders.map(({ id }) => id));
    const waiting = board.orders.filter(({ status }) => status === 'new').length;
    document.title = `${waiting ? `(${waiting}) ` : ''}Board · Brew Haven`;
  }
  const reload = async () => show(await call('GET', '/board'));

  const first = await call('GET', '/board');
  place.setAttribute('aria-busy', 'false');
  fill(place, announce, away, h('div', { class: 'board' }, COLUMNS.map(([status, name]) =>
    h('section', { class: `column ${status}`, 'aria-labelledby': `column-${status}` },
      h('h2', { id: `column-${status}` }, name, counts.get(status)), columns.get(status)))));
  show(first);
  setInterval(() => { for (const time of place.querySelectorAll('[data-since]')) time.textContent = age(time.dataset.since); }, 20_000);
  follow((version) => `/board?wait=${wait}&version=${encodeURIComponent(version)}`, first.version, show, {
    interrupted: (is) => fill(away, is ? notice('The line to the shop is down. The board may be out of date; we keep trying.', 'bad') : null),
  }).catch(showFailure);
});

const minutes = (iso) => Math.max(0, Math.floor((Date.now() - new Date(iso)) / 60_000));
const age = (iso) => (minutes(iso) < 1 ? 'just now' : `${minutes(iso)} min`);

function slip(order, action, reload) {
  const paid = order.steps.find(({ status }) => status === 'new')?.at ?? order.created_at;
  const late = order.status !== 'collected' && minutes(paid) >= 10;
  return h('li', { class: `slip ${late ? 'late' : ''}`, dataset: { order: order.id }, tabindex: -1 },
    h('p', { class: 'split' }, h('strong', { class: 'slip-number' }, order.number),
      order.status === 'collected' ? h('span', { class: 'soft' }, clock(order.updated_at))
        : h('span', { class: late ? 'tag hot' : 'tag' }, icon('clock'), h('span', { dataset: { since: paid } }, age(paid)))),
    order.name ? h('p', { class: 'slip-name' }, written(order.name)) : null,
    h('ul', { class: 'slip-lines' }, order.lines.map((line) => h('li', {},
      h('strong', {}, `${line.quantity} × `, written(line.name)),
      h('span', {}, [line.size.name, ...line.extras.map(({ name }) => name)].join(', ')),
      line.note ? h('em', {}, '“', written(line.note), '”') : null))),
    order.note ? h('p', { class: 'slip-note' }, '“', written(order.note), '”') : null,
    order.may.move_to ? h('div', { class: 'actions' },
      h('button', { type: 'button', class: 'button small', 'aria-label': `${action}: ${order.number}`, onclick: (event) => move(event, order, reload) }, action),
      h('button', { type: 'button', class: 'link-button danger', 'aria-label': `Cancel ${order.number}`, onclick: () => confirmCancel(order, reload) }, 'Cancel')) : null);
}

async function move(event, order, reload) {
  event.currentTarget.disabled = true;
  await act(() => call('POST', `/orders/${order.id}/status`, { body: { status: order.may.move_to, version: order.version } }), reload);
}

function confirmCancel(order, reload) {
  const dialog = openDialog(h('div', { class: 'ask' },
    h('h2', {}, `Cancel ${order.number}?`),
    h('p', {}, written(order.name || 'The guest'), ' gets the money back and sees it at once.'),
    h('div', { class: 'actions' },
      h('button', { type: 'button', class: 'button', onclick: async () => { dialog.close(); await act(() => call('POST', `/orders/${order.id}/cancel`), reload); } }, 'Cancel the order'),
      h('button', { type: 'button', class: 'button quiet', onclick: () => dialog.close() }, 'Keep it'))), { label: `Cancel order ${order.number}` });
}

async function act(job, reload) {
  try {
    await job();
  } catch (problem) {
    toast(problem.detail, 'bad');
  }
  await reload().catch((problem) => toast(problem.detail, 'bad'));
}
