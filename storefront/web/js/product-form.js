// Adding and editing a product.  The picture goes straight to S3 with a presigned request; the shop then looks at it.

import { call } from './api.js';
import { fill, h, icon, notice, openDialog, picture, showFieldErrors } from './dom.js';
import { cents } from './format.js';
import { newKey } from './key.js';

const euros = (amount) => (amount / 100).toFixed(2);
const field = (name, label, input, hint) => h('div', { class: 'field' }, h('label', { for: `p-${name}` }, label), Object.assign(input, { id: `p-${name}`, name }), hint ? h('span', { class: 'hint' }, hint) : null);
const slug = (text) => text.normalize('NFKD').replace(/\p{M}/gu, '').toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-|-$/g, '').slice(0, 40);

export function editProduct(product, { menu, limits, saved }) {
  const key = newKey(); // one new product, however often the button is pressed
  let upload = product?.picture ?? null;
  const messages = h('div', { tabindex: -1 });
  const preview = picture(product?.picture_url, '', { width: 240, height: 180, eager: true });
  const progress = h('p', { class: 'hint', role: 'status' });
  const submit = h('button', { class: 'button', type: 'submit' }, product ? 'Save' : 'Put it on the menu');
  const sizes = rows('Sizes and prices', product?.sizes ?? [{ id: '', name: 'Regular', detail: '', price_cents: 400 }], 1, 6, 'size');
  const extras = rows('Extras', product?.extras ?? [], 0, 12, 'extra');

  const form = h('form', { class: 'form', novalidate: true, onsubmit: save },
    messages,
    h('div', { class: 'two-fields' },
      field('name', 'Name', h('input', { maxlength: 60, value: product?.name ?? '', autocomplete: 'off' })),
      field('category', 'Category', h('select', {}, menu.categories.map(({ id, name }) => h('option', { value: id, selected: id === product?.category }, name))))),
    field('description', 'Description', h('textarea', { maxlength: 300, value: product?.description ?? '' })),
    h('fieldset', { class: 'picture-field' }, h('legend', {}, 'Picture'), preview,
      h('div', { class: 'rows' },
        h('div', { class: 'field' }, h('label', { for: 'p-file' }, product ? 'Another picture' : 'Choose a picture'),
          h('input', { id: 'p-file', type: 'file', accept: limits.upload_types.join(','), onchange: uploadPicture }),
          h('span', { class: 'hint' }, `JPEG, PNG or WebP of up to ${Math.round(limits.upload_bytes / 1e6)} MB; 4 to 3 looks best.`)),
        progress,
        field('picture_alt', 'What it shows, for those who do not see it', h('input', { maxlength: 300, value: product?.picture_alt ?? '', autocomplete: 'off' })))),
    sizes.element, extras.element,
    h('fieldset', {}, h('legend', {}, 'Contains'), h('div', { class: 'checks' },
      menu.allergens.map(({ id, name }) => check('allergens', id, name, product?.allergens.includes(id))), check('vegan', 'yes', 'Vegan', product?.vegan))),
    product ? null : field('stock', 'Stock', h('input', { inputmode: 'numeric', maxlength: 6, placeholder: 'empty: made to order', autocomplete: 'off' })),
    h('div', { class: 'actions' }, submit, h('button', { type: 'button', class: 'button quiet', onclick: () => dialog.close() }, 'Never mind')));

  const title = product ? `Edit ${product.name}` : 'A new product';
  const dialog = openDialog(h('div', { class: 'ask wide' }, h('h2', {}, title), form), { label: title, className: 'editor' });

  async function uploadPicture(event) {
    const [file] = event.target.files;
    if (!file) return;
    submit.disabled = true;
    try {
      if (!limits.upload_types.includes(file.type)) throw new Error('Please choose a JPEG, PNG or WebP picture.');
      if (file.size > limits.upload_bytes) throw new Error(`This picture has ${(file.size / 1e6).toFixed(1)} MB; at most ${Math.round(limits.upload_bytes / 1e6)} MB fit.`);
      progress.textContent = 'Uploading …';
      const ticket = await call('POST', '/uploads', { body: { content_type: file.type, size_bytes: file.size } });
      const data = new FormData();
      for (const [name, value] of Object.entries(ticket.fields)) data.append(name, value);
      data.append('file', file);
      const stored = await fetch(ticket.url, { method: ticket.method, body: data }).catch(() => ({ ok: false, status: 'no answer' }));
      if (!stored.ok) throw new Error(`The picture store did not take it (${stored.status}). Please try again.`);
      const accepted = await call('POST', `/uploads/${encodeURIComponent(ticket.id)}/complete`);
      upload = accepted.picture;
      preview.src = accepted.picture_url;
      progress.textContent = 'The picture is there. It is shown once you save.';
    } catch (problem) {
      event.target.value = '';
      progress.textContent = '';
      fill(messages, notice(problem.errors?.[0]?.message ?? problem.detail ?? problem.message, 'bad'));
      messages.focus();
    } finally {
      submit.disabled = false;
    }
  }

  async function save(event) {
    event.preventDefault();
    fill(messages);
    const data = new FormData(form);
    const problems = [];
    const stock = String(data.get('stock') ?? '').trim();
    if (!/^\d{0,6}$/.test(stock)) problems.push({ field: 'stock', message: 'A whole number, or empty for what is made to order.' });
    const body = {
      category: data.get('category'), name: String(data.get('name')).trim(), description: String(data.get('description')).trim(),
      sizes: sizes.read(problems), extras: extras.read(problems), allergens: data.getAll('allergens'), vegan: data.has('vegan'),
      picture: upload, picture_alt: String(data.get('picture_alt')).trim(), sort: product?.sort ?? 900,
      ...(product ? { retired: product.retired, version: product.version } : { stock: stock === '' ? null : Number(stock) }),
    };
    if (problems.length) { refuse({ errors: problems, detail: '' }); return; }
    submit.disabled = true;
    try {
      await (product ? call('PUT', `/products/${product.id}`, { body }) : call('POST', '/products', { body, key }));
      dialog.close();
      await saved(body.name);
    } catch (problem) {
      submit.disabled = false;
      refuse(problem);
    }
  }

  function refuse(problem) {
    const rest = showFieldErrors(form, problem);
    if (rest.length || !problem.errors?.length) { fill(messages, notice(rest.join(' ') || problem.detail, 'bad')); messages.focus(); }
  }
}

