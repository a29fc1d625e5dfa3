// Builds elements from data.  Text always becomes a text node: nothing that people type is ever read as HTML.

import { icon } from './icons.js';

export { icon };

/** h('button', {class: 'x', onclick: f, 'aria-label': 'y'}, 'text', child, null) */
export function h(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else if (name === 'class') element.className = value;
    else if (name === 'value') element.value = value;
    else if (name === 'dataset') Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? '' : String(value));
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** What people have written, such as a name: right-to-left text in it does not rearrange what stands around it. */
export const written = (text) => h('bdi', {}, text);

export function $(selector, root = document) {
  return root.querySelector(selector);
}

export function fill(element, ...children) {
  element.replaceChildren(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A picture that keeps its place while it loads, and a calm cup when there is none. */
export function picture(url, alt, { width = 640, height = 480, eager = false } = {}) {
  const image = h('img', { width, height, alt, decoding: 'async', loading: eager ? 'eager' : 'lazy' });
  image.addEventListener('error', () => { if (!image.src.endsWith('no-picture.svg')) image.src = 'no-picture.svg'; });
  image.src = url || 'no-picture.svg';
  return image;
}

/** A message that says what happened; `kind` is '', 'good' or 'bad'. */
export function notice(text, kind = '') {
  return h('div', { class: `notice ${kind}`, role: kind === 'bad' ? 'alert' : 'status' },
    icon(kind === 'bad' ? 'alert' : kind === 'good' ? 'check' : 'clock'), h('p', {}, text));
}

/** What a list shows when there is nothing in it. */
export function empty(title, text, ...more) {
  return h('div', { class: 'empty' }, icon('mark', 'big'), h('h2', {}, title), h('p', {}, text), ...more);
}

/** Minus, number, plus.  `change` gets the new number; the buttons name what they count. */
export function stepper(value, { min = 1, max = 20, what, change }) {
  const shown = h('output', { 'aria-live': 'polite' }, String(value));
  const button = (name, label, by) => h('button', { type: 'button', 'aria-label': `${label} ${what}`, onclick: () => set(value + by) }, icon(name));
  const less = button('minus', 'One less:', -1);
  const more = button('plus', 'One more:', 1);
  function show() {
    shown.textContent = String(value);
    less.disabled = value <= min;
    more.disabled = value >= max;
  }
  function set(next) {
    value = Math.min(max, Math.max(min, next));
    show();
    change(value);
  }
  show();
  return h('div', { class: 'stepper', role: 'group', 'aria-label': `How many: ${what}` }, less, shown, more);
}

/** A modal dialog.  The browser keeps focus inside and gives it back; Escape and a click beside it close it. */
export function openDialog(content, { label, className = '', closed } = {}) {
  const close = h('button', { type: 'button', class: 'round dialog-close', 'aria-label': 'Close', onclick: () => dialog.close() }, icon('close'));
  const dialog = h('dialog', { class: className, 'aria-label': label }, close, content);
  dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });
  dialog.addEventListener('close', () => { dialog.remove(); closed?.(); });
  document.body.append(dialog);
  dialog.showModal();
  return dialog;
}

let toasts;
/** A short message at the lower edge, read out by screen readers. */
export function toast(text, kind = '') {
  if (!toasts) {
    toasts = h('div', { class: 'toasts', role: 'status', 'aria-live': 'polite', popover: 'manual' });
    document.body.append(toasts);
  }
  // A popover lies above an open dialog, so the message is seen there too.
  if (toasts.matches(':popover-open')) toasts.hidePopover();
  toasts.showPopover?.();
  const message = h('div', { class: `toast ${kind}` }, icon(kind === 'bad' ? 'alert' : 'check'), h('span', {}, text));
  if (toasts.children.length > 1) toasts.firstChild.remove();
  toasts.append(message);
  setTimeout(() => { message.remove(); if (!toasts.children.length) toasts.hidePopover?.(); }, kind === 'bad' ? 9000 : 4500);
}

/** Puts each problem of a refused form beside its field and the first of them in focus. */
export function showFieldErrors(form, problem) {
  for (const old of form.querySelectorAll('.error')) old.remove();
  for (const field of form.querySelectorAll('[aria-invalid]')) { field.removeAttribute('aria-invalid'); field.removeAttribute('aria-describedby'); }
  let first;
  const rest = [];
  for (const { field, message } of problem.errors) {
    const input = form.elements[field.replace(/^body\./, '')];
    if (!input || input instanceof RadioNodeList) { rest.push(message); continue; }
    const id = `error-${field.replaceAll('.', '-')}`;
    input.setAttribute('aria-invalid', 'true');
    input.setAttribute('aria-describedby', id);
    input.after(h('span', { class: 'error', id }, message));
    first ??= input;
  }
  first?.focus();
  return rest;
}
