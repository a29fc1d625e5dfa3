// The card choice that checkout and an unpaid order share.  No card number is ever typed: a card is a token, as real
// payment providers have it, and the shop says which test cards there are.

import { h } from './dom.js';

export function cardChoice(cards) {
  return h('fieldset', {}, h('legend', {}, 'Pay with'),
    h('p', { class: 'hint' }, 'These are practice cards. Nothing is ever charged; some of them say no on purpose.'),
    h('div', { class: 'options' }, cards.map(({ token, label }, at) => h('label', { class: 'option pay-card' },
      h('input', { type: 'radio', name: 'card', value: token, checked: at === 0 }),
      h('span', { class: `pay-face ${/declin|insufficient/.test(token) ? 'declines' : ''}`, 'aria-hidden': 'true' }),
      h('span', { class: 'option-name' }, label)))));
}

export const chosenCard = (form) => new FormData(form).get('card');