const check = (name, value, label, checked) => h('label', { class: 'check' }, h('input', { type: 'checkbox', name, value, checked }), label);

/** A list of sizes or extras that grows and shrinks: name, (detail,) price. */
function rows(legend, initial, least, most, kind) {
  const list = h('ul', { class: 'rows' });
  const add = h('button', { type: 'button', class: 'link-button', onclick: () => { append({ id: '', name: '', detail: '', price_cents: 0 }); list.lastChild.querySelector('input').focus(); } }, `Add a${kind === 'extra' ? 'n' : ''} ${kind}`);
  const element = h('fieldset', {}, h('legend', {}, legend), list, add);
  const refresh = () => {
    add.hidden = list.children.length >= most;
    for (const [n, row] of [...list.children].entries()) {
      const remove = row.querySelector('button');
      remove.disabled = list.children.length <= least;
      remove.setAttribute('aria-label', `Remove ${kind} ${n + 1}`);
      for (const input of row.querySelectorAll('input')) {
        input.name = `${kind}s.${n}.${input.dataset.part}`;
        input.setAttribute('aria-label', `${kind === 'size' ? 'Size' : 'Extra'} ${n + 1}: ${input.dataset.label}`);
      }
    }
  };
  const input = (part, label, value, extra = {}) => h('input', { class: 'input', dataset: { part, label }, value, placeholder: label, autocomplete: 'off', ...extra });
  function append(item) {
    const row = h('li', { class: `size-row ${kind}` }, input('name', 'Name', item.name, { maxlength: 60 }),
      kind === 'size' ? input('detail', 'Detail, like 250 ml', item.detail, { maxlength: 60 }) : null,
      input('price_cents', 'Price in euros', euros(item.price_cents), { inputmode: 'decimal', maxlength: 8 }),
      h('button', { type: 'button', class: 'round', onclick: () => { row.remove(); refresh(); add.focus(); } }, icon('close')));
    row.item = item;
    list.append(row);
    refresh();
  }
  initial.forEach(append);
  refresh();
  return {
    element,
    read(problems) {
      return [...list.children].map((row, n) => {
        const [name, price] = ['name', 'price_cents'].map((part) => row.querySelector(`[data-part=${part}]`).value.trim());
        const amount = cents(price);
        if (amount === null) problems.push({ field: `${kind}s.${n}.price_cents`, message: 'A price such as 4.20, and not below zero.' });
        const id = row.item.id || slug(name) || `${kind}-${n + 1}`;
        return kind === 'size' ? { id, name, detail: row.querySelector('[data-part=detail]').value.trim(), price_cents: amount }
          : { id, name, price_cents: amount, allergens: row.item.allergens ?? [], vegan: row.item.vegan ?? true };
      });
    },
  };
}
