// The menu: categories, search and filters, and the way into the cart.

import { call } from './api.js';
import { cart } from './cart.js';
import { $, empty, fill, h, icon, picture, toast, written } from './dom.js';
import { count, money } from './format.js';
import { openProduct, tags } from './product-dialog.js';
import { openingLine, page } from './shell.js';

const plain = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase();
const asked = call('GET', '/menu'); // at once, beside the questions that every page asks
asked.catch(() => {}); // told where it is awaited
const wish = { text: '', vegan: false, max: Infinity, without: new Set() };
let menu;
let limits;
let allergenNames;

page('index.html', async ({ shop }) => {
  limits = shop.limits;
  fill($('#opening'), icon('clock'), openingLine(shop.opening_hours));
  menu = await asked;
  allergenNames = new Map(menu.allergens.map(({ id, name }) => [id, name]));
  drawFilters();
  drawMenu();
  showHash();
  addEventListener('hashchange', showHash);
  document.addEventListener('visibilitychange', refresh);
});

/** What is left changes while the page lies in another tab. */
async function refresh() {
  if (document.hidden) return;
  menu = await call('GET', '/menu').catch(() => menu);
  drawMenu();
}

function drawFilters() {
  const highest = Math.max(...menu.products.map((product) => product.from_cents));
  const prices = [300, 400, 500, 800].filter((price) => price < highest);
  const form = $('#filters');
  fill($('#price'), h('option', { value: '' }, 'Any price'), prices.map((price) => h('option', { value: price }, `Up to ${money(price)}`)));
  fill($('#without'), menu.allergens.map(({ id, name }) => h('label', { class: 'chip' },
    h('input', { type: 'checkbox', name: 'without', value: id }), h('span', {}, `No ${name.toLowerCase()}`))));
  form.addEventListener('submit', (event) => event.preventDefault());
  form.addEventListener('input', () => {
    const data = new FormData(form);
    wish.text = plain(String(data.get('q'))).trim();
    wish.vegan = data.has('vegan');
    wish.max = Number(data.get('price')) || Infinity;
    wish.without = new Set(data.getAll('without'));
    drawMenu();
  });
  form.addEventListener('reset', () => setTimeout(() => form.dispatchEvent(new Event('input'))));
}

const fits = (product) => (!wish.vegan || product.vegan) && product.from_cents <= wish.max
  && !product.allergens.some((id) => wish.without.has(id))
  && wish.text.split(/\s+/).every((word) => plain(`${product.name} ${product.description}`).includes(word));

function drawMenu() {
  const found = menu.products.filter(fits);
  const filtered = found.length < menu.products.length;
  const groups = menu.categories.map((category) => [category, found.filter((product) => product.category === category.id)])
    .filter(([, products]) => products.length);
  const active = [wish.vegan, wish.max < Infinity, ...wish.without].filter(Boolean).length;
  $('#filter-count').textContent = active ? ` (${active})` : '';
  $('#found').textContent = filtered ? `${count(found.length, 'thing')} found` : '';
  fill($('#categories'), groups.map(([category]) => h('a', { class: 'chip', href: `#${category.id}` }, category.name)));
  $('#menu').setAttribute('aria-busy', 'false');
  let eager = 4;
  fill($('#menu'), groups.length ? groups.map(([category, products]) => h('section', { id: category.id, class: 'category', 'aria-labelledby': `${category.id}-title` },
    h('div', { class: 'category-head' },
      h('h2', { id: `${category.id}-title`, tabindex: -1 }, category.name), icon('wave', 'wave'), h('p', { class: 'soft' }, category.description)),
    h('ul', { class: 'grid' }, products.map((product) => card(product, eager-- > 0)))))
    : empty('Nothing like that today', 'We have no such thing on the menu. Try fewer filters, or another word.',
      h('button', { class: 'button', type: 'button', onclick: () => $('#filters').reset() }, 'Show everything')));
}

// Cards are kept while nothing about them changed: filtering then moves pictures instead of loading them anew.
const cards = new Map();
function card(product, eager) {
  const state = JSON.stringify(product);
  if (cards.get(product.id)?.state !== state) cards.set(product.id, { state, element: newCard(product, eager) });
  return cards.get(product.id).element;
}

function newCard(product, eager) {
  const from = product.sizes.length > 1 ? h('span', { class: 'soft from' }, 'from ') : null;
  return h('li', { class: `item ${product.available ? '' : 'gone'}` },
    h('div', { class: 'item-picture' }, picture(product.thumbnail_url, product.picture_alt, { eager })),
    product.available ? h('button', { type: 'button', class: 'item-add', 'aria-label': `Add ${product.name} to the cart`, onclick: () => quickAdd(product) }, icon('plus')) : null,
    h('div', { class: 'item-text' },
      h('h3', {}, h('a', { class: 'item-open', href: `#product/${product.id}` }, written(product.name))),
      h('p', { class: 'item-price number' }, from, money(product.from_cents)),
      h('p', { class: 'item-description soft' }, product.description),
      h('p', { class: 'actions item-tags' }, tags(product))));
}

async function quickAdd(product) {
  try {
    await cart.add({ product_id: product.id, size: product.sizes[0].id, extras: [], quantity: 1, note: '' });
    const size = product.sizes.length > 1 ? `, ${product.sizes[0].name.toLowerCase()},` : '';
    toast(`${product.name}${size} is in your cart.`);
  } catch (problem) {
    toast(problem.detail, 'bad');
  }
}

// The address names the open product, so that it can be shared and Back closes it.
function showHash() {
  const id = /^#product\/(.+)$/.exec(location.hash)?.[1];
  const open = $('dialog.product-dialog');
  if (!id) { open?.close(); return; }
  const product = menu.products.find((one) => one.id === decodeURIComponent(id));
  if (!product) { toast('That is not on the menu any more.', 'bad'); return; }
  if (!open) openProduct(product, { allergenNames, limits, closed: () => { if (location.hash.startsWith('#product/')) history.replaceState(null, '', location.pathname + location.search); } });
}
