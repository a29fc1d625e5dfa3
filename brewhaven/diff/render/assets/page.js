"use strict";
// The diagram's three views, by button or by key; `d` opens and closes every detail.
const diagram = document.querySelector("#diagram");
const words = {
  changes: "Both sides, with what changed.",
  before: "Only what was there before.",
  after: "Only what is there after.",
};
function show(view) {
  if (!diagram) return;
  diagram.dataset.view = view;
  diagram.querySelector(".viewing").textContent = words[view];
  for (const button of diagram.querySelectorAll("button[data-view]")) {
    button.setAttribute("aria-pressed", String(button.dataset.view === view));
  }
}
for (const button of document.querySelectorAll("button[data-view]")) {
  button.addEventListener("click", () => show(button.dataset.view));
}
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const view = { 1: "changes", 2: "before", 3: "after" }[event.key];
  if (view) show(view);
  if (event.key === "d") {
    const all = [...document.querySelectorAll("main details")];
    const open = !all.every((one) => one.open);
    for (const one of all) one.open = open;
  }
});
