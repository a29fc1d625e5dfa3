// The manager's page: today's sales, stock and the products.

import { call } from './api.js';
import { $, empty, fill, h, icon, picture, toast, written } from './dom.js';
import { count, money } from './format.js';
import { editProduct } from './product-form.js';
import { page } from './shell.js';

let menu;
let products = [];
let limits;
const wanted = { text: '', retired: false };

page('manager.html', async ({ shop }) => {
  limits = shop.limits;
  const place = $('[data-page]');
  const [sales, rejected] = await Promise.all([call('GET', '/sales/today'), call('GET', '/pictures/rejected'), loadProducts()]);
  place.setAttribute('aria-busy', 'false');
  const refused = h('section', { 'aria-labelledby': 'rejected-title', hidden: true });
  const today = h('section', { class: 'today', 'aria-labelledby': 'sales-title' });
  const list = h('div', { class: 'table', role: 'region', 'aria-label': 'Products', tabindex: 0 });
  fill(place, refused, today, h('section', { class: 'products', 'aria-labelledby': 'products-title' },
    h('div', { class: 'products-head' },
      h('h2', { id: 'products-title' }, 'Products'),
      h('div', { class: 'field grow' }, h('label', { class: 'visually-hidden', for: 'find' }, 'Find a product'),
        h('input', { id: 'find', type: 'search', placeholder: 'Find a product', oninput: (event) => { wanted.text = event.target.value.toLowerCase(); drawList(list); } })),
      h('label', { class: 'check' }, h('input', { type: 'checkbox', onchange: (event) => { wanted.retired = event.target.checked; drawList(list); } }), 'Show retired'),
      h('button', { type: 'button', class: 'button', onclick: () => edit(null, list) }, icon('plus'), 'Add a product')),
    list));
  drawRejected(refused, rejected.pictures);
  drawSales(today, sales);
  drawList(list);
  setInterval(async () => { if (!document.hidden) drawSales(today, await call('GET', '/sales/today')); }, 30_000);
});

async function loadProducts() {
  [menu, { products }] = await Promise.all([call('GET', '/menu'), call('GET', '/products')]);
}

/** Pictures that were put aside after they had been uploaded, each with the reasons, until somebody has seen it. */
function drawRejected(place, pictures) {
  place.hidden = !pictures.length;
  fill(place, h('h2', { id: 'rejected-title' }, 'Rejected pictures'),
    h('ul', { class: 'rows' }, pictures.map(({ id, reasons }) => h('li', { class: 'notice bad' }, icon('alert'),
      h('p', {}, h('strong', {}, written(id)), ' was put aside, and no product shows it. ', written(reasons.join(' '))),
      h('button', { type: 'button', class: 'button quiet small', 'aria-label': `Dismiss ${id}`, onclick: () => dismiss(place, id) }, 'Dismiss')))));
}

async function dismiss(place, id) {
  try {
    const { pictures } = await call('DELETE', `/pictures/rejected/${id.split('/').map(encodeURIComponent).join('/')}`);
    drawRejected(place, pictures);
  } catch (problem) {
    toast(problem.detail, 'bad');
  }
}

function drawSales(place, sales) {
  const busiest = Math.max(1, ...sales.by_hour.map(({ revenue_cents: revenue }) => revenue));
  fill(place,
    h('h2', { id: 'sales-title' }, 'Today'),
    h('dl', { class: 'tiles' }, [
      ['Takings', money(sales.revenue_cents)], ['Orders', sales.orders], ['Pieces', sales.items],
      ['An order is', sales.orders ? money(Math.round(sales.revenue_cents / sales.orders)) : '–'],
    ].map(([name, value]) => h('div', { class: 'card tile' }, h('dt', { class: 'soft' }, name), h('dd', { class: 'number' }, String(value))))),
    sales.orders ? h('div', { class: 'charts' },
      h('figure', { class: 'card' }, h('figcaption', {}, 'By the hour'), hours(sales.by_hour, busiest)),
      h('section', { class: 'card rows', 'aria-labelledby': 'best' }, h('h3', { id: 'best' }, 'What sells best'),
        h('ol', { class: 'best' }, sales.by_product.slice(0, 6).map((each) => h('li', { class: 'split' },
          h('span', {}, written(each.name)), h('span', { class: 'number soft' }, `${each.quantity} × · ${money(each.revenue_cents)}`))))))
      : h('p', { class: 'notice' }, icon('clock'), 'Nothing sold yet today. The first order will show up here by itself.'));
}

