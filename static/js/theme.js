// Runs before the first paint, so a chosen theme never flashes. The admin reads the same key.
document.documentElement.dataset.theme = localStorage.getItem("theme") || "auto";
document.documentElement.classList.add("js");
