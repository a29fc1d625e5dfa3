// Signing in, signing up, signing out.

import { call, forgetSession } from './api.js';
import { $, fill, h, notice, showFieldErrors, written } from './dom.js';
import { page, signOut } from './shell.js';

const PAGES = ['index.html', 'checkout.html', 'orders.html', 'order.html', 'board.html', 'manager.html'];
const HOME = { barista: 'board.html', manager: 'manager.html', customer: 'index.html' };

page('account.html', async ({ customer }) => {
  const place = $('[data-page]');
  place.setAttribute('aria-busy', 'false');
  if (customer) {
    fill($('h1'), 'Hello, ', written(customer.name));
    fill(place, h('div', { class: 'rows narrow' },
      h('p', {}, 'You are signed in as ', written(customer.email), `${customer.role === 'customer' ? '' : ` (${customer.role})`}.`),
      h('div', { class: 'actions' },
        h('a', { class: 'button', href: HOME[customer.role] }, customer.role === 'customer' ? 'See the menu' : 'To work'),
        h('a', { class: 'button quiet', href: 'orders.html' }, 'My orders'),
        h('button', { type: 'button', class: 'button quiet', onclick: signOut }, 'Sign out'))));
    return;
  }
  fill(place, h('div', { class: 'two' },
    h('section', { 'aria-labelledby': 'in' }, h('h2', { id: 'in' }, 'Sign in'),
      form('/session', 'Sign in', [email('in'), password('in', 'current-password')])),
    h('section', { class: 'card', 'aria-labelledby': 'up' }, h('h2', { id: 'up' }, 'New here?'),
      h('p', { class: 'soft' }, 'With an account you find your orders on every device.'),
      form('/customers', 'Open an account', [name(), email('up'), password('up', 'new-password', 'At least ten characters. A short sentence is easy to remember.')]))));
});

const field = (id, label, input, hint) => h('div', { class: 'field' }, h('label', { for: id }, label), input, hint ? h('span', { class: 'hint' }, hint) : null);
const name = () => field('up-name', 'Your name', h('input', { id: 'up-name', name: 'name', autocomplete: 'given-name', maxlength: 60, required: true }));
const email = (which) => field(`${which}-email`, 'E-mail', h('input', { id: `${which}-email`, name: 'email', type: 'email', autocomplete: 'email', maxlength: 254, required: true }));
const password = (which, kind, hint) => field(`${which}-password`, 'Password', h('input', { id: `${which}-password`, name: 'password', type: 'password', autocomplete: kind, maxlength: 128, required: true }), hint);

function form(path, action, fields) {
  const messages = h('div');
  const button = h('button', { class: 'button', type: 'submit' }, action);
  return h('form', { class: 'form', onsubmit: async (event) => {
    event.preventDefault();
    button.disabled = true;
    fill(messages);
    try {
      const answer = await call('POST', path, { body: Object.fromEntries(new FormData(event.target)) });
      forgetSession();
      location.assign(next(answer.customer?.role));
    } catch (problem) {
      button.disabled = false;
      const rest = showFieldErrors(event.target, problem);
      if (!problem.errors.length || rest.length) fill(messages, notice(rest.join(' ') || problem.detail, 'bad'));
    }
  } }, messages, fields, button);
}

/** Back to where somebody came from, but only to a page of this shop. */
function next(role) {
  const wanted = new URLSearchParams(location.search).get('next') ?? '';
  return PAGES.includes(wanted.split('?')[0]) ? wanted : HOME[role] ?? 'index.html';
}