/** Bars of today's takings from opening to closing time, each with its hour and its sum in words. */
function hours(byHour, busiest) {
  const sold = new Map(byHour.map((each) => [each.hour, each]));
  const first = Math.min(7, ...sold.keys());
  const last = Math.max(20, ...sold.keys());
  const day = Array.from({ length: last - first + 1 }, (_, n) => sold.get(first + n) ?? { hour: first + n, orders: 0, revenue_cents: 0 });
  return h('ol', { class: 'bars' }, day.map(({ hour, orders, revenue_cents: revenue }) => {
    const bar = h('span', { class: 'bar', 'aria-hidden': 'true' });
    bar.style.height = `${Math.max(1, Math.round((revenue / busiest) * 100))}%`;
    return h('li', {}, h('span', { class: 'bar-room' }, bar), h('span', { class: 'number' }, String(hour).padStart(2, '0')),
      h('span', { class: 'visually-hidden' }, ` o'clock: ${count(orders, 'order')}, ${money(revenue)}`));
  }));
}

function drawList(list) {
  const names = new Map(menu.categories.map(({ id, name }) => [id, name]));
  const shown = products.filter((product) => (wanted.retired || !product.retired) && product.name.toLowerCase().includes(wanted.text));
  fill(list, shown.length ? h('table', {},
    h('thead', {}, h('tr', {}, ['Product', 'Category', 'Price', 'Stock', ''].map((name) => h('th', { scope: 'col' }, name || h('span', { class: 'visually-hidden' }, 'Actions'))))),
    h('tbody', {}, shown.map((product) => h('tr', { class: product.retired ? 'retired' : '', dataset: { product: product.id } },
      h('th', { scope: 'row' }, h('div', { class: 'named' }, picture(product.thumbnail_url, '', { width: 64, height: 48 }), h('span', {}, written(product.name),
        product.retired ? h('span', { class: 'tag hot' }, 'Retired') : null))),
      h('td', {}, names.get(product.category) ?? product.category),
      h('td', { class: 'number' }, product.sizes.map(({ price_cents: price }) => money(price)).join(' / ')),
      h('td', {}, stockForm(product, list)),
      h('td', {}, h('div', { class: 'actions' },
        h('button', { type: 'button', class: 'button quiet small', 'aria-label': `Edit ${product.name}`, onclick: () => edit(product, list) }, icon('pen'), 'Edit'),
        product.retired
          ? h('button', { type: 'button', class: 'link-button', 'aria-label': `Bring back ${product.name}`, onclick: () => save(() => call('PUT', `/products/${product.id}`, { body: changed(product, { retired: false }) }), list, `${product.name} is back on the menu.`) }, 'Bring back')
          : h('button', { type: 'button', class: 'link-button danger', 'aria-label': `Retire ${product.name}`, onclick: () => save(() => call('DELETE', `/products/${product.id}`), list, `${product.name} is off the menu.`) }, 'Retire')))))))
    : empty('No such product', 'Nothing by that name. Try a shorter word, or add it.'));
}

/** How many are left: a number, or nothing for what is made to order. */
function stockForm(product, list) {
  const id = `stock-${product.id}`;
  const input = h('input', { id, class: 'input stock', inputmode: 'numeric', pattern: '\\d{0,6}', maxlength: 6, placeholder: 'to order', autocomplete: 'off', value: product.stock ?? '' });
  return h('form', { class: 'stock-form', onsubmit: (event) => {
    event.preventDefault();
    const text = input.value.trim();
    if (!/^\d{0,6}$/.test(text)) { toast('Stock is a whole number, or empty for what is made to order.', 'bad'); return; }
    const body = { stock: text === '' ? null : Number(text), ...(product.stock === null ? {} : { expected: product.stock }) };
    save(() => call('PUT', `/products/${product.id}/stock`, { body }), list, `Stock of ${product.name}: ${text || 'made to order'}.`);
  } }, h('label', { class: 'visually-hidden', for: id }, 'Stock of ', written(product.name)), input,
  h('button', { type: 'submit', class: 'button quiet small', 'aria-label': `Save stock of ${product.name}` }, 'Set'));
}

async function save(job, list, done) {
  try {
    await job();
    toast(done);
  } catch (problem) {
    toast(problem.detail, 'bad');
  }
  await loadProducts().catch((problem) => toast(problem.detail, 'bad'));
  drawList(list);
}

function edit(product, list) {
  editProduct(product, { menu, limits, saved: async (name) => {
    toast(product ? `${name} is changed.` : `${name} is on the menu.`);
    await loadProducts();
    drawList(list);
  } });
}

/** What PUT takes: all editable fields, and the version that was looked at. */
function changed(product, changes) {
  const { category, name, description, sizes, extras, allergens, vegan, picture: key, picture_alt, sort, retired, version } = product;
  return { category, name, description, sizes, extras, allergens, vegan, picture: key, picture_alt, sort, retired, version, ...changes };
}
