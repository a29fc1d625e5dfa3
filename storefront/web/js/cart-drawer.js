// The cart as a drawer at the right edge.

import { cart } from './cart.js';
import { empty, fill, h, icon, openDialog, picture, stepper, toast, written } from './dom.js';
import { count, money } from './format.js';

export function openCartDrawer() {
  const body = h('div', { class: 'drawer-body' });
  const dialog = openDialog(body, { label: 'Your cart', className: 'drawer', closed: () => stop() });
  const stop = cart.watch(() => draw(body, dialog));
  cart.load().catch((problem) => toast(problem.detail, 'bad'));
}

function draw(body, dialog) {
  const focused = document.activeElement?.getAttribute?.('aria-label');
  if (!cart.lines.length) {
    fill(body, empty('Nothing in it yet', 'Your cart is as calm as the harbour on a Monday. Pick something from the menu.',
      h('a', { class: 'button', href: 'index.html#menu', onclick: () => dialog.close() }, 'See the menu')));
    return;
  }
  fill(body,
    h('h2', {}, 'Your cart'),
    h('p', { class: 'soft' }, count(cart.pieces, 'piece')),
    h('ul', { class: 'rows cart-lines' }, cart.lines.map(cartLine)),
    h('div', { class: 'drawer-foot' },
      h('p', { class: 'split total' }, h('span', {}, 'Total'), h('span', { class: 'number' }, money(cart.total))),
      cart.orderable
        ? h('a', { class: 'button wide', href: 'checkout.html' }, 'Go to checkout', icon('arrow'))
        : h('p', { class: 'notice bad', role: 'alert' }, icon('alert'), 'Please change or remove the marked lines first.')));
  // Redrawing must not lose the keyboard's place.
  if (focused) [...body.querySelectorAll('[aria-label]')].find((one) => one.getAttribute('aria-label') === focused)?.focus();
  if (!dialog.contains(document.activeElement)) dialog.querySelector('button')?.focus();
}

/** A line of the cart with its picture, its quantity and a way out. */
function cartLine(line) {
  const say = (job) => job.catch((problem) => toast(problem.detail, 'bad'));
  const chosen = [line.size_name, ...line.extra_names].filter(Boolean).join(' · ');
  return h('li', { class: 'cart-line' },
    picture(line.thumbnail_url, '', { width: 88, height: 66 }),
    h('div', {},
      h('div', { class: 'split' }, h('h3', {}, written(line.name)),
        h('span', { class: 'number' }, line.total_cents === null ? '' : money(line.total_cents))),
      chosen ? h('p', { class: 'soft' }, chosen) : null,
      line.note ? h('p', { class: 'soft' }, '“', written(line.note), '”') : null,
      line.problem ? h('p', { class: 'tag hot' }, line.problem) : null,
      h('div', { class: 'split cart-line-foot' },
        stepper(line.quantity, { what: line.name, change: (quantity) => say(cart.setQuantity(line, quantity)) }),
        h('button', { type: 'button', class: 'link-button danger', 'aria-label': `Remove ${line.name}`, onclick: () => say(cart.remove(line)) }, 'Remove'))));
}
