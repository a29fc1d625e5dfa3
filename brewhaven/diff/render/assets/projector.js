"use strict";
// One slide at a time. Without this script every slide stands below the other.
const slides = [...document.querySelectorAll(".slide")];
const place = document.querySelector("#place");
const overview = document.querySelector("#overview");
const buttons = ["previous", "next", "list"].map((id) => document.getElementById(id));
const [previous, next, list] = buttons;
let now = 0;

function show(number) {
  now = Math.min(Math.max(number, 0), slides.length - 1);
  slides.forEach((slide, index) => slide.classList.toggle("now", index === now));
  place.textContent = `${now + 1} / ${slides.length}`;
  document.querySelector("#bar").style.width = `${(100 * (now + 1)) / slides.length}%`;
  previous.disabled = now === 0;
  next.disabled = now === slides.length - 1;
  if (location.hash !== `#${now + 1}`) history.replaceState(null, "", `#${now + 1}`);
  scrollTo(0, 0);
}

function toggle() {
  if (overview.open) overview.close();
  else overview.showModal();
  list.setAttribute("aria-expanded", String(overview.open));
}

for (const [index, slide] of slides.entries()) {
  const link = document.createElement("a");
  link.href = `#${index + 1}`;
  link.textContent = slide.dataset.title;
  link.addEventListener("click", (event) => {
    event.preventDefault();
    overview.close();
    show(index);
  });
  const row = document.createElement("li");
  row.append(link);
  overview.querySelector("ol").append(row);
}
overview.addEventListener("close", () => list.setAttribute("aria-expanded", "false"));

const steps = { ArrowRight: 1, PageDown: 1, " ": 1, Enter: 1, n: 1, ArrowLeft: -1, PageUp: -1, Backspace: -1, p: -1 };
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "o") return toggle();
  if (overview.open || (event.target.closest("button, a") && [" ", "Enter"].includes(event.key))) return;
  if (event.key in steps) {
    event.preventDefault();
    show(now + steps[event.key]);
  } else if (event.key === "Home") show(0);
  else if (event.key === "End") show(slides.length - 1);
});
previous.addEventListener("click", () => show(now - 1));
next.addEventListener("click", () => show(now + 1));
list.addEventListener("click", toggle);

let start = null;
document.addEventListener("touchstart", (event) => { start = event.touches[0]; }, { passive: true });
document.addEventListener("touchend", (event) => {
  const end = event.changedTouches[0];
  if (!start || event.target.closest("pre, .canvas, dialog, nav")) return;
  const [x, y] = [end.clientX - start.clientX, end.clientY - start.clientY];
  if (Math.abs(x) > 60 && Math.abs(x) > 2 * Math.abs(y)) show(now + (x < 0 ? 1 : -1));
});
addEventListener("hashchange", () => show(Number(location.hash.slice(1)) - 1 || 0));
document.body.classList.add("shown");
show(Number(location.hash.slice(1)) - 1 || 0);
