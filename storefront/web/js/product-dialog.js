// One product, large: sizes, extras, a note, how many, and what it adds up to.

import { cart } from './cart.js';
import { h, icon, openDialog, picture, stepper, toast, written } from './dom.js';
import { money } from './format.js';

export function openProduct(product, { allergenNames, limits, closed }) {
  const chosen = { size: product.sizes[0].id, extras: new Set(), quantity: 1 };
  const most = Math.min(limits.quantity, product.stock ?? limits.quantity);
  const price = h('span', { class: 'number' });
  const contains = h('p', { class: 'soft' });
  const note = h('input', { id: 'product-note', maxlength: limits.note, autocomplete: 'off', placeholder: 'Less foam, please' });
  const form = h('form', { class: 'form', onsubmit: add },
    product.sizes.length > 1 ? h('fieldset', {}, h('legend', {}, 'Size'),
      h('div', { class: 'options' }, product.sizes.map((size, at) => option('radio', 'size', size.id, size.name,
        [size.detail, money(size.price_cents)].filter(Boolean).join(' · '), at === 0, () => { chosen.size = size.id; show(); })))) : null,
    product.extras.length ? h('fieldset', {}, h('legend', {}, 'Extras'),
      h('div', { class: 'options' }, product.extras.map((extra) => option('checkbox', 'extra', extra.id, extra.name,
        extra.price_cents ? `+\u00a0${money(extra.price_cents)}` : 'free', false, (on) => {
          if (on) chosen.extras.add(extra.id); else chosen.extras.delete(extra.id);
          show();
        })))) : null,
    contains,
    product.available ? [
      h('div', { class: 'field' }, h('label', { for: 'product-note' }, 'A word to the barista'), note),
      h('div', { class: 'buy' },
        stepper(1, { max: most, what: product.name, change: (quantity) => { chosen.quantity = quantity; show(); } }),
        h('button', { class: 'button wide', type: 'submit' }, h('span', {}, 'Add to cart'), price))]
      : h('p', { class: 'notice' }, icon('clock'), 'Sold out for today. We bake again tomorrow morning.'));

  const dialog = openDialog(h('div', { class: 'product' },
    picture(product.picture_url, product.picture_alt, { eager: true }),
    h('div', { class: 'product-text' },
      h('h2', {}, written(product.name)),
      h('p', {}, product.description),
      h('p', { class: 'actions' }, tags(product)),
      form)), { label: product.name, className: 'product-dialog', closed });
  show();

  function show() {
    const size = product.sizes.find(({ id }) => id === chosen.size);
    const extras = product.extras.filter(({ id }) => chosen.extras.has(id));
    price.textContent = money((size.price_cents + extras.reduce((sum, extra) => sum + extra.price_cents, 0)) * chosen.quantity);
    const names = [...new Set([...product.allergens, ...extras.flatMap(({ allergens }) => allergens)])].map((id) => allergenNames.get(id) ?? id);
    contains.textContent = names.length ? `Contains: ${names.join(', ')}.` : 'Contains none of the listed allergens.';
  }

  async function add(event) {
    event.preventDefault();
    const button = form.querySelector('[type=submit]');
    button.disabled = true;
    try {
      await cart.add({ product_id: product.id, size: chosen.size, extras: [...chosen.extras], quantity: chosen.quantity, note: note.value.trim() });
      dialog.close();
      toast(`${product.name} is in your cart.`);
    } catch (problem) {
      button.disabled = false;
      toast(problem.detail, 'bad');
    }
  }
}

function option(type, group, id, name, detail, checked, change) {
  const input = h('input', { type, name: group, value: id, checked, onchange: (event) => change(event.target.checked) });
  return h('label', { class: 'option' }, input, h('span', { class: 'option-name' }, name), h('span', { class: 'soft number' }, detail));
}

/** Vegan, few left, sold out: what is worth knowing at a glance. */
export function tags(product) {
  return [
    product.vegan ? h('span', { class: 'tag good' }, icon('leaf'), 'Vegan') : null,
    !product.available ? h('span', { class: 'tag hot' }, 'Sold out')
      : product.stock !== null && product.stock <= 5 ? h('span', { class: 'tag hot' }, `Only ${product.stock} left`) : null,
  ];
}
