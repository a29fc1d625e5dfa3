// The icons, drawn by hand on a grid of 24; the mark (the logo) and the wave have grids of their own.

const SVG = 'http://www.w3.org/2000/svg';
const line = (width, ...paths) => ({ box: '0 0 24 24', paths: paths.map((d) => ({ d, fill: 'none', stroke: 'currentColor', 'stroke-width': width, 'stroke-linecap': 'round', 'stroke-linejoin': 'round' })) });
const solid = (...paths) => ({ box: '0 0 24 24', paths: paths.map((d) => ({ d, fill: 'currentColor' })) });
const ring = (x, y, r) => `M${x - r} ${y}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;

const ICONS = {
  mark: { box: '0 0 64 64', paths: [
    { d: 'M8 34h42c0 12-9 20-21 20S8 46 8 34Z', fill: 'currentColor' },
    { d: 'M50 37c10-2 11 11-4 10', fill: 'none', stroke: 'currentColor', 'stroke-width': 4.5, 'stroke-linecap': 'round' },
    { d: 'M31 30c13-4 14-16 4-25 2 9-4 15-4 25ZM27 30C13 28 13 17 24 9c-2 8 3 13 3 21Z', fill: '#f5c860' },
    { d: 'M4 60q8-5.5 16 0t16 0 16 0 8 0', fill: 'none', stroke: 'currentColor', 'stroke-width': 3.5, 'stroke-linecap': 'round' }] },
  wave: { box: '0 0 72 12', paths: [{ d: 'M3 7q5.5-7 11 0t11 0 11 0 11 0 11 0 11 0', fill: 'none', stroke: 'currentColor', 'stroke-width': 4, 'stroke-linecap': 'round' }] },
  bag: line(1.8, 'M5 8h14l1 12.5H4L5 8Z', 'M8.5 10.5V7a3.5 3.5 0 0 1 7 0v3.5'),
  plus: line(2.4, 'M12 5v14M5 12h14'),
  minus: line(2.4, 'M5 12h14'),
  close: line(2.2, 'm6 6 12 12M18 6 6 18'),
  search: line(2, ring(10.5, 10.5, 6), 'm15 15 5 5'),
  filter: line(2, 'M4 7h9m5 0h2M4 17h2m5 0h9', ring(15.5, 7, 2.2), ring(8.5, 17, 2.2)),
  leaf: solid('M20 3C9 3 4 8 4 14c0 1.7.5 3.2 1.3 4.4C7.5 13.5 11 10.5 15.5 9 11.5 12 8.5 15.5 7 20c1.2.6 2.5 1 4 1 7 0 10-6 9-18Z'),
  check: line(2.6, 'm5 12.5 4.5 4.5L19 7.5'),
  person: line(1.8, ring(12, 8, 3.8), 'M4.5 20.5c.8-4.5 3.7-6.5 7.5-6.5s6.7 2 7.5 6.5'),
  moon: solid('M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5Z'),
  sun: line(2, ring(12, 12, 4), 'M12 3v2m0 14v2M3 12h2m14 0h2M5.6 5.6 7 7m10 10 1.4 1.4m0-12.8L17 7M7 17l-1.4 1.4'),
  clock: line(1.9, ring(12, 12, 8.5), 'M12 7v5l3.5 2'),
  again: line(2, 'M19.5 12a7.5 7.5 0 1 1-2.2-5.3L20 9.3', 'M20 4.5v5h-5'),
  alert: line(2, 'M12 4 2.8 20h18.4L12 4Z', 'M12 10v4.5m0 2.6v.1'),
  arrow: line(2.2, 'M5 12h14m-5.5-6 6 6-6 6'),
  pen: line(1.9, 'm4 20 1-4.5L16.5 4 20 7.5 8.5 19 4 20Z'),
};

/** An icon; decoration only, so hidden from screen readers. */
export function icon(name, className = 'icon') {
  const svg = document.createElementNS(SVG, 'svg');
  const { box, paths } = ICONS[name];
  for (const [key, value] of Object.entries({ viewBox: box, class: className, 'aria-hidden': 'true', focusable: 'false' })) svg.setAttribute(key, value);
  for (const attributes of paths) {
    const path = document.createElementNS(SVG, 'path');
    for (const [key, value] of Object.entries(attributes)) path.setAttribute(key, value);
    svg.append(path);
  }
  return svg;
}

// Places in the static pages that wait for an icon: <span data-icon="search" class="icon">.
for (const place of document.querySelectorAll('[data-icon]')) place.replaceWith(icon(place.dataset.icon, place.className));
