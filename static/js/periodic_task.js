"use strict";
// Says in words when the chosen crontab schedule runs.
(() => {
  const readable = JSON.parse(document.getElementById("readable-crontabs").textContent);
  const select = document.getElementById("id_crontab");
  if (!select) return;
  const said = document.createElement("p");
  said.className = "help";
  document.querySelector(".field-crontab")?.append(said);
  document.querySelector(".field-crontab_translation")?.setAttribute("hidden", "");
  const say = () => { said.textContent = readable[select.value] || ""; };
  select.addEventListener("change", say);
  say();
})();
