// Puts the lines of an old order into the cart and opens it: prices are today's, and what is gone is marked there.

import { cart } from './cart.js';
import { openCartDrawer } from './cart-drawer.js';
import { toast } from './dom.js';

export async function orderAgain(order) {
  try {
    await cart.add(...order.lines.map((line) => ({
      product_id: line.product_id, size: line.size.id, extras: line.extras.map(({ id }) => id), quantity: line.quantity, note: line.note,
    })));
    openCartDrawer();
  } catch (problem) {
    toast(problem.detail, 'bad');
  }
}
