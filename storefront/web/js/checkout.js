// Checkout: a name to call, a card, and an order that is placed once however often the button is pressed.

import { call } from './api.js';
import { asChoice, cart } from './cart.js';
import { $, empty, fill, h, notice, showFieldErrors } from './dom.js';
import { money } from './format.js';
import { newKey } from './key.js';
import { orderLines, totalLine } from './order-lines.js';
import { cardChoice, chosenCard } from './payment.js';
import { openingLine, page } from './shell.js';

const KEY = 'brew-haven.order-attempt';

page('checkout.html', async ({ shop, customer }) => {
  await cart.load();
  const place = $('[data-page]');
  place.setAttribute('aria-busy', 'false');
  if (!cart.lines.length) {
    fill(place, empty('Nothing to pay for', 'Your cart is empty. The oven, on the other hand, is full.', h('a', { class: 'button', href: 'index.html#menu' }, 'See the menu')));
    return;
  }
  fill(place, checkout(shop, customer));
});

function checkout(shop, customer) {
  let order; // once placed, further tries only pay it
  const messages = h('div', { class: 'rows', tabindex: -1 });
  const pay = h('button', { class: 'button wide', type: 'submit' }, h('span', {}, 'Order and pay'), h('span', { class: 'number' }));
  const summary = h('section', { class: 'card rows', 'aria-labelledby': 'summary-title' });
  const form = h('form', { class: 'form', novalidate: true, onsubmit: submit },
    messages,
    shop.opening_hours.open_now ? null : notice(`${openingLine(shop.opening_hours)}. You may order already; we make it as soon as somebody is here.`),
    h('div', { class: 'field' },
      h('label', { for: 'name' }, 'Name we call out'),
      h('input', { id: 'name', name: 'name', maxlength: shop.limits.pickup_name, autocomplete: 'given-name', value: customer?.name ?? '' }),
      h('span', { class: 'hint' }, customer ? 'Yours, unless you are fetching for somebody.' : 'You may also stay anonymous: then we call a number.')),
    h('div', { class: 'field' },
      h('label', { for: 'note' }, 'A word to the bar (optional)'),
      h('textarea', { id: 'note', name: 'note', maxlength: shop.limits.note, placeholder: 'By the window, please' })),
    cardChoice(shop.test_cards),
    pay,
    customer ? null : h('p', { class: 'hint' }, 'No account needed. ', h('a', { href: 'account.html?next=checkout.html' }, 'Sign in'), ' if you want to find your orders on every device.'));

  cart.watch(() => {
    if (order) return;
    fill(summary, h('h2', { id: 'summary-title' }, 'Your order'), orderLines(cart.lines),
      cart.lines.filter(({ problem }) => problem).map(({ problem }) => notice(problem, 'bad')),
      totalLine(cart.total));
    pay.lastChild.textContent = money(cart.total);
    pay.disabled = !cart.orderable;
  });
  return h('div', { class: 'two' }, form, summary);

  async function submit(event) {
    event.preventDefault();
    pay.disabled = true;
    fill(messages);
    try {
      order ??= await placeOrder(new FormData(form));
      await call('POST', `/orders/${order.id}/payment`, { body: { token: chosenCard(form) } });
      sessionStorage.removeItem(KEY);
      location.assign(`order.html?id=${encodeURIComponent(order.id)}`);
    } catch (problem) {
      await refused(problem);
    }
  }

  async function refused(problem) {
    pay.disabled = false;
    const rest = showFieldErrors(form, problem);
    fill(messages, notice(rest.length ? rest.join(' ') : problem.detail, 'bad'),
      order ? h('p', { class: 'hint' }, `Order ${order.number} is kept for a few minutes. Choose another card, or `,
        h('a', { href: `order.html?id=${encodeURIComponent(order.id)}` }, 'pay later on its own page'), '.') : null);
    if (!problem.errors?.length || rest.length) messages.focus();
    if (order) pay.firstChild.textContent = 'Try this card';
    else sessionStorage.removeItem(KEY);
    await cart.load().catch(() => {});
  }
}

/** The same attempt keeps its key through a reload or a lost answer, so that it is never ordered twice. */
async function placeOrder(form) {
  const body = {
    lines: cart.lines.map(asChoice), name: String(form.get('name')).trim(), note: String(form.get('note')).trim(),
    expected_total_cents: cart.total, empty_cart: true,
  };
  const attempt = JSON.parse(sessionStorage.getItem(KEY) ?? 'null');
  const same = attempt && attempt.body === JSON.stringify(body);
  const key = same ? attempt.key : newKey();
  sessionStorage.setItem(KEY, JSON.stringify({ key, body: JSON.stringify(body) }));
  return call('POST', '/orders', { body, key });
}
