// The lines of an order or cart as a short list.

import { h, picture, written } from './dom.js';
import { money } from './format.js';

export function orderLines(lines) {
  return h('ul', { class: 'summary' }, lines.map((line) => {
    const chosen = [line.size?.name ?? line.size_name, ...(line.extras?.[0]?.name ? line.extras.map(({ name }) => name) : line.extra_names ?? [])];
    return h('li', {},
      h('span', { class: 'number' }, `${line.quantity} ×`),
      h('strong', {}, written(line.name)),
      h('span', { class: 'number' }, line.total_cents === null ? '' : money(line.total_cents)),
      h('span', { class: 'soft' }, chosen.filter(Boolean).join(' · '), line.note ? [chosen.length ? ' · “' : '“', written(line.note), '”'] : null));
  }));
}

export const totalLine = (cents) => h('p', { class: 'split total rule' }, h('span', {}, 'Total'), h('span', { class: 'number' }, money(cents)));

/** The pictures of an order's first lines; the list beside them says the same in words. */
export function thumbs(lines, width, height) {
  return h('ul', { class: 'thumbs', 'aria-hidden': 'true' }, lines.slice(0, 4).map((line) => h('li', {}, picture(line.thumbnail_url, '', { width, height }))));
}
