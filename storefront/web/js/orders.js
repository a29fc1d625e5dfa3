// What was ordered before, and the way to have it again.

import { call } from './api.js';
import { $, empty, fill, h, icon, written } from './dom.js';
import { STATUS, clock, day, money } from './format.js';
import { orderAgain } from './order-again.js';
import { thumbs } from './order-lines.js';
import { page, signInLink } from './shell.js';

page('orders.html', async ({ customer }) => {
  const { orders } = await call('GET', '/orders');
  const place = $('[data-page]');
  place.setAttribute('aria-busy', 'false');
  fill(place,
    customer ? null : h('p', { class: 'notice' }, icon('person'), h('span', {}, 'These are the orders of this device. ', h('a', { href: signInLink() }, 'Sign in'), ' to see those of your account.')),
    orders.length ? h('ul', { class: 'rows past-orders' }, orders.map(past))
      : empty('No orders yet', 'Your first coffee with us is still ahead of you. We almost envy you.', h('a', { class: 'button', href: 'index.html#menu' }, 'See the menu')));
});

function past(order) {
  const open = !['collected', 'cancelled'].includes(order.status);
  const what = order.lines.map(({ quantity, name }) => (quantity > 1 ? `${quantity} × ${name}` : name)).join(', ');
  return h('li', { class: 'card past' },
    h('div', { class: 'rows' },
      h('p', { class: 'past-head' },
        h('strong', {}, h('time', { datetime: order.created_at }, `${day(order.created_at)}, ${clock(order.created_at)}`)),
        h('span', { class: `tag ${order.status === 'ready' || order.status === 'collected' ? 'good' : order.status === 'cancelled' ? 'hot' : ''}` }, STATUS[order.status])),
      thumbs(order.lines, 64, 48),
      h('p', {}, order.lines.map(({ quantity, name }, n) => [n ? ', ' : '', quantity > 1 ? `${quantity} × ` : '', written(name)]))),
    h('div', { class: 'rows past-side' },
      h('p', { class: 'total number' }, money(order.total_cents)),
      h('div', { class: 'actions' },
        h('a', { class: 'button quiet small', href: `order.html?id=${encodeURIComponent(order.id)}`, 'aria-label': `${open ? 'Follow' : 'Look at'} order ${order.number}` }, open ? 'Follow' : 'Look at it'),
        h('button', { type: 'button', class: 'button small', 'aria-label': `Order ${what} again`, onclick: () => orderAgain(order) }, icon('again'), 'Order again'))));
}
