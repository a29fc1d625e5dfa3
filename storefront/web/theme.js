// Runs before the first paint, so that a chosen theme never flashes.  Everything else is a module.
const chosen = localStorage.getItem('brew-haven.theme');
if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
