// One order, live: the page asks and the shop answers as soon as something changes.

import { call, follow } from './api.js';
import { $, fill, h, icon, notice, toast, written } from './dom.js';
import { STATUS, clock, day } from './format.js';
import { orderAgain } from './order-again.js';
import { orderLines, thumbs, totalLine } from './order-lines.js';
import { cardChoice, chosenCard } from './payment.js';
import { page, showFailure } from './shell.js';

const STEPS = ['new', 'making', 'ready', 'collected'];
const WORDS = {
  awaiting_payment: 'We begin as soon as it is paid.',
  new: 'The bar has your order. It will be your turn in a moment.',
  making: 'Somebody is making it right now.',
  ready: 'It is on the counter. Come and get it while it is warm!',
  collected: 'Enjoy! We hope to see you again.',
  cancelled: 'This order was cancelled. Nothing of it will be made.',
};
const id = new URLSearchParams(location.search).get('id') ?? '';
const path = `/orders/${encodeURIComponent(id)}`;
let shop;

page('orders.html', async (context) => {
  shop = context.shop;
  const place = $('[data-page]');
  const wait = shop.limits.wait_seconds - 2;
  const announce = h('p', { class: 'visually-hidden', role: 'status' });
  const away = h('div');
  const ticket = h('div');
  let status;
  const show = (order) => {
    place.setAttribute('aria-busy', 'false');
    fill(ticket, drawOrder(order, show));
    fill($('h1'), order.name ? ['For ', written(order.name)] : 'Your order');
    document.title = `${STATUS[order.status]}: ${order.number} · Brew Haven`;
    if (status && status !== order.status) announce.textContent = `Order ${order.number}: ${STATUS[order.status]}. ${WORDS[order.status]}`;
    status = order.status;
    return status !== 'collected' && status !== 'cancelled';
  };
  const first = await call('GET', path);
  fill(place, announce, away, ticket);
  if (show(first)) {
    follow((version) => `${path}?wait=${wait}&version=${version}`, first.version, show, {
      interrupted: (is) => fill(away, is ? notice('The line to the shop is down. We keep trying; your order is safe.') : null),
    }).catch(showFailure);
  }
});

function drawOrder(order, show) {
  return h('div', { class: 'two' },
    h('section', { class: 'ticket', 'aria-label': 'Status' },
      h('div', {}, h('p', { class: 'soft' }, 'We call out'), h('p', { class: 'ticket-number' }, order.number)),
      order.status === 'cancelled' ? h('p', { class: 'tag hot' }, 'Cancelled') : track(order),
      h('p', { class: 'status-words' }, WORDS[order.status]),
      thumbs(order.lines, 132, 99),
      order.payment.message ? h('p', { class: `notice ${order.payment.status === 'declined' ? 'bad' : 'good'}` },
        icon(order.payment.status === 'declined' ? 'alert' : 'check'), order.payment.message) : null,
      order.may.pay ? payForm(order, show) : null,
      h('div', { class: 'actions' },
        order.may.cancel ? h('button', { type: 'button', class: 'button quiet', onclick: (event) => act(event, 'cancel', show) }, 'Cancel this order') : null,
        ['collected', 'cancelled'].includes(order.status) ? h('button', { type: 'button', class: 'button', onclick: () => orderAgain(order) }, icon('again'), 'Order again') : null)),
    h('section', { class: 'card rows', 'aria-labelledby': 'what' },
      h('h2', { id: 'what' }, 'What you get'), h('p', { class: 'soft' }, `${day(order.created_at)}, ${clock(order.created_at)}`),
      orderLines(order.lines), order.note ? h('p', { class: 'soft' }, '“', written(order.note), '”') : null, totalLine(order.total_cents)));
}

function track(order) {
  const at = STEPS.indexOf(order.status);
  const when = new Map(order.steps.map((step) => [step.status, step.at]));
  return h('ol', { class: 'track', 'aria-label': 'Steps' }, STEPS.map((step, n) => {
    const state = n < at || order.status === 'collected' ? 'done' : n === at ? `now ${step === 'ready' ? 'last' : ''}` : '';
    return h('li', { class: state, 'aria-current': n === at ? 'step' : undefined },
      h('span', {}, STATUS[step], state.startsWith('done') ? h('span', { class: 'visually-hidden' }, ', done') : null),
      when.has(step) ? h('time', { datetime: when.get(step) }, clock(when.get(step))) : null);
  }));
}

function payForm(order, show) {
  return h('form', { class: 'form', onsubmit: (event) => act(event, 'payment', show, { token: chosenCard(event.target) }) },
    cardChoice(shop.test_cards), h('button', { class: 'button', type: 'submit' }, 'Pay now'));
}

async function act(event, what, show, body) {
  event.preventDefault();
  const button = event.submitter ?? event.currentTarget;
  button.disabled = true;
  try {
    show(await call('POST', `${path}/${what}`, { body }));
  } catch (problem) {
    toast(problem.detail, 'bad');
    show(await call('GET', path));
  }
}
