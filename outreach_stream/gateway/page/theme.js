// Loaded before anything is painted, so that nobody who chose dark is shown a white flash. No module: those come late.
(() => {
  const chosen = localStorage.getItem("outreach.theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
})();
