"use strict";
// Niceties on top of pages that work without any of this.
(() => {
  const root = document.documentElement;

  // Theme: as the system, light, dark. The admin's own switch shares the key.
  const THEMES = ["auto", "light", "dark"];
  const SAID = { auto: "as the system", light: "light", dark: "dark" };
  const setTheme = (theme) => {
    root.dataset.theme = theme;
    localStorage.setItem("theme", theme);
    nameTheme();
  };
  const nameTheme = () => {
    for (const button of document.querySelectorAll("[data-theme-toggle]")) {
      button.setAttribute("aria-label", `Theme: ${SAID[root.dataset.theme] || "as the system"}`);
    }
  };

  // Times that were sent in UTC are shown in the reader's zone; relative ones keep counting.
  const timeZone = root.dataset.zone || undefined;
  const format = (options) => new Intl.DateTimeFormat("en-GB", { timeZone, ...options });
  const clock = { hour: "2-digit", minute: "2-digit", timeZoneName: "short" };
  const day = { day: "numeric", month: "short", year: "numeric" };
  const STYLES = { full: format({ ...day, ...clock }), time: format(clock), date: format(day) };
  const UNITS = [[86400, "d"], [3600, "h"], [60, "min"]];
  const relative = (at) => {
    const passed = (Date.now() - at) / 1000;
    for (const [size, unit] of UNITS) {
      if (Math.abs(passed) >= size) {
        const count = Math.trunc(Math.abs(passed) / size);
        return passed > 0 ? `${count} ${unit} ago` : `in ${count} ${unit}`;
      }
    }
    return passed > -1 ? "just now" : "in a moment";
  };
  // As the filter `duration` writes it: the two largest units.
  const left = (at) => {
    let rest = Math.floor((at - Date.now()) / 1000);
    if (rest < 1) return `due ${relative(at)}`;
    const parts = [];
    for (const [size, unit] of [...UNITS, [1, "s"]]) {
      const count = Math.trunc(rest / size);
      rest %= size;
      if (count || parts.length) parts.push(count ? `${count} ${unit}` : "");
    }
    return `${parts.slice(0, 2).filter(Boolean).join(" ")} left`;
  };
  const COUNTED = { ago: relative, left };
  const showTimes = (scope, which = "time[data-style]") => {
    for (const time of scope.querySelectorAll(which)) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      const style = time.dataset.style;
      const text = COUNTED[style] ? COUNTED[style](at) : STYLES[style]?.format(at);
      if (text && text !== time.textContent) time.textContent = text;
    }
  };

  const copy = async (button) => {
    const text = button.closest(".code-block").querySelector("code").textContent;
    const label = button.querySelector("span");
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(button.closest(".code-block").querySelector("code"));
      label.textContent = "Press Ctrl+C";
    }
    setTimeout(() => { label.textContent = "Copy"; }, 2000);
  };

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if ("themeToggle" in button.dataset) {
      setTheme(THEMES[(THEMES.indexOf(root.dataset.theme) + 1) % THEMES.length]);
    } else if ("copy" in button.dataset) {
      copy(button);
    } else if ("keysOpen" in button.dataset) {
      openKeys();
    }
  });

  // Keyboard: / searches, g then a letter goes, ? helps; never while typing.
  let going = 0;
  const openKeys = () => {
    const dialog = document.getElementById("keys");
    if (dialog && !dialog.open) {
      document.getElementById("user-menu")?.hidePopover();
      dialog.showModal();
    }
  };
  const typing = (target) =>
    target.isContentEditable || Boolean(target.closest("input, textarea, select, dialog[open]"));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || typing(event.target)) return;
    const wasGoing = Date.now() - going < 1500;
    going = 0;
    if (wasGoing) {
      const link = document.querySelector(`#nav a[data-key="${CSS.escape(event.key)}"]`);
      if (link) {
        event.preventDefault();
        location.assign(link.href);
      }
    } else if (event.key === "g") {
      going = Date.now();
    } else if (event.key === "/") {
      const field = document.querySelector(".search input");
      if (field) {
        event.preventDefault();
        field.select();
      }
    } else if (event.key === "?") {
      event.preventDefault();
      openKeys();
    }
  });

  // What is being typed outlives the other buttons of its page, and a session that ends; it is
  // dropped when it was stored.
  const draftOf = (field) => `draft ${field.dataset.draft}`;
  const showDrafts = () => {
    const wasStored = document.querySelector(".message-stored");
    for (const field of document.querySelectorAll("[data-draft]")) {
      if (wasStored) sessionStorage.removeItem(draftOf(field));
      else field.value ||= sessionStorage.getItem(draftOf(field)) ?? "";
    }
  };
  document.addEventListener("input", ({ target }) => {
    if ("draft" in target.dataset) sessionStorage.setItem(draftOf(target), target.value);
  });

  // HTMX: a form answered 422 is shown again; an ended session goes to sign-in, not into a table.
  document.addEventListener("htmx:beforeSwap", (event) => {
    const { xhr } = event.detail;
    if (xhr.status === 422) {
      event.detail.shouldSwap = true;
      event.detail.isError = false;
    } else if (xhr.status === 401 && !xhr.getResponseHeader("HX-Redirect")) {
      event.detail.shouldSwap = false;
      location.reload();
    }
  });

  // Live parts: not asked for while the tab is hidden; what a reader has unfolded stays so.
  let unfolded = [];
  const foldKey = (details) => `${details.closest("[id]")?.id} ${details.className}`;
  document.addEventListener("htmx:beforeRequest", (event) => {
    const polled = /\bevery\b/.test(event.detail.elt.getAttribute("hx-trigger") || "");
    if (polled && document.hidden) event.preventDefault();
  });
  document.addEventListener("htmx:beforeSwap", (event) => {
    unfolded = [...event.detail.target.querySelectorAll("details[open]")].map(foldKey);
  });
  document.addEventListener("htmx:afterSwap", () => {
    for (const details of unfolded.length ? document.querySelectorAll("details") : []) {
      if (unfolded.includes(foldKey(details))) details.open = true;
    }
    unfolded = [];
  });
  document.addEventListener("htmx:afterSettle", (event) => showTimes(event.detail.elt));

  nameTheme();
  showDrafts();
  showTimes(document);
  setInterval(() => showTimes(document), 30_000);
  setInterval(() => showTimes(document, "time[data-style=left]"), 1000);
})();
