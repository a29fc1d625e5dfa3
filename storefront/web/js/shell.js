// What every page has: masthead, navigation, cart button, theme, opening hours, footer.

import { Problem, bearer, call, config, forgetSession, whoIsHere } from './api.js';
import { cart } from './cart.js';
import { $, fill, h, icon, notice } from './dom.js';
import { clock, count, setTimeZone, weekday } from './format.js';

const LINKS = [
  ['index.html', 'Menu', () => true],
  ['orders.html', 'My orders', () => true],
  ['board.html', 'Board', (role) => role === 'barista' || role === 'manager'],
  ['manager.html', 'Manager', (role) => role === 'manager'],
];

/**
 * Dresses the page and tells it who is here.  `work` is the page itself; what it throws is shown in the main part in
 * words, with a way to try again.
 */
export async function page(current, work) {
  const header = $('#masthead');
  const footer = $('#footer');
  header.classList.add('masthead');
  footer.classList.add('footer');
  drawHeader(header, current, null);
  try {
    const shop = await config();
    setTimeZone(shop.shop.time_zone);
    drawFooter(footer, shop);
    const { customer } = await whoIsHere();
    drawHeader(header, current, customer);
    cart.load().catch(() => {});
    await work({ shop, customer });
  } catch (problem) {
    if (!(problem instanceof Problem)) console.error(problem); // ours, not the shop's
    showFailure(problem);
  } finally {
    document.documentElement.dataset.ready = 'true';
  }
}

export function showFailure(problem) {
  const place = $('[data-page]') ?? $('main');
  place.setAttribute('aria-busy', 'false');
  fill(place, h('div', { class: 'rows failure' },
    notice(problem.detail ?? 'This page made a mistake. Please load it again.', 'bad'),
    h('div', { class: 'actions' },
      problem.status === 401 ? h('a', { class: 'button', href: signInLink() }, 'Sign in')
        : h('button', { class: 'button', type: 'button', onclick: () => location.reload() }, 'Try again'),
      h('a', { class: 'button quiet', href: 'index.html' }, 'To the menu'))));
}

/** The sign-in page, which leads back here afterwards. */
export function signInLink() {
  const here = location.pathname.split('/').pop() || 'index.html';
  return `account.html?next=${encodeURIComponent(here + location.search)}`;
}

export async function signOut() {
  await call('DELETE', '/session');
  bearer.set(null);
  forgetSession();
  location.assign('index.html');
}

function drawHeader(header, current, customer) {
  const links = LINKS.filter(([, , visible]) => visible(customer?.role)).map(([href, name]) =>
    h('a', { href, 'aria-current': href === current ? 'page' : undefined }, name));
  fill(header, h('div', { class: 'wrap masthead-row' },
    h('a', { class: 'brand', href: 'index.html' }, icon('mark', ''), h('span', {}, 'Brew Haven')),
    h('nav', { class: 'nav', 'aria-label': 'Main' }, links),
    themeButton(),
    h('a', { class: 'round', href: 'account.html', 'aria-current': current === 'account.html' ? 'page' : undefined,
      'aria-label': customer ? `Your account, ${customer.name}` : 'Sign in', title: customer ? customer.name : 'Sign in' },
      icon('person')),
    cartButton()));
}

function cartButton() {
  const number = h('span', { class: 'number' }, '0');
  const button = h('button', { type: 'button', class: 'cart-button', 'aria-haspopup': 'dialog', onclick: openCart },
    icon('bag'), h('span', { class: 'word' }, 'Cart'), number);
  cart.watch(() => {
    number.textContent = String(cart.pieces);
    button.setAttribute('aria-label', `Cart, ${count(cart.pieces, 'piece')}`);
  });
  return button;
}

async function openCart() {
  const { openCartDrawer } = await import('./cart-drawer.js');
  openCartDrawer();
}

function themeButton() {
  const root = document.documentElement;
  const isDark = () => (root.dataset.theme ?? (matchMedia('(prefers-color-scheme: dark)').matches ? 'dark' : 'light')) === 'dark';
  const button = h('button', { type: 'button', class: 'round', onclick: () => {
    root.dataset.theme = isDark() ? 'light' : 'dark';
    localStorage.setItem('brew-haven.theme', root.dataset.theme);
    draw();
  } });
  function draw() {
    button.setAttribute('aria-label', isDark() ? 'Use light colours' : 'Use dark colours');
    fill(button, icon(isDark() ? 'sun' : 'moon'));
  }
  draw();
  return button;
}

/** "Open now, until 19:00" or "Closed, opens Monday at 07:00". */
export function openingLine({ open_now: open, next_change: change }) {
  const soon = new Date(change) - Date.now() < 12 * 3600e3;
  return open ? `Open now, until ${clock(change)}` : `Closed now, we open ${soon ? '' : `on ${weekday(change)} `}at ${clock(change)}`;
}

function drawFooter(footer, { opening_hours: hours }) {
  const today = weekday(new Date().toISOString());
  fill(footer, h('div', { class: 'wrap footer-grid' },
    h('section', { 'aria-labelledby': 'foot-house' },
      h('h2', { id: 'foot-house' }, 'Brew Haven'),
      h('p', {}, 'An independent coffee house on the quay of the Danube canal. Two grinders, one oven, no hurry.')),
    h('section', { 'aria-labelledby': 'foot-hours' },
      h('h2', { id: 'foot-hours' }, 'Opening hours'),
      h('dl', { class: 'hours' }, hours.week.map(({ day, opens, closes }) => [
        h('dt', { class: day === today ? 'today' : '' }, day),
        h('dd', { class: `number ${day === today ? 'today' : ''}` }, `${opens} to ${closes}`)]))),
    h('section', { 'aria-labelledby': 'foot-know' },
      h('h2', { id: 'foot-know' }, 'Good to know'),
      h('p', {}, 'This is a shop for learning: cards are simulated, nothing is charged, and sadly nothing is brewed either.'),
      h('p', {}, h('a', { href: 'orders.html' }, 'Where is my order?')))));
}
