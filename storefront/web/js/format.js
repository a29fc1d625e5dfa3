// Money and times as people read them.

const euro = new Intl.NumberFormat('en-IE', { style: 'currency', currency: 'EUR' });
let zone = 'Europe/Vienna';

export function setTimeZone(name) { zone = name; }
export const money = (cents) => euro.format(cents / 100);
const formatted = (options) => (iso) => new Intl.DateTimeFormat('en-GB', { timeZone: zone, ...options }).format(new Date(iso));
export const clock = formatted({ hour: '2-digit', minute: '2-digit' });
export const day = formatted({ weekday: 'short', day: 'numeric', month: 'long' });
export const weekday = formatted({ weekday: 'long' });
export const count = (number, one, many = `${one}s`) => `${number} ${number === 1 ? one : many}`;

/** "12.50" or "12,5" to 1250; null when it is no price. */
export function cents(text) {
  const match = /^\s*(\d{1,4})(?:[.,](\d{1,2}))?\s*$/.exec(text);
  return match ? Number(match[1]) * 100 + Number((match[2] ?? '').padEnd(2, '0')) : null;
}

export const STATUS = {
  awaiting_payment: 'Waiting for payment',
  new: 'Received',
  making: 'Being made',
  ready: 'Ready to collect',
  collected: 'Collected',
  cancelled: 'Cancelled',
};
