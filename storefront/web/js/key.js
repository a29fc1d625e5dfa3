/** A fresh idempotency key.  (crypto.randomUUID exists only over TLS, and phase 1's load balancer speaks plain HTTP.) */
export function newKey() {
  return [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, '0')).join('');
}
